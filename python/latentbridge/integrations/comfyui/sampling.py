"""One sampling of one node, from the latent in core's callback to the picture in the outbox."""

from __future__ import annotations

import logging
import threading
import time
from functools import partial
from typing import Any

from comfy import model_management
from comfy_execution.progress import ProgressHandler, add_progress_handler

from ... import formats
from ...preview import Preview
from .delivery import Destination, Frame
from .moving import MovingPicture
from .settings import TABLE, Settings

log = logging.getLogger("latentbridge")

LAST_STEP_SECONDS = 0.05
LAST_STEP_SHARE = 0.01
"""Of the time that the sampling took so far, where that is longer: nobody misses it."""
LAST_STEP_SECONDS_AT_MOST = 0.5


class Sampling:
    """Runs on two threads: ``arrived`` on the bridge's, everything else on the sampler's.

    The last step's picture goes the stock way: the sampler's thread waits for it, once and not for long (``_patience``), and
    hands it to core. A later one is shown too if its node still runs; otherwise the page keeps the last picture it got.
    """

    def __init__(self, pack: Any, latent_format: Any, wish: Any) -> None:
        self._pack = pack
        self._bridge = pack.bridge  # or the last resort; another one once that works, or the settings name another host
        self._wish = wish
        self._latent_format, self._format = latent_format, format_id(latent_format)
        self._model: str | None = None
        self._of_page: Settings | None = None
        self._settings: Settings | None = None
        self._is_steady = False  # every step is due, the whole latent
        self._destination: Destination | None = None
        self._shown_at = 0.0
        self._began_at = 0.0  # when the first latent came
        self._is_shown = False  # since the last step, by us
        self._is_told = False  # that there is no host
        self._turn = 0
        self._awaited = -1  # the step that the sampler's thread waits for
        self._latest: Frame | None = None
        self._wrong: str | None = None  # a sentence: what is wrong with the run
        self._encoded = threading.Condition()
        self._moving: MovingPicture | None = None  # of the run, once its first picture came
        self._video_helper_rate = 0.0  # where VideoHelperSuite would show the clip: how fast
        self.run = -1

    def plays(self, rate: float) -> bool:
        """Whether the moving picture is ours to show through VideoHelperSuite's widget, at so many pictures a second."""
        shows = self.takes() and self._bridge is self._pack.bridge and self._settings.clip and self._destination.client is not None and formats.is_causal_video(self._format)
        self._video_helper_rate = rate if shows else 0.0
        return shows

    def takes(self) -> bool:
        """Whether LatentBridge shows this sampling now; otherwise ComfyUI's own previewer does."""
        if self._pack.settings is not self._of_page or self._bridge is not self._pack.maker(self._format):
            self._adopt(self._pack.settings)
        takes = self._settings.enabled and self._bridge.off_reason is None
        if self._is_shown and not takes and self._destination.with_metadata:
            self._destination.server.send_sync(*self._destination.caption(None))  # what is shown from here on is core's
        self._is_shown = takes
        return takes

    def lacks_a_host(self) -> bool:
        """Whether LatentBridge would show this sampling if it could; says so beside the picture that stands in."""
        lacks = self._settings.enabled and self._bridge.off_reason is not None and not self._wish.is_quiet
        if lacks and not self._is_told:
            self._is_told = True
            destination = self._destination or Destination.here()
            if destination.with_metadata and self._settings.caption:
                destination.server.send_sync(*destination.caption({"decoder": "latent2rgb", "note": "by ComfyUI: LatentBridge has no host, see its settings"}))
        return lacks

    def waits_for(self, step: int, total: int) -> bool:
        """Whether this is the last step, whose picture the sampler waits for. Steps beyond the total are not."""
        return self._awaited < 0 and 0 < total <= step + 1 and not self._video_helper_rate

    def send(self, x0: Any, step: int, total: int) -> None:
        """Sends a step's latent on its way, if it is due and somebody watches."""
        try:
            if self._wrong is not None:
                self._interrupt(step)
            if self._settings.record:
                self._record(x0)
            if self._is_steady or self._is_due(step):
                self._submit(x0, step, total)
        except Exception as error:
            self.refuse(error)

    def send_and_wait(self, x0: Any, step: int, total: int) -> tuple[str, Frame, None] | None:
        """The same for the last step, due or not: the finished picture if it is there in time, else None."""
        self._awaited = step
        if self._settings.record:
            self._record(x0)
        if self._settings.calibrate:
            self._pack.teacher.ended(x0, self._latent_format, self._format, self._model)
        return self._await(step) if self._submit(x0, step, total) else None

    def refuse(self, error: Exception) -> None:
        self._pack.say(f"a preview was left to ComfyUI: {error!r}")

    def arrived(self, preview: Preview) -> None:
        """A picture came. Called on the bridge's thread."""
        self._wrong = preview.warnings[0] if preview.alarm and preview.warnings else None
        if self._video_helper_rate:
            return  # its page takes every picture for one of the clip
        frame = Frame.of(preview, self._settings.caption)
        with self._encoded:
            self._latest = frame
            self._encoded.notify_all()
        if not 0 <= self._awaited <= preview.step:
            self._pack.outbox.put(frame, self._destination)

    def clip_arrived(self, preview: Preview) -> None:
        """A picture of the moving picture came. Called on the bridge's thread."""
        if self._moving is None or self._moving.run != preview.run:
            self._moving = MovingPicture(preview.run, self._destination, self._video_helper_rate)
        self._moving.put(preview)

    def end(self) -> None:
        self._pack.recorder.end()
        self._bridge.end(run=self.run)

    def _adopt(self, settings: Settings) -> None:
        """The first step, or the first with new settings: the bridge counts it as a run of its own."""
        self._bridge = self._pack.maker(self._format)
        self._settings = mine = settings.changed(self._wish.settings)
        self._is_steady = (mine.every_steps, mine.every_milliseconds) == (1, 0)
        if mine.enabled and self._bridge.off_reason is None:
            self._begin(mine)
        self._of_page = settings

    def _begin(self, settings: Settings) -> None:
        if self._destination is None:
            here = Destination.here()
            self._destination = here.nobody() if self._wish.is_quiet else here
            self._model = self._destination.model()
            add_progress_handler(NodeEnd(self._pack, self._destination.node_id))
        self._awaited = -1
        self._latest = None
        run = next(self._pack.runs)
        self._bridge.begin(run=run, **self._options(settings))
        self.run = run
        self._pack.live.describe(run, latent_format=self._format, model=self._model)
        self._pack.sampling = self

    def _options(self, settings: Settings) -> dict[str, Any]:
        """What the bridge is to know of the run."""
        to = self._destination
        return {"latent_format": self._format, "model": self._model, "clip": settings.clip and to.with_metadata,
                **settings.options(self._wish.method, settings.encoding(to.is_local(), to.with_metadata))}

    def _submit(self, x0: Any, step: int, total: int) -> bool:
        settings = self._settings
        self._began_at = self._began_at or time.monotonic()
        if not self._destination.clients() and not self._pack.live.is_watched():
            return False
        if settings.batch == "turn" and x0.shape[0] > 1:
            x0 = x0[self._turn % x0.shape[0]:][:1]
            self._turn += 1
        return self._bridge.submit(x0, run=self.run, step=step, total=total)

    def _interrupt(self, step: int) -> None:
        """The same as the page's button, where the settings ask for it. On the sampler's thread, so that it can never hit a later prompt."""
        wrong, self._wrong = self._wrong, None
        if self._settings.interrupt:
            log.warning("LatentBridge: interrupted at step %d: %s (setting: %s)", step + 1, wrong, TABLE["interrupt"].name)
            model_management.interrupt_current_processing()

    def _record(self, x0: Any) -> None:
        """Every step, shown or not."""
        self._pack.recorder.add(self.run, x0, self._format)

    def _is_due(self, step: int) -> bool:
        settings = self._settings
        now = time.monotonic()
        due = step == 0 or (step % settings.every_steps == 0 and (now - self._shown_at) * 1000 >= settings.every_milliseconds)
        if due:
            self._shown_at = now
        return due

    def _await(self, step: int) -> tuple[str, Frame, None] | None:
        patience = self._patience()
        end = time.monotonic() + patience
        if self._bridge.wait(run=self.run, step=step, timeout=patience) is not None:
            with self._encoded:
                self._encoded.wait_for(partial(self._has, step), max(0.0, end - time.monotonic()))
        # From here on a late picture goes the other way. One that came before this line is in _latest.
        self._awaited = 1 << 62
        if not self._has(step):
            return None
        if self._destination.client is None or self._wish.is_quiet:  # core would send it to every page too, or to one who asked for none
            for message in self._destination.messages(self._latest):
                self._destination.server.send_sync(*message)
            return None
        if self._destination.with_metadata and self._latest.caption is not None:
            self._destination.server.send_sync(*self._destination.caption(self._latest.caption))
        return self._latest.for_core()

    def _patience(self) -> float:
        """Seconds that the sampler's thread waits for the last step's picture, as docs/protocol.md has it of the host."""
        return max(LAST_STEP_SECONDS, min((time.monotonic() - self._began_at) * LAST_STEP_SHARE, LAST_STEP_SECONDS_AT_MOST))

    def _has(self, step: int) -> bool:
        return self._latest is not None and self._latest.step >= step


class NodeEnd(ProgressHandler):
    """Tells the host that nobody waits for more once the node has finished. Core drops it with the prompt."""

    def __init__(self, pack: Any, node_id: str) -> None:
        super().__init__("latentbridge")
        self._pack, self._node_id = pack, node_id

    def finish_handler(self, node_id: str, state: Any, prompt_id: str) -> None:
        if node_id == self._node_id and (sampling := self._pack.sampling) is not None:
            sampling.end()

    def reset(self) -> None:
        if (sampling := self._pack.sampling) is not None:
            sampling.end()


def format_id(latent_format: Any) -> str | None:
    """The name of core's class, of which other packs may have made a subclass."""
    for kind in type(latent_format).__mro__:
        if kind.__module__ == "comfy.latent_formats":
            return kind.__name__
    return None

