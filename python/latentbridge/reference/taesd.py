"""The TAESD decoder (taesd, taesdxl, taesd3, taef1, taef2): 8 pixels a cell and side.

Numbers before layers are the weights' names in the file.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from .. import safetensors
from .latent2rgb import unpack


class Clamp(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(x / 3) * 3


class Block(nn.Module):
    """Three convolutions and a way round them. With ``pool``, the picture's own means and variances are added first."""

    def __init__(self, pool: bool = False) -> None:
        super().__init__()
        self.conv = nn.Sequential(conv(64, 64), nn.ReLU(), conv(64, 64), nn.ReLU(), conv(64, 64))
        self.pool = nn.Sequential(nn.Conv2d(64, 256, 1, bias=False), nn.GroupNorm(4, 256), nn.ReLU(),
                                  nn.Conv2d(256, 64, 1, bias=False)) if pool else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.pool is not None:
            x = x + self.pool(x)
        return torch.relu(self.conv(x) + x)


def conv(inputs: int, outputs: int, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias)


def decoder(channels: int, pool: bool = False) -> nn.Sequential:
    """``[B,channels,H,W]`` in the sampler's scale to ``[B,3,8H,8W]``, about 0..1."""
    return nn.Sequential(
        Clamp(), conv(channels, 64), nn.ReLU(),
        Block(pool), Block(pool), Block(pool), nn.Upsample(scale_factor=2), conv(64, 64, bias=False),
        Block(), Block(), Block(), nn.Upsample(scale_factor=2), conv(64, 64, bias=False),
        Block(), Block(), Block(), nn.Upsample(scale_factor=2), conv(64, 64, bias=False),
        Block(), conv(64, 3))


def load(path: str | Path) -> nn.Sequential:
    """The decoder of a ``.safetensors`` or ``.pth`` file."""
    weights = _read(Path(path))
    network = decoder(weights["1.weight"].shape[1], "3.pool.0.weight" in weights)
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False)


def decode(x0: torch.Tensor, network: nn.Sequential) -> torch.Tensor:
    """``[B,C,H,W]`` to ``[B,3,8H,8W]`` in 0..1; a packed latent (FLUX.2) is unpacked first."""
    channels = network[1].in_channels
    side = round((x0.shape[1] / channels) ** 0.5)
    return network(unpack(x0.float(), side)).clamp(0, 1)


def _read(path: Path) -> dict[str, torch.Tensor]:
    if path.suffix != ".safetensors":
        found = torch.load(path, map_location="cpu", weights_only=True)
        return {name: tensor.float() for name, tensor in found.items()}
    types = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
    return {name: torch.frombuffer(bytearray(raw.data), dtype=types[raw.element_type]).reshape(raw.axes).float()
            for name, raw in safetensors.read(path)[1].items()}
