"""What a client gets that stays: a film of pictures (multipart JPEG), or events.

Each is a generator of bytes. Whoever sends them asks for the next piece when the last one is on its way, so each client has a pace of its own: it
gets what is newest then, and one that does not read is not heard of again.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Any

from ..client import BridgeError
from ..preview import Preview
from .board import Board, TooMany, Wanted

BOUNDARY = "latentbridge"
AGAIN_SECONDS = 10.0
"""A film without news shows its picture again, and events tell the runs again: so a client that has gone is noticed."""

LADDER = ((0, 0), (1024, 80), (768, 75), (512, 70), (384, 60), (256, 50))
"""Longest side and JPEG quality, the best first; 0: as the UI's own picture has it."""
SLOW_SECONDS, QUICK_SECONDS = 0.5, 0.1
"""A picture that takes longer to send than the first makes the next one smaller; several that are quicker than the second make it larger."""
QUICK_ONES, MOST_QUICK_ONES = 8, 256


class Pace:
    """The size and quality that one client's connection can take, within what it asked for."""

    def __init__(self, asked: Wanted) -> None:
        self._asked = asked
        self._rung = self._quick = 0
        self._needed = QUICK_ONES

    @property
    def wanted(self) -> Wanted:
        size, quality = LADDER[self._rung]
        asked = self._asked
        return Wanted(asked.encoding, min(size, asked.size) if size and asked.size else size or asked.size,
                      min(quality, asked.quality) if quality and asked.quality else quality or asked.quality)

    def took(self, seconds: float) -> None:
        """So long it took to hand a picture over."""
        if seconds > SLOW_SECONDS:
            if self._quick < self._needed and self._rung:
                self._needed = min(2 * self._needed, MOST_QUICK_ONES)  # the last try to go up came too early
            self._rung, self._quick = min(self._rung + 1, len(LADDER) - 1), 0
        elif seconds < QUICK_SECONDS and self._rung:
            self._quick += 1
            if self._quick >= self._needed:
                self._rung, self._quick = self._rung - 1, 0
        else:
            self._quick = 0


async def film(board: Board, asked: Wanted) -> AsyncIterator[bytes]:
    """The newest pictures as multipart/x-mixed-replace."""
    pace = Pace(asked)
    shown: Preview | None = None
    with board.listening() as ear:
        yield f"--{BOUNDARY}\r\n".encode()
        while True:
            newest = board.newest
            if newest is not None and newest is not shown:
                shown = newest
                picture = await _picture(board, pace.wanted)
                started = time.monotonic()
                yield part(picture)
                pace.took(time.monotonic() - started)
            elif not await ear.wait(AGAIN_SECONDS):
                shown = None


async def _picture(board: Board, wanted: Wanted) -> Preview:
    """As wanted, or where the host cannot make that now, as it is."""
    try:
        picture = await board.picture(wanted)
    except (BridgeError, TooMany):
        picture = board.newest
    assert picture is not None
    return picture


def part(picture: Preview) -> bytes:
    """One picture of a film. The boundary stands behind it too, because browsers show a picture when they see its end."""
    head = f"Content-Type: {picture.media_type}\r\nContent-Length: {len(picture.data)}\r\n\r\n"
    return b"".join((head.encode(), picture.data, f"\r\n--{BOUNDARY}\r\n".encode()))


async def events(board: Board) -> AsyncIterator[bytes]:
    """Server-sent events: ``runs`` when others are kept than before, ``step`` for the newest picture."""
    told: Preview | None = None
    ids: tuple[str, ...] | None = None
    with board.listening() as ear:
        yield b"retry: 2000\n\n"
        while True:
            pieces = []
            if (now := board.run_ids()) != ids:
                ids = now
                pieces.append(event("runs", board.runs()))
            newest = board.newest
            if newest is not None and newest is not told:
                told = newest
                pieces.append(event("step", {**words(newest), "total": board.total(newest), "steps": board.steps(newest.stream, newest.run)}))
            if pieces:
                yield b"".join(pieces)
            elif not await ear.wait(AGAIN_SECONDS):
                yield event("runs", board.runs())  # with steps whose picture did not come in time


def event(kind: str, data: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


def words(preview: Preview) -> dict[str, Any]:
    """A picture without its bytes."""
    return {"run": f"{preview.stream}-{preview.run}", "step": preview.step, "total": preview.total, "sequence": preview.sequence,
            "width": preview.width, "height": preview.height, "encoding": preview.encoding, "decoder": preview.decoder,
            "milliseconds": round(preview.milliseconds, 1), "note": preview.note or None, "warnings": list(preview.warnings),
            "alarm": preview.alarm or None}
