"""The linear decoder: every cell of a latent becomes one pixel.

    rgb = sum over c of x[c] * factors[c] + bias        in -1..1
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

FORMATS = Path(__file__).resolve().parents[3] / "models" / "formats"


def load(latent_format: str) -> dict[str, Any]:
    """A format's numbers; its first colour map is the one that LatentBridge uses."""
    return json.loads((FORMATS / f"{latent_format}.json").read_text(encoding="utf-8"))


def decode(x0: torch.Tensor, latent_format: str) -> torch.Tensor:
    """``[B,C,H,W]`` in the sampler's scale to ``[B,3,H,W]`` in 0..1 (FLUX.2: twice the side)."""
    numbers = load(latent_format)
    rgb = numbers["rgb"][0]
    x0 = unpack(x0.float(), numbers.get("unpack", 1))
    colours = torch.einsum("bchw,cr->brhw", x0, torch.tensor(rgb["factors"]))
    return ((colours + torch.tensor(rgb["bias"])[:, None, None] + 1) / 2).clamp(0, 1)


def unpack(x0: torch.Tensor, side: int) -> torch.Tensor:
    """Channel ``k side side + py side + px`` is cell ``(py, px)`` of channel ``k``."""
    return torch.nn.functional.pixel_shuffle(x0, side)
