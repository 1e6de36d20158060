"""What the sampler's threads, the bridge thread and the reader thread share: streams, and the frames that wait on them."""

from __future__ import annotations

from collections import deque
from typing import Any

from . import formats, tensors
from .preview import Preview
from .protocol import LatentHeader
from .shared_memory import Mapping


FRAMES_BEFORE = 2
"""Frames of a causal video before the one that is shown that are sent with it, because the host's video decoders remember them."""


class Frame:
    """A latent that waits in private memory (or in pinned memory, still on its way) for a slot.

    It lies in ``buffer``, or ``source`` has it. ``started`` is ``time.perf_counter_ns()`` at its ``submit``.
    """

    __slots__ = ("source", "header", "buffer", "started")

    def __init__(self, source: tensors.Source | None, header: LatentHeader, buffer: bytearray | None, started: int) -> None:
        self.source, self.header, self.buffer, self.started = source, header, buffer, started

    @property
    def length(self) -> int:
        return self.header.length

    def ready(self) -> bool:
        """False while a device is still writing it."""
        return self.source is None or self.source.ready()

    def copy_into(self, target: memoryview, address: int = 0) -> None:
        if self.buffer is None and self.source is not None:
            self.source.copy_into(target, address)
        else:
            target[:self.length] = memoryview(self.buffer)[:self.length]


class Stream:
    """One place where previews are shown. Runs follow one another on it.

    The sampler's threads write the run and ``waiting``, the bridge thread ``held``, ``sent``, ``newest`` and ``kept``, the reader thread ``latest``
    and ``lost_step``; every step of that is one atomic operation of Python.
    """

    __slots__ = ("number", "run", "live", "fresh", "begin", "options", "reader", "waiting", "held", "latest", "lost_step", "sent",
                 "newest", "kept")

    def __init__(self, number: int) -> None:
        self.number = number
        self.run = -1
        self.live = False  # begun, not yet ended or cancelled
        self.fresh = True  # nothing of the run was submitted yet
        self.begin: dict[str, Any] = {}  # the parameters of the run's `begin`
        self.options: dict[str, Any] = {}  # the run's own options
        self.reader = tensors.Reader(tensors.Choice())
        self.waiting: deque[Frame] = deque(maxlen=1)
        self.held: Frame | None = None  # taken from `waiting`, not yet sent
        self.latest: Preview | None = None
        self.lost_step = -1  # the last step that was given up
        self.sent = 0  # the last sequence the host was given
        self.newest: tuple[Mapping, int, LatentHeader, int] | None = None  # where it lies: mapping, slot, header, started
        self.kept = (0, 0)  # the last sequence that was kept for another host, and how often

    def shows(self, run: int) -> bool:
        return self.live and self.run == run


def choice_of(options: dict[str, Any], latent_format: str | None) -> tensors.Choice:
    """The part of a latent that is sent. Of a causal video that is the first frame unless somebody chose another: colour maps are fitted to it."""
    chosen = {name: options[name] for name in ("batch", "item", "frame") if name in options}
    is_causal = formats.is_causal_video(latent_format)
    if chosen.get("frame", "auto") == "auto":
        chosen["frame"] = "first" if is_causal else "middle"
    return tensors.Choice(latent_format=latent_format, before=FRAMES_BEFORE if is_causal else 0, whole=is_causal and bool(options.get("clip")), **chosen)


def options_for_host(options: dict[str, Any]) -> dict[str, Any]:
    """The options as the host needs them: item and frame are chosen here, before anything is copied."""
    sent = {name: value for name, value in options.items() if name not in ("item", "frame")}
    if sent.get("batch") == "item":
        sent["batch"] = "first"
    return sent
