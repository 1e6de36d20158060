"""A1111, Forge and reForge: "LatentBridge" as a live-preview method.

Design notes. The UIs decode when a browser asks: in the server's thread, on the sampler's device, every time. Here the picture is
made when the latent is there, and the request finds it ready:

- ``store_latent`` (sampler's thread): after the original, a snapshot goes to the bridge. Under --lowvram and --medvram the
  original would decode right here; then only its first line is done in its place.
- ``State.set_current_image`` (server's thread) is called by every request for a picture: somebody looks. Nothing is sent while
  nobody does; the first to look again gets the picture of the latent that the UI itself keeps.
- the bridge's thread hands each finished picture to ``State.assign_current_image``, which every request reads.
- ``State.do_set_current_image`` (server's thread): nothing is left to do, unless LatentBridge has no picture: then the
  original decodes by the method whose number ours carries. With "every -1 steps" it is the UI's call after each batch.
- ``samples_to_images_tensor`` (sampler's thread): the final picture of an interrupted job, where the settings ask for it by the preview's method.
- ``State.begin`` and ``State.end`` count jobs, under the lock that a picture is handed over under: one of a job that is over
  is never shown.

With another method chosen, all of them only call the original.
"""

from __future__ import annotations

import functools
import logging
import math
import threading
import time
from collections.abc import Callable
from typing import Any

from ... import formats
from ...client import Bridge
from ...live import Board
from ...preview import Preview
from ...say_once import SayOnce
from ..film import Film
from ..host_trouble import host_trouble
from ..last_resort import LastResort
from ..ready_image import FilmImage, ReadyImage, encode, pixels
from ..recorder import Recorder
from ..settings import DecoderList
from . import settings
from .last_picture import LastPicture
from .sampling import Sampling
from .teacher import Teacher
from .ui import Ui

log = logging.getLogger("latentbridge")

NAME = "LatentBridge"
PATIENCE = 2.0
"""Seconds after a sampling's first latent in which no picture came, after which the UI's own method shows something."""
WATCHED = 60.0
"""Seconds after the last request for a picture in which somebody counts as looking: longer than pages and programs wait between two."""
FILM_SECONDS = 1.0
"""After which a film with pictures of two steps is shown."""
SETTLED = 0.2
"""Seconds in which a sampling's settings and checkpoint are not looked at again."""
EVERY = "show_progress_every_n_steps"
RECORD = settings.PREFIX + "record"
READ = ("live_previews_image_format", "show_progress_grid", "n_rows", "grid_prevent_empty_spots",
        *(settings.PREFIX + name for name in settings.TABLE if name not in ("record", *settings.AT_RELOAD)))
"""The settings that a sampling begins anew for when they change."""


