"""Prints what the VAE of SD1, SD2 and SDXL costs beside TAESD, from the definitions of their layers: parameters, multiply-adds, memory.

    python3 benchmarks/vae_cost.py

The table of docs/quality.md is its output. No weights are needed, so nothing is said about pictures. The layers are those of latent-diffusion's
AutoencoderKL (128 channels, times 1, 2, 4, 4; two blocks of residuals a level, three in the decoder; one attention in the middle) and of TAESD.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Cost:
    """Adds layers up. Sides are those of the layer's output, in cells of the latent's width times ``scale``."""

    cells: int  # of the latent, a side
    parameters: int = 0
    multiply_adds: int = 0
    largest: int = 0  # values of the largest activation, or matrix of attention
    scale: int = 1

    @property
    def area(self) -> int:
        return (self.cells * self.scale) ** 2

    def convolution(self, inputs: int, outputs: int, kernel: int = 3, bias: bool = True) -> None:
        weights = inputs * outputs * kernel * kernel
        self.parameters += weights + (outputs if bias else 0)
        self.multiply_adds += weights * self.area
        self.largest = max(self.largest, max(inputs, outputs) * self.area)

    def norm(self, channels: int) -> None:
        self.parameters += 2 * channels

    def residual(self, inputs: int, outputs: int) -> None:
        self.norm(inputs)
        self.convolution(inputs, outputs)
        self.norm(outputs)
        self.convolution(outputs, outputs)
        if inputs != outputs:
            self.convolution(inputs, outputs, kernel=1)

    def attention(self, channels: int) -> None:
        self.norm(channels)
        for _ in ("query", "key", "value", "out"):
            self.convolution(channels, channels, kernel=1)
        self.multiply_adds += 2 * channels * self.area**2
        self.largest = max(self.largest, self.area**2)

    def middle(self, channels: int) -> None:
        self.residual(channels, channels)
        self.attention(channels)
        self.residual(channels, channels)


def vae_decoder(cells: int, latent: int = 4) -> Cost:
    cost = Cost(cells)
    cost.convolution(latent, latent, kernel=1)  # post_quant_conv
    cost.convolution(latent, 512)
    cost.middle(512)
    channels = 512
    for level, width in enumerate((512, 512, 256, 128)):
        for _ in range(3):
            cost.residual(channels, width)
            channels = width
        if level < 3:
            cost.scale *= 2
            cost.convolution(channels, channels)
    cost.norm(channels)
    cost.convolution(channels, 3)
    return cost


def vae_encoder(cells: int, latent: int = 4) -> Cost:
    cost = Cost(cells, scale=8)
    cost.convolution(3, 128)
    channels = 128
    for level, width in enumerate((128, 256, 512, 512)):
        for _ in range(2):
            cost.residual(channels, width)
            channels = width
        if level < 3:
            cost.scale //= 2
            cost.convolution(channels, channels)
    cost.middle(channels)
    cost.norm(channels)
    cost.convolution(channels, 2 * latent)
    cost.convolution(2 * latent, 2 * latent, kernel=1)  # quant_conv
    return cost


def taesd_decoder(cells: int, latent: int = 4) -> Cost:
    cost = Cost(cells)
    cost.convolution(latent, 64)
    for level in range(4):
        for _ in range(3 if level < 3 else 1):
            for _ in range(3):
                cost.convolution(64, 64)
        if level < 3:
            cost.scale *= 2
            cost.convolution(64, 64, bias=False)
    cost.convolution(64, 3)
    return cost


def taesd_encoder(cells: int, latent: int = 4) -> Cost:
    cost = Cost(cells, scale=8)
    cost.convolution(3, 64)
    for level in range(4):
        for _ in range(1 if level == 0 else 3):
            for _ in range(3):
                cost.convolution(64, 64)
        if level < 3:
            cost.scale //= 2
            cost.convolution(64, 64, bias=False)
    cost.convolution(64, latent)
    return cost


def rows() -> list[str]:
    lines = [
        "| network | parameters | multiply-adds, 512 x 512 | 1024 x 1024 | largest activation in F32, 512 x 512 | 1024 x 1024 |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, network in (("SD VAE, decoder", vae_decoder), ("TAESD, decoder", taesd_decoder), ("SD VAE, encoder", vae_encoder), ("TAESD, encoder", taesd_encoder)):
        small, large = network(64), network(128)
        lines.append(
            f"| {name} | {small.parameters:,} | {small.multiply_adds / 1e9:,.0f} G | {large.multiply_adds / 1e9:,.0f} G "
            f"| {4 * small.largest / 2**20:,.0f} MB | {4 * large.largest / 2**20:,.0f} MB |"
        )
    return lines


if __name__ == "__main__":
    print("\n".join(rows()))
