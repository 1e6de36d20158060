"""One picture for a server's thread that asks for one, in UIs that decode when a browser asks and not at each step."""

from __future__ import annotations

from typing import Any

from ..client import Bridge, BridgeError
from ..formats import misfit, numbers
from ..say_once import SayOnce
from .ready_image import pixels

PATIENCE = 2.0
"""Seconds until the UI's own preview is shown instead."""


class AskedPicture:
    """Decodes one latent at a time. The first request starts the host and does not wait for it."""

    def __init__(self, bridge: Bridge | None = None) -> None:
        self.bridge = bridge or Bridge()
        self.say = SayOnce()

    def make(self, latent: Any, latent_format: str | None, **options: Any) -> Any:
        """The PIL image of a latent ``[B,C,H,W]`` or ``[B,C,T,H,W]``; None where the UI's own preview is to be shown. Never raises."""
        try:
            if latent_format is None or misfit(latent.shape, latent_format) is not None:
                return None
            if self.bridge.host_pid == 0:
                self.bridge.start()
                return None
            return pixels(self.bridge.decode(latent.detach(), latent_format=latent_format, encoding="rgb24", timeout=PATIENCE, **options))
        except BridgeError as error:
            self.say(f"the UI's own preview is shown: {error}")
        except Exception as error:
            self.say(f"a preview was left out, the UI's own is shown: {error!r}")
        return None


def as_format(latent: Any, latent_format: str | None) -> Any:
    """A latent ``[C,H,W]`` with the axes of its format."""
    import torch

    if latent_format == "Flux2" and latent.shape[0] == 32:
        latent = torch.nn.functional.pixel_unshuffle(latent, 2)  # the UI keeps the four cells of a token apart
    return latent[None, :, None] if numbers(latent_format).get("dimensions") == 3 else latent[None]
