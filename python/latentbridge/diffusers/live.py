"""What somebody has of a pipeline that is watched: its pictures as they come, the latents they came from, and a way to stop it."""

from __future__ import annotations

import functools
import io
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from subprocess import DEVNULL, PIPE, run
from typing import Any

from .. import history, host_locator
from ..options import check as check_options
from ..preview import Preview
from . import displays, hub
from .denoised import NoPreview, rule
from .watch import Watch

LAST_SECONDS = 0.5
"""How long the end of a ``with`` waits for the picture of the last step. The pipeline is done by then."""

START_SECONDS = 1.0
"""How long the beginning of a ``with`` waits for the host, which the first preview of a process starts. Later steps do not wait for it."""


class Cancelled(BaseException):
    """Ends a pipeline at its next step. No ``Exception``: no pipeline catches it."""


class Frame:
    """One step's picture. ``data`` is a finished file in ``encoding``; ``image`` decodes it with Pillow when it is asked for. ``alarm`` is empty unless
    the run goes wrong: ``nan``, ``flat``, ``exploding``, ``still`` or ``motionless`` (docs/warnings.md).

    ``output`` is None but for the last frame of ``stream``: there it is what the pipeline returned, and ``image`` its first picture.
    """

    def __init__(self, preview: Preview, output: Any = None) -> None:
        self.preview, self.output = preview, output
        self.data, self.encoding = preview.data, preview.encoding
        self.step, self.total, self.alarm = preview.step, preview.total, preview.alarm

    @functools.cached_property
    def image(self) -> Any:
        """A PIL image."""
        from PIL import Image

        return Image.open(io.BytesIO(self.data))

    def __repr__(self) -> str:
        preview = self.preview
        return f"<Frame: step {self.step + 1} of {self.total or '?'}, {preview.width} x {preview.height}, {preview.decoder}>"

    def _repr_png_(self) -> bytes | None:
        return self.data if self.encoding == "png" else None

    def _repr_jpeg_(self) -> bytes | None:
        return self.data if self.encoding == "jpeg" else None


