"""What a finished picture teaches the host: the latent it was made from, and its colour in every cell. Needs torch.

    bridge.teach(calibration.pair(latent, picture), model="my-finetune.safetensors", latent_format="SDXL")

``Lessons`` does that on a thread of its own, for UIs whose threads have better things to do.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

PICTURE_CHANNELS = 12
LEAST_CELLS = 256
"""The host learns nothing from a smaller latent."""


class PairError(ValueError):
    """A latent and a picture that do not belong together; the message says what was found."""


def identity(name: str, path: str | None) -> str:
    """What a model is learned under: its file's name, length and time, so that another file under that name is another model. Its hash would take
    seconds to compute. Without the file the name alone."""
    try:
        state = os.stat(path or "")
    except OSError:
        return name
    return f"{name} [{state.st_size} bytes, {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(state.st_mtime))}]"


def pair(latent: Any, picture: Any) -> Any:
    """The latent ``[C,H,W]`` (the sampler's scale) and the picture ``[3,h,w]`` (-1 to 1) as ``teach`` takes them:
    ``[1,C+12,H,W]``, F16, on the CPU.

    Each cell's colour is averaged over its quarters (docs/protocol.md, section 5).
    """
    import torch
    from torch.nn import functional

    if latent.dim() != 3 or picture.dim() != 3 or picture.shape[0] != 3:
        raise PairError(f"a latent {tuple(latent.shape)} and a picture {tuple(picture.shape)}; expected [C,H,W] and [3,h,w]")
    (height, width), (rows, columns) = latent.shape[1:], picture.shape[1:]
    if rows < 2 * height or rows * width != columns * height:
        raise PairError(f"a picture of {columns} x {rows} pixels does not belong to {width} x {height} cells")
    quarters = functional.adaptive_avg_pool2d(picture.detach().to("cpu", torch.float32)[None], (2 * height, 2 * width))
    values = torch.cat([latent.detach().to("cpu", torch.float32)[None], functional.pixel_unshuffle(quarters, 2)], 1)
    return values.clamp(-65504, 65504).to(torch.float16)


class Lessons:
    """Gives lessons one after another on a short-lived thread; one that comes while another is given is left out."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._thread: threading.Thread | None = None

    def give(self, lesson: Callable[[], None]) -> None:
        """Runs ``lesson`` soon; what it raises is said, not raised."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, args=(lesson,), name="latentbridge-lesson", daemon=True)
            self._thread.start()

    def _run(self, lesson: Callable[[], None]) -> None:
        try:
            lesson()
        except Exception as error:
            self._say(f"nothing was learned from a picture: {error}")
