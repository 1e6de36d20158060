"""The hook: ``latent_preview.get_previewer`` and ``prepare_callback``, wrapped.

Design notes. A previewer of ours may give None and show its picture later. Only core's own callback understands that, so it is
handed out only while core prepares a callback, and takes the fast way only while that callback runs (``Previewer.watch``).
A sampler with a callback of its own gets what core would have given, and where that is nothing only because nobody asked, a ``Guest``.
Inside the callback a latent is only noted; it is copied and sent behind it: what core does there lets other threads run, and a
bridge thread that was just woken would hold up the sampler's.

Other packs wrap the same function, before us or after us. Ours is kept outermost, so it sees what they make of it, and comes through
theirs once more where they ask for core's. A previewer that is not core's own is theirs and stays; one of ours that they look into
has core's attributes (``taesd``, ``latent_rgb_factors``...), made when they are asked for. Where they cannot use it and raise, ours is taken.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable
from typing import Any

import latent_preview
from comfy.cli_args import LatentPreviewMethod, args
from server import PromptServer

from . import swarm
from .guest import Guest
from .pack import Pack
from .sampling import Sampling

log = logging.getLogger("latentbridge")


class _Here(threading.local):
    """Whether core prepares a callback on this thread, and the previewer it got from us for it."""

    preparing = False
    made: Previewer | None = None


_here = _Here()


class Previewer(latent_preview.LatentPreviewer):
    """Previews of one sampling. Looks like the core previewer it stands for, which is built only if somebody asks for it."""

    def __init__(self, sampling: Sampling, make_core: Callable[[], Any], latent_format: Any) -> None:
        self._sampling = sampling
        self._make_core = make_core
        self._latent_format = latent_format
        self._step: int | None = None  # the one that core's callback is called for, None outside of it
        self._total = 0
        self._noted: Any = None  # the latent to send once core's callback is done

    def decode_latent_to_preview_image(self, preview_format: str, x0: Any) -> Any:
        step = self._step
        if step is None:
            return self._stand_in.decode_latent_to_preview_image(preview_format, x0)
        lacks_a_host = False
        try:
            if self._sampling.takes():
                if self._sampling.waits_for(step, self._total):
                    return self._sampling.send_and_wait(x0, step, self._total)
                self._noted = x0
                return None
            lacks_a_host = self._sampling.lacks_a_host()
        except Exception as error:
            self._sampling.refuse(error)
        core = self._stand_in if lacks_a_host else self._core
        return core.decode_latent_to_preview_image(preview_format, x0) if core is not None else None

    def plays(self, rate: float) -> bool:
        """Whether we show the clip through VideoHelperSuite's widget."""
        try:
            return self._step is not None and self._sampling.plays(rate)
        except Exception as error:
            self._sampling.refuse(error)
            return False

    def watch(self, callback: Callable[..., Any]) -> Callable[..., Any]:
        """Core's callback, with the latent sent on its way after it."""

        @functools.wraps(callback)
        def watched(step: int, x0: Any, x: Any, total_steps: int, *more: Any, **named: Any) -> Any:
            self._step, self._total = step, total = int(step), int(total_steps or 0)
            try:
                result = callback(step, x0, x, total_steps, *more, **named)
            finally:
                self._step = None
                noted, self._noted = self._noted, None
            if noted is not None:
                self._sampling.send(noted, step, total)
            return result

        return watched

    def decode_latent_to_preview(self, x0: Any) -> Any:
        return self._stand_in.decode_latent_to_preview(x0)

    @functools.cached_property
    def _core(self) -> Any:
        """What core shows by itself; None where it shows nothing."""
        return self._make_core()

    @functools.cached_property
    def _stand_in(self) -> Any:
        """The same for other packs, which ask because they got a previewer: where core shows nothing, latent2rgb if it can be."""
        found = colours(self._latent_format)
        return self._core or (latent_preview.Latent2RGBPreviewer(**found) if found else None)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._stand_in, name)


class StillOrClip(latent_preview.LatentPreviewer):
    """VideoHelperSuite's previewer for a batch, and ours for a single picture and for videos, whose pictures its widget then plays."""

    def __init__(self, still: Previewer, clip: Any) -> None:
        self._still, self._clip = still, clip

    def decode_latent_to_preview_image(self, preview_format: str, x0: Any) -> Any:
        frames = x0.shape[2] if len(x0.shape) == 5 else 1
        previewer = self._still if x0.shape[0] * frames == 1 or (frames > 1 and self._still.plays(getattr(self._clip, "rate", 0))) else self._clip
        return previewer.decode_latent_to_preview_image(preview_format, x0)

    def decode_latent_to_preview(self, x0: Any) -> Any:
        return self._clip.decode_latent_to_preview(x0)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._clip, name)


