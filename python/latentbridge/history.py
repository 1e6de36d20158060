"""The newest runs' latents, kept in memory: any step can be decoded again, by any decoder at any size.

    history = History()
    bridge = Bridge(on_latent=history.add)
    ...
    bridge.decode(history.run(3).steps[7].latent, latent_format="SDXL", decoder="taesd")
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any, NamedTuple

from . import protocol
from .protocol import LatentHeader
from .recording import Recording
from .tensors import RawLatent

ROOM = 256 << 20
"""Bytes that a history may have: 1000 steps of SDXL at 1024x1024 in F32, 250 of FLUX.1."""


class Step(NamedTuple):
    """A step's latent as the host got it: one frame, and one item of a batch unless the previews are a grid."""

    number: int
    total: int
    latent: RawLatent
    sequence: int = 0
    """The bridge's count of it: a step that came once more is another."""


class Run:
    """The steps of one run by their number, in the order in which they came."""

    def __init__(self, key: tuple[int, int]) -> None:
        self.key = key
        self.steps: dict[int, Step] = {}
        self.about: dict[str, Any] = {}  # what its owner knows of it: latent_format, space, model

    @property
    def length(self) -> int:
        """Bytes of its latents."""
        return sum(len(step.latent.data) for step in tuple(self.steps.values()))


class History:
    """Bounded: when there is no more room, the oldest run goes, and of a run that is alone its oldest steps.

    ``add`` is for one thread, the others' methods for any.
    """

    def __init__(self, room: int = ROOM, runs: int = 50) -> None:
        self._room, self._most = room, runs
        self._length = 0
        self._runs: OrderedDict[tuple[int, int], Run] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, header: LatentHeader, payload: memoryview) -> None:
        """Keeps a step; as ``on_latent`` of a bridge."""
        data = bytes(payload)
        latent = RawLatent(data, protocol.ELEMENT_TYPES[header.element_type], header.axes)
        with self._lock:
            run = self._of((header.stream, header.run))
            before = run.steps.get(header.step)
            run.steps[header.step] = Step(header.step, header.total, latent, header.sequence)
            self._length += len(data) - (len(before.latent.data) if before is not None else 0)
            self._make_room(run)

    def describe(self, run: int, stream: int = 0, **about: Any) -> None:
        """Notes what a run is, before or after its first step."""
        with self._lock:
            self._of((stream, run)).about.update(about)

    def runs(self) -> list[Run]:
        """Those that have a step, the oldest first."""
        with self._lock:
            return [run for run in self._runs.values() if run.steps]

    def run(self, run: int, stream: int = 0) -> Run | None:
        with self._lock:
            return self._runs.get((stream, run))

    @property
    def length(self) -> int:
        """Bytes of all latents."""
        return self._length

    def clear(self) -> None:
        with self._lock:
            self._runs.clear()
            self._length = 0

    def _of(self, key: tuple[int, int]) -> Run:
        if key not in self._runs:
            self._runs[key] = Run(key)
            while len(self._runs) > self._most:
                self._forget(next(iter(self._runs)))
        return self._runs[key]

    def _forget(self, key: tuple[int, int]) -> None:
        self._length -= self._runs.pop(key).length

    def _make_room(self, newest: Run) -> None:
        while self._length > self._room and len(self._runs) > 1:
            oldest = next(iter(self._runs))
            if oldest == newest.key:
                self._runs.move_to_end(oldest)
                continue
            self._forget(oldest)
        while self._length > self._room and len(newest.steps) > 1:
            self._length -= len(newest.steps.pop(next(iter(newest.steps))).latent.data)


def save(run: Run, path: str) -> None:
    """Writes a run as a recording (``recording.py``), which ``latentbridge replay`` and ``decode`` read."""
    with Recording(path, latent_format=run.about.get("latent_format")) as recording:
        for step in tuple(run.steps.values()):
            recording.add(step.latent)
