"""One line in the log for each kind of trouble, however often it comes."""

from __future__ import annotations

import logging

log = logging.getLogger("latentbridge")

MOST = 50


class SayOnce:
    """Logs a text as a warning the first time. Beyond ``MOST`` different texts it is silent, so that no fault fills a log."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def __call__(self, text: str) -> None:
        if text not in self._said and len(self._said) < MOST:
            self._said.add(text)
            log.warning("LatentBridge: %s", text)

    def forget(self) -> None:
        """Everything may be said again."""
        self._said.clear()
