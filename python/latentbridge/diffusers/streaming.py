"""A pipeline as a generator of its pictures, for Gradio, FastAPI and Streamlit."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Any

from ..preview import Preview
from .live import Frame, Live


def stream(pipe: Any, *arguments: Any, preview_options: dict[str, Any] | None = None, **named: Any) -> Iterator[Frame]:
    """Runs ``pipe(*arguments, **named)`` in a thread and yields its pictures; one that is not taken in time gives way to a newer one.

    The last frame has the pipeline's own picture and, as ``output``, all that it returned. ``close()``, as a ``break`` does it, ends the pipeline at its
    next step. What the pipeline raises comes out of the generator. Nothing runs before the first frame is asked for.
    """
    changed = threading.Condition()
    newest: deque[Frame] = deque(maxlen=1)
    ended: list[Any] = []  # the result, or what was raised

    def arrived(frame: Frame) -> None:
        with changed:
            newest.append(frame)
            changed.notify()

    live = Live(pipe, on_frame=arrived, display=False, **(preview_options or {}))

    def work() -> None:
        try:
            with live:
                ended.append(pipe(*arguments, **named))
        except BaseException as error:
            ended.append(error)
        finally:
            with changed:
                changed.notify()

    thread = threading.Thread(target=work, name="latentbridge-stream", daemon=True)
    thread.start()
    try:
        while True:
            with changed:
                changed.wait_for(lambda: newest or not thread.is_alive() or ended)
                frame = newest.popleft() if newest else None
            if frame is not None:
                yield frame
            elif ended or not thread.is_alive():
                break
        thread.join()
        if ended and isinstance(ended[0], BaseException):
            raise ended[0]
        if ended:
            yield _final(live, ended[0])
    finally:
        live.cancel()
        thread.join()


def _final(live: Live, output: Any) -> Frame:
    """The pipeline's own picture, in a frame like the others."""
    images = getattr(output, "images", None)
    if images is None:
        frames = getattr(output, "frames", None)
        images = frames[0] if frames is not None and len(frames) else None
    image = images[0] if images is not None and len(images) else None
    last = live.latest.preview if live.latest is not None else None
    total = last.total if last is not None else 0
    width, height = image.size if hasattr(image, "save") else (0, 0)
    frame = Frame(Preview(b"", "none", width, height, 0, 0, max(total - 1, 0), total, 0, "pipeline", 0.0), output)
    frame.image = image
    return frame