class Hook:
    """Our two wrappers in ``latent_preview``, put in place by ``install`` and looked after at each prompt."""

    def __init__(self, pack: Pack) -> None:
        self._pack = pack
        self._core = _core_of(latent_preview.get_previewer)
        self._get: Callable[..., Any] | None = None
        self._layers: list[Callable[..., Any]] = []  # ours; more than one where another pack wrapped us and we wrapped it
        self._prepare: Callable[..., Any] | None = None

    def install(self) -> None:
        self._wrap()
        PromptServer.instance.add_on_prompt_handler(self._at_prompt)

    def uninstall(self) -> None:
        """Takes the wrappers out where they are outermost; where another pack wraps them they let everything through."""
        self._pack.close()
        swarm.leave()
        for name, ours in (("get_previewer", self._get), ("prepare_callback", self._prepare)):
            if ours is not None and getattr(latent_preview, name) is ours:
                setattr(latent_preview, name, ours.__wrapped__)
        self._get = None

    def chain(self) -> list[str]:
        """The modules that ``get_previewer`` goes through, outermost first."""
        names, function = [], latent_preview.get_previewer
        while function is not None:
            names.append("latentbridge" if function in self._layers else function.__globals__["__name__"] if hasattr(function, "__globals__") else None)
            function = getattr(function, "__wrapped__", None)
        return names

    def _wrap(self) -> None:
        inner = latent_preview.get_previewer

        @functools.wraps(inner)
        def get_previewer(device: Any, latent_format: Any, *arguments: Any, **named: Any) -> Any:
            make = functools.partial(inner, device, latent_format, *arguments, **named)
            return self._choose(make, device, latent_format) if _here.preparing else make() or self._guest(latent_format)

        self._layers.append(get_previewer)
        self._get = latent_preview.get_previewer = get_previewer

        if _is_wrapped_by(latent_preview.prepare_callback, self._prepare):
            return
        prepare = latent_preview.prepare_callback

        @functools.wraps(prepare)
        def prepare_callback(*arguments: Any, **named: Any) -> Any:
            _here.preparing = True
            try:
                callback = prepare(*arguments, **named)
            finally:
                _here.preparing, made, _here.made = False, _here.made, None
            return callback if made is None else made.watch(callback)

        self._prepare = latent_preview.prepare_callback = prepare_callback

    def _choose(self, make: Callable[[], Any], device: Any, latent_format: Any) -> Any:
        """Our previewer, or what would be there without us."""
        if make.func is self._core:
            return self._ours(make, latent_format) or make()
        cores = functools.partial(self._core, device, latent_format) if self._core is not None else _nothing
        try:
            previewer = make()  # another pack is inside: only it knows what it makes
        except Exception as error:
            self._pack.say(f"another pack's get_previewer raised {error!r}; LatentBridge shows the previews")
            return _here.made or self._ours(cores, latent_format) or cores()
        if previewer is None or type(previewer).__module__ == latent_preview.__name__:
            asked = _here.made  # the pack got ours and gives something else: that is its decision
            return previewer if asked is not None else self._ours(functools.partial(_same, previewer), latent_format) or previewer
        if _is_of_video_helper(previewer) and (still := _here.made or self._ours(cores, latent_format)) is not None:
            return StillOrClip(still, previewer)
        if previewer is not _here.made:
            _here.made = None
        return previewer

    def _ours(self, make_core: Callable[[], Any], latent_format: Any) -> Previewer | None:
        """A previewer of ours for the callback that core prepares; None where the user wants none."""
        try:
            wish = self._pack.wish(args.preview_method == LatentPreviewMethod.NoPreviews)
            if wish is not None:
                _here.made = Previewer(Sampling(self._pack, latent_format, wish), make_core, latent_format)
                return _here.made
        except Exception as error:
            self._pack.say(f"a sampling keeps ComfyUI's own previews: {error!r}")
        return None

    def _guest(self, latent_format: Any) -> Guest | None:
        """For a sampler with a callback of its own that core gives nothing, because nobody asked."""
        try:
            found = colours(latent_format)
            if found and args.preview_method == LatentPreviewMethod.NoPreviews and (wish := self._pack.wish(True)) is not None and not wish.is_quiet:
                return Guest(self._pack, latent_format, wish, found)
        except Exception as error:
            self._pack.say(f"a sampler of another pack has no previews: {error!r}")
        return None

    def _at_prompt(self, prompt: dict[str, Any]) -> dict[str, Any]:
        """Called by the server for each prompt: puts the hook outside again, and starts the host while the model loads."""
        try:
            if self._get is not None and latent_preview.get_previewer is not self._get:
                self._wrap()
            if self._get is not None:
                swarm.join(self._pack)
            self._pack.warm_up(prompt)
        except Exception as error:
            self._pack.say(f"a prompt was not looked at: {error!r}")
        return prompt


def colours(latent_format: Any) -> dict[str, Any]:
    """What core makes a latent2rgb previewer of; empty where a format has none."""
    names = ("latent_rgb_factors", "latent_rgb_factors_bias", "latent_rgb_factors_reshape")
    found = {name: value for name in names if (value := getattr(latent_format, name, None)) is not None}
    return found if names[0] in found else {}


def _is_of_video_helper(previewer: Any) -> bool:
    return "videohelpersuite" in type(previewer).__module__.lower()


def _same(previewer: Any) -> Any:
    return previewer


def _nothing() -> None:
    return None


def _core_of(function: Callable[..., Any]) -> Callable[..., Any] | None:
    """Core's own function under the wrappers; None where a pack replaced it without saying what it replaced."""
    while (inner := getattr(function, "__wrapped__", None)) is not None:
        function = inner
    return function if getattr(function, "__globals__", None) is vars(latent_preview) else None


def _is_wrapped_by(function: Any, ours: Any) -> bool:
    while function is not None:
        if function is ours:
            return ours is not None
        function = getattr(function, "__wrapped__", None)
    return False
