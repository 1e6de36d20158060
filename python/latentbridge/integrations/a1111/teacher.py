"""A1111, Forge and reForge: each batch that the UI's VAE decodes teaches the host the checkpoint's colours.

All three decode through ``processing.decode_latent_batch``, which gets latents in the sampler's scale and gives pictures of -1 to 1. On the
job's thread only references change hands; averaging happens on a thread of its own, which ends with the lesson.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ...calibration import LEAST_CELLS, Lessons, pair
from ...client import Bridge


class Teacher:
    """``wants`` says whether to learn from what is decoded now: the model's name and latent format, or None."""

    def __init__(self, bridge: Bridge, say: Callable[[str], None], wants: Callable[[], tuple[str, str | None] | None]) -> None:
        self._bridge, self._say, self._wants = bridge, say, wants
        self._lessons = Lessons(say)

    def decode(self, original: Callable[..., Any], model: Any, batch: Any, *arguments: Any, **named: Any) -> Any:
        """In place of ``decode_latent_batch``: what it gives, unchanged."""
        pictures = original(model, batch, *arguments, **named)
        try:
            if batch[0][0].numel() >= LEAST_CELLS and (wanted := self._wants()) is not None:
                self._lessons.give(partial(self._teach, batch, pictures[0], *wanted))
        except Exception as error:
            self._say(f"a decoded picture was not looked at: {error!r}")
        return pictures

    def _teach(self, batch: Any, picture: Any, model: str, latent_format: str | None) -> None:
        import torch

        with torch.inference_mode():
            lesson = pair(batch[0], picture)
        self._bridge.teach(lesson, model=model, latent_format=latent_format)
