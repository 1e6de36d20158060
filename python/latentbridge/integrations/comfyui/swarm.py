"""SwarmUI's sampler nodes: our pictures in place of theirs.

Design notes. ``SwarmKSampler`` brings a callback of its own, which decodes on the sampler's thread by whatever core's previewer is and sends a JPEG
from a thread. What SwarmUI's server reads is core's message for a preview with metadata, in which ``mime_type`` goes before core's
``image_type``, and ``id`` says which picture of a batch it is (0 where there is none). A video is one animated WebP. So ``make_swarm_sampler_callback``
is wrapped where it stands: our callback counts the step as theirs does and hands the latent on; the pictures go core's way, with these two
words more. What we cannot show, their callback does, which is made when it is needed.
"""

from __future__ import annotations

import functools
import inspect
import sys
import time
from collections.abc import Callable
from typing import Any

from comfy.cli_args import LatentPreviewMethod, args
from comfy.utils import ProgressBar

from ... import formats
from ...preview import Preview
from ..film import Film
from .delivery import Destination, Frame, Outbox
from .sampling import Sampling
from .settings import Settings

MAKER = "make_swarm_sampler_callback"
NODES = ("SwarmKSampler", "SwarmUnsampler")
MOST_PICTURES = 16
"""Of a batch, which are shown one by one."""
FILM_SECONDS = 0.5
"""Between two films of a video, each of which has all of its pictures; and how long one waits for those of a new step."""


_joined: list[Any] = []  # modules whose function is ours


def join(pack: Any) -> None:
    """Wraps SwarmUI's function in the modules of its nodes, if they are there. Done at each prompt: packs are loaded in any order."""
    known = getattr(sys.modules.get("nodes"), "NODE_CLASS_MAPPINGS", {})
    for name in NODES:
        module = sys.modules.get(getattr(known.get(name), "__module__", ""))
        if module is not None and module not in _joined and callable(theirs := vars(module).get(MAKER)):
            setattr(module, MAKER, _maker(pack, theirs))
            _joined.append(module)


def leave() -> None:
    """Puts SwarmUI's own function back."""
    while _joined:
        module = _joined.pop()
        setattr(module, MAKER, getattr(module, MAKER).__wrapped__)


