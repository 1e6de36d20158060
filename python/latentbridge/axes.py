"""Which axis of a latent is which: the bridge leaves items and frames out before it copies, so it has to know.

The rules are those of the host (``src/LatentBridge/Formats/LatentAxes.cs``): the orders of the latent's rank are tried one after the
other, and the first that has the format's channels where C stands is taken. ``tests/Vectors/axes.json`` is read by the tests of both.
"""

from __future__ import annotations

import functools
import math

from . import formats

_UNPACKED = {"Flux2": 32}
_PACKED_BY_TOKENS = 4  # values of 2 x 2 cells in a token
_ORDERS = {
    1: {2: ("CW", "WC"), 3: ("BCW", "BWC"), 4: ("BBCW",)},
    2: {2: ("NC",), 3: ("CHW", "BNC", "HWC"), 4: ("BCHW", "CTHW", "BHWC"), 5: ("BCTHW", "BBCHW", "BBHWC")},
    3: {2: ("NC",), 3: ("CHW", "BNC", "HWC"), 4: ("BCHW", "CTHW", "BHWC"), 5: ("BCTHW", "BTCHW", "BTHWC")},
}
_USUAL = {2: "CW", 3: "CHW", 4: "BCHW", 5: "BCTHW"}
_PICTURES = {3, 4, 16, 64, 128}
_VIDEOS = {12, 16, 24, 32, 48, 64, 128}
_SMALLEST_SIDE, _LARGE_SIDE = 5, 24


@functools.lru_cache(256)
def order(axes: tuple[int, ...], latent_format: str | None = None) -> str:
    """One letter an axis: B batch, C channels, T frames, H height, W width, N tokens. The usual order where nothing fits."""
    if latent_format is None:
        return _guess(axes)
    name = latent_format if formats.numbers(latent_format) else next((known for known in formats.ids() if known.lower() == latent_format.lower()), None)
    if name is None:
        return _usual(len(axes))
    channels, dimensions = formats.channels(name), formats.numbers(name)["dimensions"]
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
        return found == channels or found == _UNPACKED.get(name, channels) or (
            found == _PACKED_BY_TOKENS * channels and letters == "BHWC" and name not in _UNPACKED and channels != 3)
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
