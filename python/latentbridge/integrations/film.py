"""The pictures of a moving picture, joined to one animated WebP: for UIs that show a video's preview as one file.

The host makes the pictures (WebP, on its idle cores). Nothing is decoded or encoded here: their chunks are put one behind the other.
"""

from __future__ import annotations

import struct

from ..preview import Preview

_LOOSE = (b"ALPH", b"VP8 ", b"VP8L")
_ANIMATED = 0x02
_NO_BLENDING = 0x02


class Film:
    """Of one run. ``put`` is called on one thread, ``file`` on any."""

    def __init__(self, run: int) -> None:
        self.run = run
        self.step = 0
        self.size = (0, 0)
        self._rate = 0.0
        self._pictures: list[bytes | None] = []
        self._steps: list[int] = []

    def put(self, preview: Preview) -> bool:
        """Takes a picture at its place; whether there is one for each place now."""
        place = preview.clip
        if place is None:
            return False
        if len(self._pictures) != place.pictures or self.size != (preview.width, preview.height):
            self._pictures, self._steps, self.size = [None] * place.pictures, [-1] * place.pictures, (preview.width, preview.height)
        self._pictures[place.picture], self._steps[place.picture] = preview.data, preview.step
        self._rate, self.step = place.rate, preview.step
        return self.is_whole

    @property
    def is_whole(self) -> bool:
        """Whether there is a picture for each place."""
        return bool(self._pictures) and None not in self._pictures

    @property
    def is_of_one_step(self) -> bool:
        """Whether no picture is left of an older step."""
        return all(step == self.step for step in self._steps)

    def file(self) -> bytes:
        """The whole file, which plays for ever."""
        pictures, (width, height), rate = [picture for picture in self._pictures if picture is not None], self.size, self._rate or 16.0
        body = [_chunk(b"VP8X", struct.pack("<I", _ANIMATED) + _three(width - 1) + _three(height - 1)), _chunk(b"ANIM", bytes(6))]
        for number, picture in enumerate(pictures):
            milliseconds = round((number + 1) * 1000 / rate) - round(number * 1000 / rate)  # each ends where the next begins
            head = bytes(6) + _three(width - 1) + _three(height - 1) + _three(milliseconds) + bytes([_NO_BLENDING])
            body.append(_chunk(b"ANMF", head + _loose_chunks(picture)))
        content = b"WEBP" + b"".join(body)
        return b"RIFF" + struct.pack("<I", len(content)) + content


def _loose_chunks(file: bytes) -> bytes:
    """What a frame of an animation has of a still's file."""
    found, at = [], 12
    while at + 8 <= len(file):
        length = 8 + struct.unpack_from("<I", file, at + 4)[0]
        if file[at:at + 4] in _LOOSE:
            found.append(file[at:at + length + length % 2])
        at += length + length % 2
    if not found or file[:4] != b"RIFF":
        raise ValueError(f"a picture of a film begins with {file[:16]!r}; expected a WebP")
    return b"".join(found)


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)


def _three(number: int) -> bytes:
    return struct.pack("<I", number)[:3]
