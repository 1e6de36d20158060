"""Which axis of a latent is which: the bridge leaves items and frames out before it copies, so it has to know.

The rules are those of the host (``src/LatentBridge/Formats/LatentAxes.cs``): the orders of the latent's rank are tried one after the
other, and the first that has the format's channels where C stands is taken. ``tests/Vectors/axes.json`` is read by the tests of both.
"""

from __future__ import annotations

import functools
import math

FORMATS = {
    "ACEAudio": (8, 2), "ACEAudio15": (64, 1), "ChromaRadiance": (3, 2), "CogVideoX": (16, 3), "CogVideoX1_5": (16, 3),
    "Cosmos1CV8x8x8": (16, 3), "Flux": (16, 2), "Flux2": (128, 2), "HiDreamO1Pixel": (3, 2), "Hunyuan3Dv2": (64, 1),
    "Hunyuan3Dv2_1": (64, 1), "Hunyuan3Dv2_1Paint": (4, 3), "Hunyuan3Dv2mini": (64, 1), "HunyuanImage21": (64, 2),
    "HunyuanImage21Refiner": (64, 3), "HunyuanVideo": (16, 3), "HunyuanVideo15": (32, 3), "LTXAV": (128, 3), "LTXV": (128, 3),
    "LatentFormat": (4, 2), "MingImage": (16, 3), "MiniMaxH3AV": (24, 3), "MiniMaxH3Video": (24, 3), "MiniMaxMusic3": (128, 1),
    "Mochi": (12, 3), "PixelDiTPixel": (3, 2), "QwenImage21": (64, 2), "SC_B": (4, 2), "SC_Prior": (16, 2), "SD15": (4, 2),
    "SD3": (16, 2), "SDXL": (4, 2), "SDXL_Playground_2_5": (4, 2), "SD_X4": (4, 2), "SeedVR2": (16, 3), "StableAudio1": (64, 1),
    "StableAudio3": (256, 1), "Trellis2": (32, 2), "Trellis2SLAT": (32, 2), "Trellis2ShapeSLAT": (32, 2), "Trellis2TexSLAT": (32, 2),
    "TripoSplat": (16, 2), "Wan21": (16, 3), "Wan22": (48, 3), "YuE2": (64, 1), "ZImagePixelSpace": (3, 2),
}
"""Channels and dimensions of each format, from ``models/formats``."""

_UNPACKED = {"Flux2": 32}
_PACKED_BY_TOKENS = 4  # values of 2 x 2 cells in a token
_ORDERS = {
    1: {2: ("CW", "WC"), 3: ("BCW", "BWC"), 4: ("BBCW",)},
    2: {2: ("NC",), 3: ("CHW", "BNC", "HWC"), 4: ("BCHW", "CTHW", "BHWC"), 5: ("BCTHW", "BBCHW", "BBHWC")},
    3: {2: ("NC",), 3: ("CHW", "BNC", "HWC"), 4: ("BCHW", "CTHW", "BHWC"), 5: ("BCTHW", "BTCHW", "BTHWC")},
}
_USUAL = {2: "CW", 3: "CHW", 4: "BCHW", 5: "BCTHW"}
_IDS = {name.lower(): name for name in FORMATS}
_PICTURES = {3, 4, 16, 64, 128}
_VIDEOS = {12, 16, 24, 32, 48, 64, 128}
_SMALLEST_SIDE, _LARGE_SIDE = 5, 24


@functools.lru_cache(256)
def order(axes: tuple[int, ...], latent_format: str | None = None) -> str:
    """One letter an axis: B batch, C channels, T frames, H height, W width, N tokens. The usual order where nothing fits."""
    if latent_format is None:
        return _guess(axes)
    if (name := _IDS.get(latent_format.lower())) is None:
        return _usual(len(axes))
    channels, dimensions = FORMATS[name]
    fitting = [letters for letters in _orders(dimensions, len(axes)) if _fits(axes, letters, name, channels)]
    if not fitting:
        return _usual(len(axes))
    if dimensions == 3 and fitting[:2] == ["BCHW", "CTHW"]:
        return "CTHW"  # as many items as channels: a clip without its batch is the usual one
    return fitting[0]


def _orders(dimensions: int, rank: int) -> list[str]:
    orders = _ORDERS[dimensions]
    most = min(rank, max(orders))
    return ["B" * (rank - most) + letters for letters in orders.get(most, ())]


def _usual(rank: int) -> str:
    most = min(rank, max(_USUAL))
    return "B" * (rank - most) + _USUAL[most]


def _fits(axes: tuple[int, ...], letters: str, name: str, channels: int) -> bool:
    found = axes[letters.index("C")]
    if "N" not in letters:
        return found == channels or found == _UNPACKED.get(name, channels)
    square = math.isqrt(count := axes[letters.index("N")]) ** 2 == count
    return square and (found == channels if name in _UNPACKED else found == _PACKED_BY_TOKENS * channels and channels != 3)


def _guess(axes: tuple[int, ...]) -> str:
    """As the host guesses a format: where the usual order has a known number of channels, that one."""
    rank = len(axes)
    if rank == 5 and not _is_known(axes[1]):
        if _is_odd(axes, "BTCHW"):
            return "BTCHW"
        if _is_last(axes[4], axes[2], axes[3]):
            return "BTHWC"
    elif rank == 4:
        last = _is_last(axes[3], axes[1], axes[2])
        if last and min(axes[2], axes[3]) < _SMALLEST_SIDE:
            return "BHWC"
        if not (_is_known(axes[1]) or (axes[1] == 8 and axes[2] == 16)):
            return "CTHW" if _is_odd(axes, "CTHW") else "BHWC" if last else "BCHW"
    return _usual(rank)


def _is_odd(axes: tuple[int, ...], letters: str) -> bool:
    """A clip in an unusual order; of red, green and blue it could be frames as well."""
    channels = axes[letters.index("C")]
    return (channels != 3 and _is_known(channels)
            and min(axes[letters.index("H")], axes[letters.index("W")]) >= _SMALLEST_SIDE)


def _is_last(channels: int, height: int, width: int) -> bool:
    """Channels behind height and width; many of them could be a width as well."""
    return min(height, width) >= {3: _SMALLEST_SIDE, 4: _SMALLEST_SIDE, 16: _LARGE_SIDE}.get(channels, math.inf)


def _is_known(channels: int) -> bool:
    return channels in _PICTURES or channels in _VIDEOS
