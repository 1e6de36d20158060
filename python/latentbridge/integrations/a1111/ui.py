"""What LatentBridge needs of A1111 1.6 to 1.10, Forge, Forge neo and reForge. Where these differ, it is here and nowhere else."""

from __future__ import annotations

import importlib
import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Optional

from PIL import Image

from ...calibration import identity

HOOK_POINTS = (
    ("sd_samplers_common", "store_latent"),
    ("sd_samplers_common", "samples_to_images_tensor"),
    ("shared_state.State", "set_current_image"),
    ("shared_state.State", "do_set_current_image"),
    ("shared_state.State", "assign_current_image"),
    ("shared_state.State", "begin"),
    ("shared_state.State", "end"),
    ("script_callbacks", "on_script_unloaded"),
    ("script_callbacks", "on_before_ui"),
    ("script_callbacks", "on_app_started"),
    ("script_callbacks", "on_cfg_after_cfg"),
)
CHEAP = 2
"""The number of the UI's own method that stands in. It needs no weights; others fail the job, or download at every poll, without theirs."""
FULL = 1000
"""The VAE itself: every number that stands for no approximation means it. 0 does not, where memory is low and in Forge."""
METHODS = "show_progress_type"


class MissingHookPoint(Exception):
    """This UI lacks what LatentBridge hooks into. The message names it, so that "it needs ..." is a sentence."""