class Live:
    """Made by ``preview``; a context manager, and a ``callback_on_step_end``."""

    def __init__(self, pipe: Any = None, *, on_frame: Callable[[Frame], None] | None = None, display: bool = True, **options: Any) -> None:
        self._pipe, self._on_frame, self._is_callback = pipe, on_frame, pipe is None
        self._display = displays.here(pipe) if display else None
        self._options = check_options({"encoding": "jpeg" if isinstance(self._display, displays.Notebook) else "png", **options})
        self._place = hub.Place(self._arrived)
        self._watch: Watch | None = None
        self._run = -1
        self._last = (-1, 0)  # the newest step that was sent, and the total
        self._cancelled = False
        self._unanswered = 0  # steps since the pipeline called back
        self._said: set[str] = set()
        self.steps: list[Frame] = []
        if pipe is not None:
            rule_of(pipe)

    # --- for its owner -----------------------------------------------------------------------------------------------

    @property
    def latest(self) -> Frame | None:
        """The newest picture; None before the first."""
        return self.steps[-1] if self.steps else None

    @property
    def cancelled(self) -> bool:
        """Whether ``cancel`` was called."""
        return self._cancelled

    @property
    def trouble(self) -> str | None:
        """Why there are no pictures, and what helps; None when all is well."""
        return self._place.bridge.off_reason or next(iter(self._said), None)

    def cancel(self) -> None:
        """Ends the pipeline at its next step, from any thread: the ``with`` ends as if the pipeline had, without its picture."""
        self._cancelled = True

    def save(self, path: str | os.PathLike[str], *, decoder: str = "auto", size: int = 0, milliseconds: int = 200) -> Path:
        """Writes the newest run: ``.safetensors`` keeps its latents, ``.apng``, ``.png`` or ``.gif`` is a film of every step, decoded anew by the best decoder.

        ``size`` is the longest side in pixels, ``milliseconds`` how long each step stays. Waits until it is done.
        """
        path = Path(path)
        kept = self._place.history.run(self._run, self._place.stream)
        if kept is None or not kept.steps:
            raise ValueError(f"there is nothing to save: no step was seen{f' ({self.trouble})' if self.trouble else ''}")
        if path.suffix.lower() == ".safetensors":
            history.save(kept, os.fspath(path))
            return path
        kinds = {".apng": "apng", ".png": "apng", ".gif": "gif"}
        if (kind := kinds.get(path.suffix.lower())) is None:
            raise ValueError(f"the file ends in {path.suffix!r}; expected one of .apng, .png, .gif, .safetensors")
        with tempfile.TemporaryDirectory() as folder:
            recording = os.path.join(folder, "run.safetensors")
            history.save(kept, recording)
            command = [*(host_locator.find() or ["latentbridge"]), "replay", recording, "-o", folder, "--animate", kind, "--decoder", decoder,
                       "--size", str(size), "--milliseconds", str(milliseconds)]
            done = run(command, env=host_locator.environment(), stdin=DEVNULL, stdout=PIPE, stderr=PIPE, text=True, check=False)
            films = list(Path(folder).glob(f"*.{kind}"))
            if done.returncode or len(films) != 1:
                raise RuntimeError(f"the film was not made (exit code {done.returncode}): {done.stderr.strip() or done.stdout.strip()}")
            path.write_bytes(films[0].read_bytes())
        return path

    def close(self) -> None:
        """Stops watching. What was seen stays."""
        watch, self._watch = self._watch, None
        if watch is None:
            return
        watch.remove()
        step, total = self._last
        if step + 1 >= total and not self._cancelled:
            self._place.bridge.wait(run=self._run, step=step, stream=self._place.stream, timeout=LAST_SECONDS)
        self._place.bridge.end(run=self._run, stream=self._place.stream)
        if self._display is not None:
            self._display.close()
        if watch.steps == 0 and watch.pipe.scheduler is not watch.scheduler:
            self.said(f"the pipeline's scheduler was replaced by a {type(watch.pipe.scheduler).__name__} after preview() had looked; call preview() after that")

    def __enter__(self) -> Live:
        pipe, self._pipe = self._pipe, None
        if pipe is None:
            raise TypeError("a with statement takes preview(pipe), each once; preview() without a pipeline is a callback")
        self._open(pipe, patience=START_SECONDS)
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        pipe = self._watch.pipe if self._watch is not None else None
        self.close()
        if not isinstance(error, Cancelled):
            return False
        free = getattr(pipe, "maybe_free_model_hooks", None)  # what the pipeline does at its own end
        if free is not None:
            free()
        return True

    def __call__(self, pipe: Any, step: int, timestep: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
        """As ``callback_on_step_end``. The first call comes after the first step, so previews begin with the second."""
        self._unanswered = 0
        if self._watch is None:
            self._open(pipe, watched_from=step + 1)
        if step + 1 >= (getattr(pipe, "num_timesteps", None) or 1 << 62):
            self.close()
        return kwargs

    # --- what the watch tells (the pipeline's thread) ----------------------------------------------------------------

    def stop_here(self) -> None:
        if self._cancelled:
            raise Cancelled("cancelled by live.cancel()")

    def options(self) -> dict[str, Any]:
        return self._options

    def begin(self, latent_format: str | None) -> None:
        bridge, stream = self._place.bridge, self._place.stream
        self._run += 1
        self._last = (-1, 0)
        self.steps = []
        self._place.history.describe(self._run, stream, latent_format=latent_format)
        bridge.begin(run=self._run, stream=stream, latent_format=latent_format, **self._options)

    def show(self, x0: Any, step: int, total: int) -> None:
        self._last = (step, total)
        self._place.bridge.submit(x0, run=self._run, step=step, total=total, stream=self._place.stream)
        if self._is_callback:
            self._unanswered += 1
            if self._unanswered > 1:  # the pipeline runs without this callback now
                self.close()

    def said(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            hub.log.warning("LatentBridge: no previews: %s", text)

    # --- the bridge's thread -----------------------------------------------------------------------------------------

    def _arrived(self, preview: Preview) -> None:
        if preview.run != self._run:
            return
        frame = Frame(preview)
        self.steps.append(frame)
        if self._display is not None:
            self._display.show(frame)
        if self._on_frame is not None:
            self._on_frame(frame)

    def _open(self, pipe: Any, watched_from: int = 0, patience: float = 0.0) -> None:
        if self._watch is not None:
            raise RuntimeError("this preview is open already; make another one")
        self._cancelled = False
        self._unanswered = 0
        self._watch = Watch(pipe, self, watched_from)
        self._place.bridge.start(patience)
        if self._display is not None:
            self._display.open()


def rule_of(pipe: Any) -> None:
    """Says at once what is no pipeline, or has nothing to show."""
    scheduler = getattr(pipe, "scheduler", None)
    if scheduler is None:
        raise TypeError(f"{type(pipe).__name__} has no scheduler; expected a diffusers pipeline")
    try:
        rule(scheduler)
    except NoPreview as reason:
        hub.log.warning("LatentBridge: no previews: %s", reason)


def preview(pipe: Any = None, *, on_frame: Callable[[Frame], None] | None = None, display: bool = True, **options: Any) -> Live:
    """Watches a diffusers pipeline: ``with preview(pipe) as live: pipe(...)``, or ``pipe(..., callback_on_step_end=preview())``.

    ``on_frame`` is called with each ``Frame`` on a thread of the bridge. ``display=False`` shows nothing in a notebook or terminal.
    ``options`` are preview options: ``decoder``, ``size``, ``batch``, ``item``, ``frame``, ``encoding``...
    """
    return Live(pipe, on_frame=on_frame, display=display, **options)
