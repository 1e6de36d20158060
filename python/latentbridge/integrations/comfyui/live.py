"""The live view on ComfyUI's own server."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from server import web

from ...live import Board
from ...live.answers import ROOT, answer

STALLED_SECONDS = 60.0
"""A client that takes nothing for so long is let go."""


def add(routes: Any, board: Board) -> None:
    """Adds the paths of the live view."""

    @routes.get(ROOT)
    @routes.get(ROOT + "/{path}")
    async def live(request: Any) -> Any:
        path = request.match_info.get("path")
        found = await answer(board, f"/{path}" if path else "", request.query)
        headers = {**found.headers, "Content-Type": found.media_type}
        if isinstance(found.body, bytes):
            return web.Response(body=found.body, status=found.status, headers=headers)
        response = web.StreamResponse(status=found.status, headers=headers)
        with contextlib.suppress(ConnectionError, asyncio.TimeoutError):  # it has gone, or takes nothing
            await response.prepare(request)
            async with contextlib.aclosing(found.body) as pieces:
                async for piece in pieces:
                    await asyncio.wait_for(response.write(piece), STALLED_SECONDS)
        return response
