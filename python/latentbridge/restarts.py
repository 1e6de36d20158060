"""The rules after a host died: how long to wait for the next one, and which decoders it leaves out. No clock, no thread, no process."""

from __future__ import annotations

from collections import deque

MAXIMUM_PAUSE = 300.0
"""Seconds between two tries, at most. There is no last try: whatever was wrong may pass."""

BUSY_WINDOW = 60.0
BUSY_DEATHS = 20
"""More deaths than this within ``BUSY_WINDOW`` seconds slow the restarts down, even where each host showed a picture."""

DECODER_WINDOW = 600.0
DECODER_DEATHS = 2
"""A decoder that was being loaded at so many deaths within ``DECODER_WINDOW`` seconds is left out."""

Decoder = tuple[str, "str | None"]
"""A decoder's id and its file, as the host named them in ``loading``."""


class Restarts:
    """Counts failures. ``failures`` are those in a row without a picture in between; ``avoided`` are the decoders to leave out."""

    def __init__(self, back_off: float, attempts: int) -> None:
        self._back_off, self._attempts = back_off, attempts
        self.failures = 0
        self.avoided: list[Decoder] = []
        self._deaths: deque[float] = deque(maxlen=BUSY_DEATHS + 12)
        self._loading: list[tuple[float, Decoder]] = []

    @property
    def is_down(self) -> bool:
        """So many failures in a row that the UI's own previews should take over meanwhile."""
        return self.failures >= self._attempts

    def failed(self, now: float, had_shown: bool, loading: Decoder | None) -> float:
        """A host failed at ``now`` (seconds); the pause in seconds before the next.

        ``had_shown``: it had shown a picture. ``loading``: the decoder it named last, unless that has made a picture.
        """
        self.failures = 1 if had_shown else self.failures + 1
        self._deaths.append(now)
        if loading is not None:
            self._blame(now, loading)
        if not had_shown:
            return self._doubled(self.failures - 1)
        busy = sum(now - death < BUSY_WINDOW for death in self._deaths) - BUSY_DEATHS
        return self._doubled(busy - 1) if busy > 0 else 0.0

    def refused(self) -> float:
        """There is no host, or it will not work with this shim; the pause in seconds before it is asked again."""
        self.failures = max(self.failures, self._attempts)
        return MAXIMUM_PAUSE

    def _blame(self, now: float, loading: Decoder) -> None:
        self._loading = [(then, decoder) for then, decoder in self._loading if now - then < DECODER_WINDOW]
        self._loading.append((now, loading))
        if loading not in self.avoided and sum(decoder == loading for _, decoder in self._loading) >= DECODER_DEATHS:
            self.avoided.append(loading)

    def _doubled(self, times: int) -> float:
        return min(self._back_off * 2 ** min(times, 30), MAXIMUM_PAUSE)
