"""TAESD in diffusers: its ``AutoencoderTiny`` with the weights of a TAESD file. Not for taef2, whose group norm diffusers does not have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from . import weights


def load(path: str | Path) -> Callable[[torch.Tensor], torch.Tensor]:
    """The decoder of a file: ``[B,C,H,W]`` in the sampler's scale to ``[B,3,8H,8W]``, about 0..1."""
    from diffusers import AutoencoderTiny

    found = {name: torch.from_numpy(values.copy()) for name, values in weights.read(path).items()}
    if "3.pool.0.weight" in found:
        raise LookupError("AutoencoderTiny has no group norm, which these weights (taef2) want")
    network = AutoencoderTiny(latent_channels=found["1.weight"].shape[1])
    # Its layers begin behind the clamp: our 1 is its layers.0.
    network.decoder.load_state_dict({f"layers.{int(number) - 1}.{rest}": values for name, values in found.items() for number, _, rest in [name.partition(".")]})
    network.eval()
    return lambda x0: network.decode(x0).sample / 2 + 0.5