class Ui:
    """The running UI. ``opts``, ``state`` and ``sd_model`` are read anew at each use: any of them may change within a job."""

    def __init__(self) -> None:
        for place, name in HOOK_POINTS:
            owner = _find(place)
            if not callable(getattr(owner, name, None)):
                raise MissingHookPoint(f"modules.{place}.{name}")
        self.shared = _find("shared")
        self.samplers = _find("sd_samplers_common")
        self.state_class = _find("shared_state.State")
        self.callbacks = _find("script_callbacks")
        processing = _find("processing")
        self.processing = processing if callable(getattr(processing, "decode_latent_batch", None)) else None
        self.cell_pixels: int = getattr(processing, "opt_f", 8)
        self._check_methods()
        if not isinstance(getattr(self.shared.opts, "data", None), dict):
            raise MissingHookPoint("modules.shared.opts.data")

    @property
    def stored(self) -> dict[str, Any]:
        """The settings as they are now: the dictionary under ``opts``, whose own attribute look-up takes ten times as long."""
        return self.shared.opts.data

    def offer(self, name: str) -> None:
        """Puts a method on the list of live-preview methods, under the number of the one that stands in.

        A number of its own would mean the full VAE wherever the UI looks it up by itself (as for the final picture of a fast interrupt).
        """
        self.samplers.approximation_indexes[name] = CHEAP
        info = self.shared.opts.data_labels[METHODS]
        given = info.component_args
        if name in _choices(info):
            return
        if callable(given):
            info.component_args = lambda: {**given(), "choices": [*given()["choices"], name]}
        else:
            given["choices"] = [*given["choices"], name]  # a list in most UIs, a tuple in Forge neo

    @property
    def stand_in(self) -> str:
        """What this UI calls the method that stands in."""
        return next(name for name, number in self.samplers.approximation_indexes.items() if number == CHEAP)

    @property
    def plays_videos(self) -> bool:
        """Whether this UI makes one file that moves of a video's latent: Forge neo does, a GIF."""
        return callable(getattr(self.samplers, "sample_to_video", None))

    @contextmanager
    def standing_for(self, name: str, number: int) -> Iterator[None]:
        """A method's name stands for another number meanwhile."""
        numbers = self.samplers.approximation_indexes
        before = numbers[name]
        numbers[name] = number
        try:
            yield
        finally:
            numbers[name] = before

    def list_options(self, keys: list[str]) -> None:
        """Adds our options to the API's list of them where that was made before we came: Forge's ControlNet imports it first."""
        models = sys.modules.get("modules.api.models")
        listed = getattr(models, "OptionsModel", None)
        if listed is None:
            return
        import pydantic

        known = getattr(listed, "model_fields", None) or getattr(listed, "__fields__", {})
        missing = {}
        for key in keys:
            info = self.shared.opts.data_labels[key]
            kind = float if type(info.default) is int else type(info.default)
            missing[key] = (Optional[kind], pydantic.Field(default=info.default, description=info.label))
        missing = {key: field for key, field in missing.items() if key not in known}
        if missing:
            models.OptionsModel = pydantic.create_model(listed.__name__, __base__=listed, **missing)

    def on(self, event: str, callback: Callable[..., None]) -> None:
        """Registers a callback. Newer UIs take our file's name and need not look for it up the call stack, which takes them 40 ms."""
        callbacks = self.callbacks
        try:
            callbacks.add_callback(callbacks.callback_map[f"callbacks_{event}"], callback, category=event, filename=__file__)
        except (AttributeError, KeyError, TypeError):
            getattr(callbacks, f"on_{event}")(callback)

    def latent_format(self) -> str | None:
        """The format id of the loaded checkpoint, None for a guess. Forge's Flux and Chroma carry none of the marks that A1111 gives."""
        model = self.shared.sd_model
        for mark, latent_format in (("is_sdxl", "SDXL"), ("is_sd1", "SD15"), ("is_sd2", "SD15"), ("is_sd3", "SD3")):
            if getattr(model, mark, False):
                return latent_format
        latent_format = getattr(getattr(model, "model_config", None), "latent_format", None)
        return None if latent_format is None else getattr(latent_format, "__name__", type(latent_format).__name__)

    def model_name(self) -> str | None:
        """The loaded checkpoint's name and hash, as the UI shows them, or what ``identity`` says where the UI does not hash; None where it has no name."""
        checkpoint = getattr(self.shared.sd_model, "sd_checkpoint_info", None)
        name, sha256 = getattr(checkpoint, "name", None), getattr(checkpoint, "sha256", None)
        return f"{name} [{sha256[:10]}]" if name and sha256 else identity(name, getattr(checkpoint, "filename", None)) if name else None

    def weight_folders(self) -> list[str]:
        """Where this UI keeps the files of TAESD and Approx NN."""
        folder = getattr(_find("paths"), "models_path", None)
        return [os.path.join(folder, name) for name in ("VAE-taesd", "VAE-approx")] if folder else []

    def guides_with_noise(self, sampler: Any) -> bool:
        """Whether what ``cfg_after_cfg`` gets is predicted noise: with A1111's samplers by timesteps (DDIM, PLMS, UniPC), not with Forge's."""
        return type(sampler).__name__ == "CompVisSampler" and not hasattr(sampler.model_wrap_cfg, "classic_ddim_eps_estimation")

    def recordings_folder(self) -> str:
        """Beside the UI's own outputs."""
        return os.path.join(getattr(_find("paths"), "data_path", "."), "outputs", "latentbridge")

    def has_own_grid(self) -> bool:
        """Whether the settings ask for another arrangement than round(sqrt(count)) rows, which is the host's."""
        return self.stored.get("n_rows", -1) != -1 or bool(self.stored.get("grid_prevent_empty_spots"))

    def rearrange(self, grid: Image.Image, count: int) -> Image.Image:
        """The host's grid of ``count`` pictures, arranged by the UI's own function."""
        rows = round(math.sqrt(count))
        columns = math.ceil(count / rows)
        width, height = grid.width / columns, grid.height / rows
        tiles = [grid.crop((round(i % columns * width), round(i // columns * height),
                            round((i % columns + 1) * width), round((i // columns + 1) * height))) for i in range(count)]
        return _find("images").image_grid(tiles)

    def _check_methods(self) -> None:
        numbers = getattr(self.samplers, "approximation_indexes", None)
        if not isinstance(numbers, dict) or CHEAP not in numbers.values():
            raise MissingHookPoint(f"modules.sd_samplers_common.approximation_indexes with a method of number {CHEAP}")
        try:
            choices = _choices(self.shared.opts.data_labels[METHODS])
        except (AttributeError, KeyError, TypeError):
            choices = None
        if not isinstance(choices, (list, tuple)):
            raise MissingHookPoint(f"a list of live-preview methods in the settings ({METHODS})")


def _choices(info: Any) -> Any:
    given = info.component_args
    return (given() if callable(given) else given)["choices"]


def _find(place: str) -> Any:
    module, _, name = place.partition(".")
    try:
        found = importlib.import_module(f"modules.{module}")
        return getattr(found, name) if name else found
    except (ImportError, AttributeError):
        raise MissingHookPoint(f"modules.{place}") from None
