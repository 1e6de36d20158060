"""The final picture of an interrupted job, where the settings ask for it by the preview's method.

The UI would make it by the method whose number ours carries, and save a thumbnail. Here it is made by a decoder that gives the whole size,
first the one that showed the previews. Where there is none, the VAE makes it as if nobody had asked for haste.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ...client import Bridge
from .ui import FULL, Ui

PATIENCE = 10.0
"""Seconds after which the VAE is taken."""
DECODE_MILLISECONDS = 1000
"""What the best decoder may take where none is named: the most that the host allows."""


class LastPicture:
    """``name`` is what our method is called in the UI's table of numbers."""

    def __init__(self, name: str, ui: Ui, bridge: Bridge, say: Callable[[str], None]) -> None:
        self._name, self._ui, self._bridge, self._say = name, ui, bridge, say

    def make(self, original: Callable[..., Any], sample: Any, approximation: int, *more: Any, decoders: Iterable[str], **named: Any) -> Any:
        """In place of ``samples_to_images_tensor``: pictures of -1 to 1."""
        try:
            pictures = self._decode(sample, list(dict.fromkeys(decoders)))
        except Exception as error:
            self._say(f"the VAE makes the picture of the interrupted job: {error!r}")
            pictures = None
        if pictures is not None:
            return pictures
        with self._ui.standing_for(self._name, approximation or FULL):
            return original(sample, approximation, *more, **named)

    def _decode(self, sample: Any, decoders: list[str]) -> Any:
        """None where the host is not there, no decoder gives the whole size, or the latent is broken, which the UI is to find out itself."""
        if self._bridge.off_reason is not None or self._bridge.host_pid == 0 or sample.ndim != 4:
            return None
        import torch

        if not torch.isfinite(sample).all():
            return None
        for decoder in decoders:
            pictures = []
            for latent in sample:
                if (picture := self._decode_one(latent[None], decoder)) is None:
                    break
                pictures.append(picture)
            else:
                return torch.stack(pictures).to(sample.device)
        return None

    def _decode_one(self, latent: Any, decoder: str) -> Any:
        import torch

        height, width = (side * self._ui.cell_pixels for side in latent.shape[-2:])
        preview = self._bridge.decode(latent, latent_format=self._ui.latent_format(), decoder=decoder, size=0, batch="first", encoding="rgb24",
                                      lastStepMilliseconds=DECODE_MILLISECONDS, timeout=PATIENCE)
        if (preview.width, preview.height) != (width, height):
            return None
        pixels = torch.frombuffer(bytearray(preview.data), dtype=torch.uint8).reshape(height, width, 3)
        return pixels.movedim(-1, 0).float() / 127.5 - 1
