"""stable-diffusion-webui's Approx NN: 2 pixels a cell and side. Numbers are framed with zeros once; the convolutions eat the frame."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from .weights import read

KERNELS = (7, 5, 3, 3, 3, 3, 3, 3)
WIDTHS = (8, 16, 32, 64, 32, 16, 8, 3)


class ApproxNn(nn.Module):
    """``[B,channels,H,W]`` in the sampler's scale to ``[B,3,2H,2W]``, 0..1 before clamping."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        for number, (kernel, inputs, outputs) in enumerate(zip(KERNELS, (channels, *WIDTHS), WIDTHS), start=1):
            self.add_module(f"conv{number}", nn.Conv2d(inputs, outputs, kernel))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.pad(functional.interpolate(x, scale_factor=2), (11, 11, 11, 11))
        for convolution in self.children():
            x = functional.leaky_relu(convolution(x), 0.1)
        return (x + 1) / 2


def load(path: str) -> ApproxNn:
    weights = {name: torch.from_numpy(values) for name, values in read(path).items()}
    network = ApproxNn(weights["conv1.weight"].shape[1])
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False)