def _maker(pack: Any, theirs: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(theirs)

    @functools.wraps(theirs)
    def make(*arguments: Any, **named: Any) -> Any:
        make_theirs = functools.partial(theirs, *arguments, **named)
        try:
            asked = signature.bind(*arguments, **named).arguments
            callback = _callback(pack, make_theirs, asked["steps"], asked["model"], asked["previews"])
        except Exception as error:
            pack.say(f"a sampler of SwarmUI keeps its own previews: {error!r}")
            callback = None
        return callback or make_theirs()

    return make


def _callback(pack: Any, make_theirs: Callable[[], Any], steps: int, model: Any, previews: str) -> Callable[..., Any] | None:
    """The callback of one sampling; None where previews of ours are not wanted."""
    wish = pack.wish(args.preview_method == LatentPreviewMethod.NoPreviews) if previews != "none" else None
    if wish is None:
        return None
    sampling = SwarmSampling(pack, model.model.latent_format, wish, previews)
    bar, theirs = ProgressBar(steps), functools.cache(make_theirs)

    def callback(step: int, x0: Any, x: Any, total_steps: int, *more: Any, **named: Any) -> Any:
        latent = x0.tensors[0] if getattr(x0, "is_nested", False) and hasattr(x0, "tensors") else x0
        if not sampling.can_show(latent):
            return theirs()(step, x0, x, total_steps, *more, **named)
        bar.update_absolute(step + 1, total_steps, None)
        return sampling.send(latent, int(step), int(total_steps or 0))

    return callback


class SwarmSampling(Sampling):
    """One sampling of a node of SwarmUI's. Each picture of a batch has a stream and an outbox; of a video there is a film, and stills until it is whole."""

    def __init__(self, pack: Any, latent_format: Any, wish: Any, previews: str) -> None:
        super().__init__(pack, latent_format, wish)
        self._previews = previews
        self._has_film = previews == "animate" and formats.is_causal_video(self._format)
        self._outboxes: list[Outbox] = []  # one for each stream that was begun
        self._film: Film | None = None
        self._is_film_shown = self._is_film_due = False
        self._film_shown_at = 0.0

    def can_show(self, x0: Any) -> bool:
        """Whether LatentBridge shows this latent as the node is asked to."""
        try:
            return self._parts(x0, 0) is not None and self.takes() and self._bridge is self._pack.bridge
        except Exception as error:
            self.refuse(error)
            return False

    def send(self, x0: Any, step: int, total: int) -> None:
        try:
            if 0 < total <= step + 1:
                self._is_steady = True  # the last step is always due
                if self._settings.calibrate:
                    self._pack.teacher.ended(x0, self._latent_format, self._format, self._model)
        except Exception as error:
            self.refuse(error)
        super().send(x0, step, total)

    def arrived(self, preview: Preview) -> None:
        if preview.stream == 0:
            self._wrong = preview.warnings[0] if preview.alarm and preview.warnings else None
        if not self._is_film_shown and preview.stream < len(self._outboxes):
            frame = Frame.of(preview, self._settings.caption and preview.stream == 0)
            self._outboxes[preview.stream].put(frame, self._named(preview.stream, preview.media_type))

    def clip_arrived(self, preview: Preview) -> None:
        if self._film is None or self._film.run != preview.run:
            self._film = Film(preview.run)
        if not self._film.put(preview):
            return
        self._is_film_shown = True
        wait = max(0.0, self._film_shown_at + FILM_SECONDS - time.monotonic()) if self._film.is_of_one_step else FILM_SECONDS
        if not self._is_film_due or wait == 0:
            self._is_film_due = True
            loop = self._destination.server.loop
            loop.call_soon_threadsafe(loop.call_later, wait, self._show_film, self._film)

    def end(self) -> None:
        super().end()
        for stream in range(1, len(self._outboxes)):
            self._bridge.end(run=self.run, stream=stream)

    def _show_film(self, film: Film) -> None:
        """On the server's loop."""
        if not self._is_film_due:
            return
        self._is_film_due = False
        self._film_shown_at = time.monotonic()
        try:
            self._pack.outbox.put(Frame(film.file(), "WEBP", film.size, film.step), self._named(0, "image/webp"))
        except Exception as error:
            self.refuse(error)

    def _named(self, picture: int, mime_type: str) -> Destination:
        """Where a picture of the batch goes, in SwarmUI's words."""
        return self._destination._replace(metadata={**self._destination.metadata, "mime_type": mime_type, "id": picture})

    def _begin(self, settings: Settings) -> None:
        self._outboxes = [self._pack.outbox]
        self._is_film_shown = False
        super()._begin(settings)

    def _options(self, settings: Settings) -> dict[str, Any]:
        """A frame of a video is the last of the part that is sent. SwarmUI's server takes JPEG, PNG too, which are four times as long on their way to its page."""
        encoding = "webp" if self._has_film else settings.format if settings.format != "auto" and self._destination.with_metadata else "jpeg"
        return {**super()._options(settings), "clip": self._has_film, "frame": "first" if self._has_film else "last", "batch": "first", "encoding": encoding}

    def _submit(self, x0: Any, step: int, total: int) -> bool:
        if not self._destination.clients() and not self._pack.live.is_watched():
            return False
        for stream, part in enumerate(self._parts(x0, step) or ()):
            if stream == len(self._outboxes):
                self._outboxes.append(Outbox(self._destination.server))
                self._bridge.begin(run=self.run, stream=stream, **self._options(self._settings))
                self._pack.live.describe(self.run, stream, latent_format=self._format, model=self._model)
            self._bridge.submit(part, run=self.run, stream=stream, step=step, total=total)
        return True

    def _parts(self, x0: Any, step: int) -> list[Any] | None:
        """What is shown of a latent, a picture each; None for what SwarmUI shows in a way of its own."""
        count = x0.shape[2] if len(x0.shape) == 5 else x0.shape[0]
        if count == 1 or (self._has_film and len(x0.shape) == 5):
            return [x0]
        picture = {"one": 0, "iterate": step % count, "second": 1}.get(self._previews)
        if len(x0.shape) == 5:
            return None if picture is None else [x0[:1, :, :picture + 1]]  # with those before it, which a video's decoder remembers
        if picture is not None:
            return [x0[picture:picture + 1]]
        return [x0[i:i + 1] for i in range(count)] if self._previews == "default" and count <= MOST_PICTURES else None
