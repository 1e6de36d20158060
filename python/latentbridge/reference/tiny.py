"""LatentBridge's own tiny decoder: 4 pixels a cell and side. The maths is in ``models/tiny/README.md``."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from .taesd import conv
from .weights import read


class Tiny(nn.Module):
    """``[B,channels,H,W]`` in the sampler's scale to ``[B,3,4H,4W]``, about 0..1."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_in = conv(channels, 64)
        self.blocks = nn.ModuleList(nn.ModuleList([conv(64, 64), conv(64, 64)]) for _ in range(4))
        self.conv_out = conv(64, 48)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.relu(self.conv_in(torch.tanh(x / 3) * 3))
        for first, second in self.blocks:
            h = torch.relu(h + second(torch.relu(first(h))))
        return functional.pixel_shuffle(self.conv_out(h), 4) + 0.5


def load(path: str) -> Tiny:
    weights = {name: torch.from_numpy(values) for name, values in read(path).items()}
    network = Tiny(weights["conv_in.weight"].shape[1])
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False)
