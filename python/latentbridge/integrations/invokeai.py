"""InvokeAI: each step's progress picture, made on the CPU. The repository's root ``__init__.py`` calls ``install`` where InvokeAI loads it as a node pack.

InvokeAI makes the picture in the sampler's thread: a product with a table on the device, a copy that waits for the device, a JPEG. Here the
latent goes to the bridge, and the progress event is sent from the bridge's thread when the picture is there. InvokeAI's own function
still does it where the format is not known, until the first picture has come, and where none comes.
"""

from __future__ import annotations

import functools
import itertools
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from ..client import Bridge
from ..formats import misfit, numbers
from ..preview import Preview
from ..say_once import SayOnce
from .asked_picture import as_format
from .host_trouble import host_trouble
from .ready_image import ReadyImage

log = logging.getLogger("latentbridge")

FORMATS = {
    "sd-1": "SD15", "sd-2": "SD15", "sdxl": "SDXL", "sdxl-refiner": "SDXL", "sd-3": "SD3", "flux": "Flux", "z-image": "Flux", "flux2": "Flux2",
    "ernie-image": "Flux2", "qwen-image": "Wan21", "krea-2": "Wan21", "anima": "Wan21",
}
"""By the value of InvokeAI's ``BaseModelType``. Wan's two VAEs differ in their channels."""
WAN = {16: "Wan21", 48: "Wan22"}
CELL = {"Wan22": 16}
"""Pixels of a cell's side in InvokeAI's latents, where they are not 8."""
SIZE = 512
"""Longest side in pixels: the picture goes to the page as text in an event."""
PATIENCE = 2.0
"""Seconds without a picture after which InvokeAI makes its own."""
MESSAGE = "Denoising"

_joined: Joined | None = None


def install(bridge: dict[str, Any] | None = None) -> None:
    """Joins the running UI; again where it loads its node packs again."""
    global _joined
    from invokeai.app.services.shared import invocation_context
    from invokeai.app.util.step_callback import calc_percentage

    if (leave := getattr(invocation_context.diffusion_step_callback, "leave", None)) is not None:
        leave()  # it may be another import's
    _joined = Joined(invocation_context, calc_percentage, bridge or {})
    if (trouble := host_trouble("auto")) is not None and not bridge:
        log.warning("LatentBridge: %s", trouble)


def uninstall() -> None:
    """Leaves the UI as it was found."""
    global _joined
    if _joined is not None:
        _joined.leave()
        _joined = None


class Run:
    """One node's denoising of latents of one size. The sampler's thread writes all but ``shown``, which the bridge's does."""

    def __init__(self, number: int, stream: int, signal_progress: Callable[..., None], is_canceled: Callable[[], bool], base: Any, shape: Any) -> None:
        self.number, self.stream, self.shape = number, stream, shape
        self.signal_progress, self.is_canceled = signal_progress, is_canceled
        self.latent_format = found = _format_of(base, shape)
        self.size = tuple(axis * CELL.get(found, 8) for axis in (shape[-1], shape[-2]))  # of the whole picture, in pixels
        self.is_ready = len(shape) == 4 and numbers(found).get("dimensions") == 2 and found != "Flux2"  # has its format's axes
        self.percentage = 0.0
        self.step = self.shown = -1  # the newest that was sent, and that came back
        self.asked = 0.0  # when the oldest was sent of those that nothing came back for


class _Here(threading.local):
    """Each thread of the UI's samples on one device: one stream of the bridge."""

    stream: int | None = None
    run: Run | None = None


class Joined:
    """The function in place of ``diffusion_step_callback``, and the bridge behind it."""

    def __init__(self, owner: Any, percentage: Callable[[Any], float], bridge: dict[str, Any]) -> None:
        self._owner, self._percentage = owner, percentage
        self._here, self._say = _Here(), SayOnce()
        self._streams, self._numbers = itertools.count(), itertools.count()
        self._runs: dict[int, Run] = {}  # the newest of each stream
        self._is_proven = False  # a picture came, ever
        self.bridge = Bridge(on_preview=self._arrived, **bridge)
        self._original = original = owner.diffusion_step_callback

        @functools.wraps(original)
        def diffusion_step_callback(*arguments: Any, **named: Any) -> None:
            try:
                is_done = self._step(*arguments, **named)
            except Exception as error:
                self._say(f"a preview was left out, the UI's own is shown: {error!r}")
                is_done = False
            if not is_done:
                original(*arguments, **named)

        diffusion_step_callback.leave = self.leave
        owner.diffusion_step_callback = self._ours = diffusion_step_callback

    def leave(self) -> None:
        if self._owner.diffusion_step_callback is self._ours:  # else somebody put another one over it
            self._owner.diffusion_step_callback = self._original
        self.bridge.close()

    def _step(self, signal_progress: Callable[..., None], intermediate_state: Any, base_model: Any, is_canceled: Callable[[], bool]) -> bool:
        """Whether the UI's own function has nothing to do: the progress is told, or will be with the picture."""
        if self.bridge.off_reason is not None or is_canceled():
            return False
        state = intermediate_state
        sample = state.latents if state.predicted_original is None else state.predicted_original
        run = self._here.run
        if run is None or run.signal_progress != signal_progress or run.shape != sample.shape or state.step < run.step:
            run = self._begin(signal_progress, is_canceled, base_model, sample.shape)
        if run.latent_format is None:
            return False
        latent = sample if run.is_ready else as_format(sample[0] if sample.ndim == 4 else sample, run.latent_format)
        is_behind, now = run.shown < run.step, time.monotonic()
        if not is_behind:
            run.asked = now
        run.percentage, run.step = self._percentage(state), state.step
        # the VAE's decode is to come, so no step is the last: the host would hurry
        is_sent = self.bridge.submit(latent, run=run.number, step=state.step, total=state.total_steps + 2, stream=run.stream)
        if not is_sent or not self._is_proven or (is_behind and now - run.asked > PATIENCE):
            return False
        if is_behind:
            signal_progress(MESSAGE, run.percentage)
        return True

    def _begin(self, signal_progress: Callable[..., None], is_canceled: Callable[[], bool], base: Any, shape: Any) -> Run:
        here = self._here
        if here.stream is None:
            here.stream = next(self._streams)
        run = here.run = self._runs[here.stream] = Run(next(self._numbers), here.stream, signal_progress, is_canceled, base, shape)
        if run.latent_format is not None:
            self.bridge.begin(run=run.number, stream=run.stream, latent_format=run.latent_format, batch="first", encoding="jpeg", size=SIZE)
        return run

    def _arrived(self, preview: Preview) -> None:
        """A picture came. Called on the bridge's thread, where events may be sent from."""
        run = self._runs.get(preview.stream)
        if run is None or run.number != preview.run:
            return
        self._is_proven, run.shown = True, preview.step
        if not run.is_canceled():
            run.signal_progress(MESSAGE, run.percentage, ReadyImage(preview.data, "JPEG", (preview.width, preview.height)), run.size)


def _format_of(base: Any, shape: Any) -> str | None:
    """The format of a latent ``[B,C,H,W]`` or ``[C,H,W]``; None for one that is not known, and where the latent is none of it."""
    if len(shape) not in (3, 4):
        return None
    value, channels = getattr(base, "value", base), shape[-3]
    found = WAN.get(channels) if value == "wan" else FORMATS.get(value)
    if found == "Flux2" and channels == 32:
        channels = 128  # four cells make one
    axes = (1, channels, 1, *shape[-2:]) if numbers(found).get("dimensions") == 3 else (1, channels, *shape[-2:])
    return found if found is not None and misfit(axes, found) is None else None
