"""Keeps a run's latents, to be decoded again later by any decoder at any size. Opt-in: nothing is kept unless a Recording is made.

    recording = Recording("run.safetensors", latent_format="SDXL")
    for step in range(20):
        ...
        recording.add(x0)
    recording.close()

The file is a safetensors of F16 with one tensor ``latents``, the steps one behind the other as a batch, so that everything that
reads latents reads it: ``latentbridge replay run.safetensors`` makes the frames and the time-lapse, ``latentbridge decode``
single steps.
"""

from __future__ import annotations

import array
import contextlib
import json
import math
import os
import re
import struct
import time
from collections.abc import Sequence
from typing import Any

from . import protocol, tensors

#: Bytes a recording may have: 20 steps of an SDXL run at 1024x1024 have 2.6 MB, 50 of FLUX.1 13 MB.
MAXIMUM_LENGTH = 256 << 20

LONGEST_WRITE = 3600
"""Seconds after which a file that was begun is nobody's any more."""

_LARGEST_HALF = 65504.0


class RecordingError(ValueError):
    """A latent cannot be kept: it has another shape than the first, or there would be too much of it."""


class Recording:
    """A run's latents in memory, written by ``close`` (or the end of a ``with``); ``discard`` forgets them.

    ``choice`` says which item of a batch and which frame of a clip is kept, as for previews: one item, one frame. ``limit`` is
    the length in bytes that the file may have. Adding copies; it does not change the latent, and on CUDA it waits for it.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, latent_format: str | None = None, limit: int = MAXIMUM_LENGTH,
        choice: tensors.Choice | None = None,
    ) -> None:
        self._path, self._format, self._limit = os.fspath(path), latent_format, limit
        choice = choice if choice is not None else tensors.Choice()
        self._choice = choice if choice.latent_format is not None else choice._replace(latent_format=latent_format)
        self._axes: tuple[int, ...] | None = None
        self._steps: list[bytes] = []

    def __len__(self) -> int:
        return len(self._steps)

    def add(self, latent: Any) -> None:
        """Keeps a step's latent; ``RecordingError`` when it does not fit to those before or there is no room, and all is as before."""
        source = tensors.read(latent, self._choice)
        axes = (1, *source.axes) if len(source.axes) == 3 and source.axes[0] > 1 else source.axes
        if axes[0] != 1:
            raise RecordingError(f"the latent is a batch of {axes[0]}; choose the item to record")
        if self._axes is not None and axes != self._axes:
            raise RecordingError(f"the latent is {axes}, those before it {self._axes}; record each run for itself")
        length = 2 * math.prod(axes)
        if (len(self._steps) + 1) * length > self._limit:
            raise RecordingError(
                f"{len(self._steps)} steps of {length} bytes are kept; one more is over the limit of {self._limit} bytes")
        buffer = bytearray(source.length)
        source.copy_into(memoryview(buffer))
        self._steps.append(to_half(buffer, source.element_type))
        self._axes = axes

    def discard(self) -> None:
        """Forgets all steps; a later ``close`` writes nothing."""
        self._steps, self._axes = [], None

    def close(self) -> None:
        """Writes the file, if any step was added; one that was there is replaced only when the new one is complete. Nobody else can read it."""
        if self._axes is None:
            return
        axes = [len(self._steps), *self._axes[1:]]
        metadata = {"recording": f"{len(self._steps)} steps"} | ({"latent_format": self._format} if self._format else {})
        length = sum(map(len, self._steps))
        header = json.dumps({"__metadata__": metadata, "latents": {"dtype": "F16", "shape": axes, "data_offsets": [0, length]}},
                            separators=(",", ":")).encode()
        header += b" " * (-len(header) % 8)
        partial = f"{self._path}.{os.getpid()}.partial"
        _remove_left(os.path.dirname(os.path.abspath(self._path)))
        try:
            with open(partial, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
                file.write(struct.pack("<Q", len(header)) + header)
                file.writelines(self._steps)
            os.replace(partial, self._path)
        except BaseException:
            if os.path.exists(partial):
                os.unlink(partial)
            raise
        self.discard()

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()


def _remove_left(folder: str) -> None:
    """Removes what programs that were killed while they wrote left in a folder of recordings."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if re.search(r"\.safetensors\.[0-9]+\.partial$", entry.name):
                with contextlib.suppress(OSError):  # somebody else was quicker, or may not be disturbed
                    if time.time() - entry.stat().st_mtime > LONGEST_WRITE:
                        os.unlink(entry.path)


def to_half(data: bytes | bytearray, element_type: int) -> bytes:
    """F32 or BF16 as F16, rounded to nearest, even on ties; what is too large becomes the largest with its sign. F16 stays."""
    name = protocol.ELEMENT_TYPES[element_type]
    if name == "F16":
        return bytes(data)
    if name == "BF16":
        wide = bytearray(2 * len(data))
        wide[2::4], wide[3::4] = data[0::2], data[1::2]
        data = wide
    values: Sequence[float] = array.array("f", bytes(data))
    return struct.pack(f"<{len(values)}e", *[
        value if -_LARGEST_HALF <= value <= _LARGEST_HALF or value != value else math.copysign(_LARGEST_HALF, value)
        for value in values])
