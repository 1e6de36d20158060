"""``/latentbridge/settings`` and ``/latentbridge/forget`` for the page, ``/latentbridge/status`` for people and bug reports, ``/latentbridge/live``."""

from __future__ import annotations

import asyncio
import subprocess
from dataclasses import asdict
from functools import partial
from typing import Any

from server import PromptServer, web

from ... import host_locator
from ..._version import VERSION
from . import live, settings
from .hook import Hook
from .pack import Pack


def add(pack: Pack, hook: Hook) -> None:
    """Adds the routes to ComfyUI's server."""
    routes = PromptServer.instance.routes
    live.add(routes, pack.live)

    @routes.get("/latentbridge/settings")
    async def controls(request: Any) -> Any:
        pack.decoders.look()
        decoders = await asyncio.get_running_loop().run_in_executor(None, pack.decoders.choices)
        state = await asyncio.get_running_loop().run_in_executor(None, pack.state)
        return web.json_response({"controls": settings.describe(decoders), "trouble": pack.trouble(), "state": state})

    @routes.post("/latentbridge/settings")
    async def change(request: Any) -> Any:
        try:
            values = await request.json()
            pack.change({name.removeprefix(settings.PREFIX): value for name, value in values.items()})
        except (ValueError, AttributeError, TypeError):
            return web.json_response({"error": "expected a JSON object of settings"}, status=400)
        return web.json_response(asdict(pack.settings))

    @routes.post("/latentbridge/forget")
    async def forget(request: Any) -> Any:
        try:
            await asyncio.get_running_loop().run_in_executor(None, pack.decoders.forget)
        except (OSError, subprocess.SubprocessError) as error:
            return web.json_response({"error": f"not all was deleted ({error}); `latentbridge models forget all` says why"}, status=500)
        return web.json_response({"state": await asyncio.get_running_loop().run_in_executor(None, pack.state)})

    @routes.get("/latentbridge/status")
    async def status(request: Any) -> Any:
        bridge = await asyncio.get_running_loop().run_in_executor(None, partial(pack.bridge.status, 1.0))
        return web.json_response(describe(pack, hook, bridge))


def describe(pack: Pack, hook: Hook, bridge: dict[str, Any]) -> dict[str, Any]:
    """All that a bug report needs."""
    latest = pack.latest
    return {
        "version": VERSION,
        "trouble": pack.trouble(),
        "hook": hook.chain(),
        "settings": asdict(pack.settings),
        "latest": latest and {
            "decoder": latest.decoder, "step": latest.step, "total": latest.total, "size": [latest.width, latest.height],
            "encoding": latest.encoding, "bytes": len(latest.data), "milliseconds": round(latest.milliseconds, 2),
            "decodeMilliseconds": latest.decode_milliseconds, "encodeMilliseconds": latest.encode_milliseconds,
            "warnings": list(latest.warnings), "alarm": latest.alarm or None,
        },
        "messages": {"sent": pack.outbox.sent, "replaced": pack.outbox.replaced, "late": pack.outbox.late},
        "bridge": bridge,
        "hosts": [place._asdict() | {"path": str(place.path or "")} for place in host_locator.places()],
    }