class Extension:
    """The hooks and what they share. One for each load of the UI."""

    def __init__(self, ui: Ui, unloaded: Callable[[], None], **bridge: Any) -> None:
        self._ui, self._unloaded = ui, unloaded
        self._say = SayOnce()
        folders = ui.weight_folders()
        self._decoders = DecoderList(folders)
        self.live = Board(lambda: self.bridge)
        self.bridge = Bridge(on_preview=self._publish, on_clip=self._publish_clip, on_latent=self.live.sent, **{"models": folders, "host": settings.read(ui.stored)["host_mode"], **bridge})
        self.last_resort = LastResort(self._publish, self._say)
        self.latest: Preview | None = None
        self._teacher = Teacher(self.bridge, self._say, self._lesson)
        self._recorder = Recorder(ui.recordings_folder(), self._say)
        self._lock = threading.Lock()
        self._last_picture = LastPicture(NAME, ui, self.bridge, self._say)
        self._job = 0
        self._runs = 0
        self._falls = 0
        self._stored_step = 0
        self._place: tuple[Any, ...] = ()
        self._notice: str | None = None
        self._looked_at = -math.inf
        self._looking = threading.Lock()
        self._sampling: Sampling | None = None
        self._is_open = True
        self._is_served = False
        self._wrapped: list[tuple[Any, str, Any]] = []

    def install(self) -> None:
        ui = self._ui
        ui.offer(NAME)
        self._wrap(ui.samplers, "store_latent", self._store_latent)
        self._wrap(ui.state_class, "set_current_image", self._set_current_image)
        self._wrap(ui.state_class, "do_set_current_image", self._do_set_current_image)
        self._wrap(ui.state_class, "begin", self._begin_job)
        self._wrap(ui.state_class, "end", self._end_job)
        self._wrap(ui.samplers, "samples_to_images_tensor", self._samples_to_images)
        if ui.processing is not None:
            self._wrap(ui.processing, "decode_latent_batch", self._teacher.decode)
        self._guarded(settings.add_status, ui.shared, self._state_in_words)
        settings.add_section(ui.shared, self._decoders)  # now, not on_ui_settings: with --nowebui that is too late for the API's list
        self._guarded(ui.list_options, settings.KEYS)
        ui.on("before_ui", self._decoders.look)
        ui.on("app_started", self._app_started)
        ui.on("script_unloaded", self._unloaded)

    def uninstall(self) -> None:
        """Takes the wrappers out where they are outermost; inside another extension's they let everything through."""
        self._is_open = False
        for owner, name, wrapper in self._wrapped:
            if getattr(owner, name) is wrapper:
                setattr(owner, name, wrapper.__wrapped__)
        self.bridge.close()
        self.last_resort.close()

    def is_chosen(self) -> bool:
        return _is_chosen(self._ui.stored)

    def status(self) -> dict[str, Any]:
        """For people and bug reports, at /latentbridge/status."""
        latest = self.latest
        picture = latest and {"decoder": latest.decoder, "milliseconds": latest.milliseconds, "step": latest.step,
                              "size": [latest.width, latest.height], "encoding": latest.encoding}
        return {"chosen": self.is_chosen(), "latest": picture, **self.bridge.status()}

    # --- the hooks ---------------------------------------------------------------------------------------------------

    def _store_latent(self, original: Callable[..., Any], decoded: Any) -> None:
        stored = self._ui.stored
        chosen = _is_chosen(stored)
        is_first = self._arrive(decoded)
        if chosen and not self._ui.shared.parallel_processing_allowed and self._has_pictures():
            self._ui.shared.state.current_latent = decoded
        else:
            original(decoded)
        if chosen and self._is_watched():
            self._guarded(self._capture, decoded, stored.get(EVERY, 10), is_first)
        if stored.get(RECORD) is True:
            self._guarded(self._record, decoded)

    def _set_current_image(self, original: Callable[..., Any], state: Any) -> None:
        if self.is_chosen():
            self._guarded(self._look, state)
            self._guarded(self._tell, state)
        original(state)

    def _do_set_current_image(self, original: Callable[..., Any], state: Any) -> None:
        if not self.is_chosen() or not self._has_pictures():
            original(state)
        elif self._every() == -1 and state.current_latent is not None:
            self._guarded(self._capture_batch, state.current_latent)

    def _samples_to_images(self, original: Callable[..., Any], sample: Any, approximation: int | None = None, *more: Any, **named: Any) -> Any:
        """A number says how a final picture is made; previews come without one."""
        ui, stored = self._ui, self._ui.stored
        if approximation is None or not ui.shared.state.interrupted or not stored.get("live_preview_fast_interrupt") or not _is_chosen(stored):
            return original(sample, approximation, *more, **named)
        shown = [self.latest.decoder] if self.latest is not None else []
        return self._last_picture.make(original, sample, approximation, *more, decoders=[*shown, settings.read(stored)["decoder"], "auto"], **named)

    def _begin_job(self, original: Callable[..., Any], state: Any, *arguments: Any, **named: Any) -> Any:
        with self._lock:
            self._job += 1
            self._sampling = self.latest = None
            result = original(state, *arguments, **named)
        if self.is_chosen():
            self._guarded(self.bridge.start)
        return result

    def _end_job(self, original: Callable[..., Any], state: Any) -> Any:
        with self._lock:
            self._job += 1
        if (sampling := self._sampling) is not None:
            self._guarded(sampling.maker.end, run=sampling.number)
        self._recorder.end()
        return original(state)

    def _app_started(self, _demo: Any, app: Any) -> None:
        self._is_served = True
        app.add_api_route("/latentbridge/status", self.status, methods=["GET"])
        self._guarded(self._offer_live_view, app)
        if (trouble := host_trouble(settings.read(self._ui.stored)["host_mode"])) is not None:
            log.warning("LatentBridge: %s", trouble)
        elif self.is_chosen():
            self.bridge.start()

    def _offer_live_view(self, app: Any) -> None:
        from . import live  # needs the server's own modules

        live.add(app, self.live, bool(getattr(self._ui.shared.cmd_opts, "api_auth", None)))

    # --- the sampler's thread ----------------------------------------------------------------------------------------

    def _arrive(self, latent: Any) -> bool:
        """Notes which sampling a latent belongs to; True for its first. A step's number that falls is a new sampling too: scripts run several in a job."""
        state = self._ui.shared.state
        self._falls += state.sampling_step < self._stored_step
        self._stored_step = state.sampling_step
        place = (self._job, state.job_no, self._falls, getattr(latent, "shape", None))
        is_first, self._place = place != self._place, place
        return is_first

    def _capture(self, latent: Any, every: int, is_first: bool) -> None:
        """Submits the latent if its step is to be shown. The UI counts a step when it is done, so its number is one behind here."""
        if every < 0:
            return
        state = self._ui.shared.state
        sampling = self._here(latent)
        step = 0 if is_first and state.sampling_step == 0 else state.sampling_step + 1
        self._stop_if_wrong(sampling, step)
        is_edge = step == 0 or step + 1 >= state.sampling_steps
        if is_edge or (step % max(1, every) == 0 and sampling.has_paused()):
            self._submit(sampling, latent, step)

    def _stop_if_wrong(self, sampling: Sampling, step: int) -> None:
        """The same as the button Interrupt, where the settings ask for it."""
        latest = self.latest
        if latest is None or not latest.alarm or latest.run != sampling.number or sampling.is_stopped or not settings.read(self._ui.stored)["interrupt"]:
            return
        sampling.is_stopped = True
        log.warning("LatentBridge: interrupted at step %d: %s (setting: %s)", step, "; ".join(latest.warnings), settings.TABLE["interrupt"].name)
        self._ui.shared.state.interrupt()

    def _record(self, latent: Any) -> None:
        """Keeps the latent, whether or not it is shown."""
        self._recorder.add(self._place, latent, self._ui.latent_format())

    def _capture_batch(self, latent: Any) -> None:
        """Submits the last latent of a batch, for "every -1 steps". The UI goes on to the next batch, so nothing waits here either."""
        self._submit(self._here(latent), latent, max(0, self._ui.shared.state.sampling_steps - 1))

    def _submit(self, sampling: Sampling, latent: Any, step: int) -> None:
        """The VAE's decode counts as one more step: the sampler's last picture may then take a step's time as all before it did. As the host's last
        step it would have 50 ms, and be worse than the one before wherever steps are long."""
        sampling.submitted_at = time.monotonic()
        part = sampling.choose(latent) if sampling.batch == "turn" else latent
        sampling.maker.submit(part, run=sampling.number, step=step, total=self._ui.shared.state.sampling_steps + 1)

    def _here(self, latent: Any) -> Sampling:
        """The sampling that the newest latent belongs to: a new one for each batch, pass of hires fix, checkpoint, and change of a setting."""
        if self._place[-1:] != (latent.shape,):
            self._arrive(latent)  # it was there before this extension was, or did not come through the UI's own function
        ui, sampling, now, place, maker = self._ui, self._sampling, time.monotonic(), self._place, self._maker()
        if sampling is not None and sampling.place == place and sampling.maker is maker and now < sampling.settled_until:
            return sampling
        chosen = (id(ui.shared.sd_model), maker, *map(ui.stored.get, READ))
        if sampling is None or sampling.place != place or sampling.settings != chosen:
            sampling = self._sampling = self._begin(maker, place, chosen)
        sampling.settled_until = now + SETTLED
        return sampling

    def _begin(self, maker: Bridge | LastResort, place: tuple[Any, ...], chosen: tuple[Any, ...]) -> Sampling:
        ui, count = self._ui, place[-1][0]
        wanted, format = settings.read(ui.stored), ui.stored.get("live_previews_image_format", "png")
        batch = wanted["batch"]
        if batch == "auto":
            batch = "grid" if ui.stored.get("show_progress_grid", True) else "first"
        is_rearranged = batch == "grid" and count > 2 and ui.has_own_grid()
        is_film = maker is self.bridge and ui.plays_videos and len(place[-1]) == 5 and place[-1][2] > 1 and formats.is_causal_video(ui.latent_format())
        self._runs += 1
        self.live.describe(self._runs, latent_format=ui.latent_format(), model=ui.model_name(), steps=ui.shared.state.sampling_steps)
        maker.begin(
            run=self._runs, latent_format=ui.latent_format(), model=ui.model_name(), calibrate=wanted["calibrate"], learn=wanted["learn"],
            decoder=wanted["decoder"], size=wanted["size"], batch="grid" if batch == "grid" else "first", threads=wanted["threads"], clip=is_film,
            encoding="webp" if is_film else "rgb24" if is_rearranged or format not in ("png", "jpeg", "webp") else format)
        return Sampling(maker, self._runs, place, chosen, batch, count, wanted["every_milliseconds"], format, is_rearranged, Film(self._runs) if is_film else None)

    def _lesson(self) -> tuple[str, str | None] | None:
        """What a picture that is decoded now teaches about: the checkpoint and its latent format; None where nothing is to be learned.

        An approximation of the picture (chosen as decode method, or after an interrupt) teaches nothing.
        """
        ui, stored = self._ui, self._ui.stored
        if not self.is_chosen() or not settings.read(stored)["calibrate"] or ui.shared.state.interrupted:
            return None
        name = ui.model_name() if stored.get("sd_vae_decode_method", "Full") in ("Full", "TAESD") else None
        return None if name is None else (name, ui.latent_format())

    # --- the server's threads ----------------------------------------------------------------------------------------

    def _look(self, state: Any) -> None:
        """Somebody looks. The first to do so sends the latent that is there; the sampler's thread sends none until that is done."""
        if self._is_watched():
            self._looked_at = time.monotonic()
        elif self._looking.acquire(blocking=False):
            try:
                if state.current_latent is not None and self._every() >= 0:
                    self._submit(self._here(state.current_latent), state.current_latent, state.sampling_step)
            finally:
                self._looked_at = time.monotonic()
                self._looking.release()

    def _tell(self, state: Any) -> None:
        """Says beside the progress bar what is wrong. What the UI itself says there stays."""
        text = self._trouble()
        if text != state.textinfo and state.textinfo in (None, self._notice):
            state.textinfo = text
        self._notice = text

    def _trouble(self) -> str | None:
        """One line; None when all is well."""
        sampling, latest = self._sampling, self.latest
        if (reason := self.bridge.off_reason) is not None:
            stand_in = self._ui.stand_in if self._maker() is self.bridge else "Python"
            text = f"LatentBridge is off, {stand_in} shows the previews: {reason}"
        elif latest is None or sampling is None or latest.run != sampling.number:
            return None
        elif latest.warnings:
            text = f"LatentBridge: {'; '.join(latest.warnings)}"
        elif latest.note:
            text = f"LatentBridge: {latest.decoder} ({latest.note})"
        else:
            return None
        return " ".join(text.split())  # the page shows no text of several lines

    def _state_in_words(self) -> str:
        """For the settings page. Nothing before there is one: the API would keep what it reads then as the default."""
        latest = self.latest
        if not self._is_served:
            return ""
        if (reason := self.bridge.off_reason or host_trouble(settings.read(self._ui.stored)["host_mode"])) is not None:
            return f"{'Python makes simple previews' if self.last_resort.is_there else 'LatentBridge is off'}: {reason}"
        if not self.is_chosen():
            return 'LatentBridge makes the previews once it is chosen at "Live previews", "Live preview method".'
        if latest is None:
            return f"LatentBridge is on.{self._decoders.learned_in_words()}"
        return f"LatentBridge is on. The last preview: {latest.decoder}, {latest.width} x {latest.height}, {latest.decode_milliseconds:.0f} ms.{self._decoders.learned_in_words()}"

    def _is_watched(self) -> bool:
        return time.monotonic() - self._looked_at < WATCHED or self.live.is_watched()

    # --- the bridge's thread -----------------------------------------------------------------------------------------

    def _publish(self, preview: Preview) -> None:
        """Hands a picture over, unless its job is over."""
        self.live.arrived(preview)
        sampling = self._sampling
        if sampling is None or preview.run != sampling.number:
            return
        if sampling.film is not None and sampling.film.is_whole:
            self.latest = preview  # the video moves already
            return
        if preview.encoding != "rgb24":
            image = ReadyImage(preview.data, preview.encoding.upper(), (preview.width, preview.height))
        else:
            image = self._encoded(sampling, pixels(preview))
        self._assign(sampling, image, preview)

    def _publish_clip(self, preview: Preview) -> None:
        """A picture of a video came. The whole film is handed over, and again when all of it is of a newer step, or at times before."""
        sampling = self._sampling
        if sampling is None or preview.run != sampling.number or sampling.film is None:
            return
        film, now = sampling.film, time.monotonic()
        if film.put(preview) and (film.is_of_one_step or now - sampling.film_shown_at > FILM_SECONDS):
            sampling.film_shown_at = now
            self._assign(sampling, FilmImage(film.file(), "WEBP", film.size, passes_for="GIF"), preview)

    def _assign(self, sampling: Sampling, image: Any, preview: Preview) -> None:
        with self._lock:
            if sampling.place[0] == self._job and self._is_open:
                self._ui.shared.state.assign_current_image(image)
                sampling.is_shown, self.latest = True, preview

    def _encoded(self, sampling: Sampling, image: Any) -> Any:
        """What the host does not write, or has not arranged: the request finds it encoded all the same."""
        if sampling.is_rearranged:
            image = self._ui.rearrange(image, sampling.count)
        return ReadyImage(encode(image, sampling.format), sampling.format.upper(), image.size)

    # --- everywhere --------------------------------------------------------------------------------------------------

    def _has_pictures(self) -> bool:
        """Whether a picture of ours is there or to be expected; if not, the UI's own method takes over."""
        if self._maker() is self.bridge and (self.bridge.off_reason is not None or self.bridge.host_pid == 0):
            return False
        sampling = self._sampling
        return sampling is None or sampling.is_shown or time.monotonic() - sampling.started < PATIENCE

    def _maker(self) -> Bridge | LastResort:
        """Who makes the previews now: the bridge, unless it is off and the last resort can."""
        return self.last_resort if self.bridge.off_reason is not None and self.last_resort.shows(self._ui.latent_format()) else self.bridge

    def _every(self) -> int:
        return self._ui.stored.get(EVERY, 10)

    def _guarded(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> None:
        """The one seam: no exception of ours reaches the UI, and each kind is said once."""
        try:
            function(*arguments, **named)
        except Exception as error:
            self._say(f"a preview was left out: {error!r}")

    def _wrap(self, owner: Any, name: str, ours: Callable[..., Any]) -> None:
        original = getattr(owner, name)

        @functools.wraps(original)
        def wrapper(*arguments: Any, **named: Any) -> Any:
            if not self._is_open:
                return original(*arguments, **named)
            return ours(original, *arguments, **named)

        setattr(owner, name, wrapper)
        self._wrapped.append((owner, name, wrapper))


def _is_chosen(stored: dict[str, Any]) -> bool:
    return stored.get("show_progress_type") == NAME and bool(stored.get("live_previews_enable", True))
