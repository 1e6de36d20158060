"""One sampling of one job."""

from __future__ import annotations

import math
import time
from typing import Any

from ..film import Film


class Sampling:
    """What the bridge calls a run. ``maker`` makes its previews: the bridge or the last resort."""

    def __init__(self, maker: Any, number: int, place: tuple[Any, ...], settings: tuple[Any, ...], batch: str, count: int, pause: int, format: str,
                 is_rearranged: bool, film: Film | None = None) -> None:
        self.maker, self.number, self.place, self.settings = maker, number, place, settings
        self.settled_until = 0.0
        self.batch, self.count, self.pause = batch, count, pause
        self.format, self.is_rearranged = format, is_rearranged
        self.film, self.film_shown_at = film, -math.inf
        self.started = time.monotonic()
        self.submitted_at = -math.inf
        self.is_shown = False
        self.is_stopped = False  # by us, because it went wrong
        self._turn = 0

    def has_paused(self) -> bool:
        """Whether the setting "At most every n milliseconds" lets another picture through."""
        return self.pause == 0 or (time.monotonic() - self.submitted_at) * 1000 >= self.pause

    def choose(self, latent: Any) -> Any:
        """With "turn": the picture to send, another one at each step. Otherwise the bridge takes what it needs."""
        if self.count < 2:
            return latent
        self._turn += 1
        return latent[(self._turn - 1) % self.count:][:1]
