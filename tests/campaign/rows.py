"""What a part of the campaign reports: one row for each promise."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from typing import NamedTuple

KEPT, BROKEN, SHORT, SKIPPED = "kept", "**broken**", "kept, cut short", "skipped"


class Row(NamedTuple):
    """One promise: which part tried it, what was done, what was measured, and whether it held."""

    part: str
    what: str
    measured: str
    verdict: str


class Clock:
    """A share of the campaign's time."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self._end

    @property
    def left(self) -> float:
        return max(0.0, self._end - time.monotonic())


def verdict(kept: bool, done: int, asked: int) -> str:
    """Broken, kept, or kept as far as the time went."""
    return BROKEN if not kept else KEPT if done >= asked else SHORT


def timed(kept: bool, done: int, asked: int) -> str:
    """The verdict of a row with times in it. A machine that has other things to do breaks no promise."""
    if not kept and (load := os.getloadavg()[0]) > (os.cpu_count() or 1):
        return f"machine busy (load {load:.1f})"
    return verdict(kept, done, asked)


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all values does not exceed; NaN of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Least squares: how much y rises for each unit of x."""
    count = len(points)
    if count < 2:
        return 0.0
    mean_x, mean_y = (sum(axis) / count for axis in zip(*points))
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
