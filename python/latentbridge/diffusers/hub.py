"""One bridge for all pipelines of a process: its host keeps the decoders that it has loaded. Each preview has a stream of its own."""

from __future__ import annotations

import itertools
import logging
import threading
import weakref
from collections.abc import Callable

from ..client import Bridge
from ..history import History
from ..preview import Preview
from ..protocol import LatentHeader

log = logging.getLogger("latentbridge")

_lock = threading.Lock()
_streams = itertools.count()
_places: dict[int, tuple[weakref.WeakMethod[Callable[[Preview], None]], History]] = {}
_bridge: Bridge | None = None

ROOM = 128 << 20
"""Bytes of latents that one preview keeps."""


def bridge() -> Bridge:
    """The bridge, made when it is first asked for."""
    global _bridge
    with _lock:
        if _bridge is None:
            _bridge = Bridge(on_preview=_shown, on_latent=_sent)
        return _bridge


class Place:
    """A stream with what belongs to it. ``arrived``, a method, is called with each picture as long as its object lives."""

    def __init__(self, arrived: Callable[[Preview], None]) -> None:
        self.bridge, self.stream, self.history = bridge(), next(_streams), History(ROOM)
        _places[self.stream] = (weakref.WeakMethod(arrived), self.history)

    def __del__(self) -> None:
        _places.pop(self.stream, None)


def _shown(preview: Preview) -> None:
    if (place := _places.get(preview.stream)) is not None and (arrived := place[0]()) is not None:
        arrived(preview)


def _sent(header: LatentHeader, payload: memoryview) -> None:
    if (place := _places.get(header.stream)) is not None:
        place[1].add(header, payload)
