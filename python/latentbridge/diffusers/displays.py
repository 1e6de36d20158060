"""Where a script shows its pictures unless told otherwise: one picture in a notebook that updates in place, one line in a terminal."""

from __future__ import annotations

import base64
import sys
import threading
from typing import Any, Protocol

EVERY_SECONDS = 0.1
"""Pause between two pictures in a notebook: nothing else slows them down, and each is a message that the page has to draw."""


class Display(Protocol):
    def open(self) -> None:
        """Called on the thread of the cell or script."""

    def show(self, frame: Any) -> None:
        """The newest picture, on a thread of the bridge."""

    def close(self) -> None:
        """The newest picture stays."""


def here(pipe: Any) -> Display | None:
    """What this process shows pictures with; None where nobody looks."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is not None and getattr(shell, "kernel", None) is not None:
        return Notebook()
    return Terminal(pipe) if sys.stderr is not None and sys.stderr.isatty() else None


class Notebook:
    """One output of the cell. A thread of its own updates it, at most every ``EVERY_SECONDS``, with the newest picture alone."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._newest: Any = None
        self._is_open = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        from IPython.display import display

        self._handle = display({"text/plain": "LatentBridge: no picture yet"}, raw=True, display_id=True)
        self._is_open = True
        self._thread = threading.Thread(target=self._update, name="latentbridge-display", daemon=True)
        self._thread.start()

    def show(self, frame: Any) -> None:
        with self._changed:
            self._newest = frame
            self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._is_open = False
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(1.0)

    def _update(self) -> None:
        shown = None
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._newest is not shown or not self._is_open)
                frame, is_open = self._newest, self._is_open
            if frame is not shown:
                shown = frame
                self._handle.update({f"image/{frame.encoding}": base64.b64encode(frame.data).decode(), "text/plain": repr(frame)}, raw=True)
            if not is_open:
                return
            with self._changed:
                self._changed.wait_for(lambda: not self._is_open, EVERY_SECONDS)


class Terminal:
    """One line on stderr, written over itself; only the last one where the pipeline draws a progress bar of its own."""

    def __init__(self, pipe: Any) -> None:
        self._has_bar = not (getattr(pipe, "_progress_bar_config", None) or {}).get("disable", False)
        self._line = ""

    def open(self) -> None:
        self._line = ""

    def show(self, frame: Any) -> None:
        preview = frame.preview
        self._line = f"preview {frame.step + 1}/{frame.total or '?'}: {preview.width} x {preview.height}, {preview.decoder}, {preview.milliseconds:.0f} ms"
        if not self._has_bar:
            print(f"\r{self._line}\x1b[K", end="", file=sys.stderr, flush=True)

    def close(self) -> None:
        if self._line:
            print(f"{'' if self._has_bar else chr(13)}{self._line}", file=sys.stderr)
