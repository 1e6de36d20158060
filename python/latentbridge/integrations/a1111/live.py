"""The live view on the server of A1111, Forge and their kin, for who may see the UI itself."""

from __future__ import annotations

from typing import Any

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ...live import Board
from ...live.answers import ROOT, answer


def add(app: Any, board: Board, has_api_password: bool) -> bool:
    """Adds the paths of the live view, behind the UI's login; False where there is only an API with a password, which gives no page."""
    login = next((route.endpoint for route in app.routes if getattr(route, "path", None) == "/login_check"), None)
    if login is None and has_api_password:
        return False

    async def live(request: Request) -> Response:
        path = request.path_params.get("path")
        found = await answer(board, f"/{path}" if path else "", request.query_params)
        kind = Response if isinstance(found.body, bytes) else StreamingResponse
        return kind(found.body, found.status, {**found.headers, "Content-Type": found.media_type})

    for path in (ROOT, ROOT + "/{path}"):
        app.add_api_route(path, live, methods=["GET"], include_in_schema=False, response_model=None,
                          dependencies=[Depends(login)] if login is not None else [])
    return True
