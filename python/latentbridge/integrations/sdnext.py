"""SD.Next: its live preview, made on the CPU. ``scripts/latentbridge.py`` calls ``install`` at each load of the UI's extensions.

SD.Next decodes when a browser asks, in the server's thread and on the sampler's device. It has computed x0 by then. Its function for one sample is
replaced; the callback of the pipeline is not touched, so a step costs nothing. Where a job ends the sampler's thread asks too: there, and
for the methods None and Full, the UI does what it did.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

from ..diffusers.latents import format_of
from .asked_picture import AskedPicture, as_format
from .settings import COMMON

SHOWN = "latentbridge_enabled"
DECODER, SIZE = "latentbridge_decoder", "latentbridge_size"

_here = threading.local()
_picture: AskedPicture | None = None
_undo: list[Callable[[], None]] = []


def install(picture: AskedPicture | None = None) -> None:
    """Joins the running UI; again after ``uninstall`` or another ``install``."""
    global _picture
    from modules import script_callbacks, sd_samplers_common, shared_state

    uninstall()
    _picture = picture or AskedPicture()
    _wrap(sd_samplers_common, "single_sample_to_image", _single_sample)
    _wrap(shared_state.State, "nextjob", _next_job)
    script_callbacks.on_ui_settings(_add_settings)
    script_callbacks.on_script_unloaded(uninstall)


def uninstall() -> None:
    """Leaves the UI as it was found."""
    global _picture
    while _undo:
        _undo.pop()()
    if _picture is not None:
        _picture.bridge.close()
        _picture = None


def _single_sample(original: Callable[..., Any], sample: Any, approximation: Any = None) -> Any:
    """In place of ``single_sample_to_image``. A caller that names an approximation wants that one."""
    image = _make(sample) if approximation is None and not getattr(_here, "is_sampling", False) else None
    return original(sample, approximation) if image is None else image


def _make(sample: Any) -> Any:
    if (picture := _picture) is None:
        return None
    try:
        from modules import modeldata, shared

        stored = shared.opts.data
        if not stored.get(SHOWN, True) or stored.get("show_progress_type") in ("None", "Full") or sample.ndim != 3:
            return None
        pipe = modeldata.model_data.sd_model  # shared.sd_model would load one
        if type(pipe).__name__.startswith("Ideogram4"):
            return None  # its latents are in the VAE's numbers here
        latent_format = format_of(pipe)
        return picture.make(as_format(sample, latent_format), latent_format, decoder=COMMON["decoder"].read(stored.get(DECODER)),
                            size=COMMON["size"].read(stored.get(SIZE)))
    except Exception as error:
        picture.say(f"a preview was left out, the UI's own is shown: {error!r}")
        return None


def _next_job(original: Callable[..., Any], *arguments: Any) -> Any:
    _here.is_sampling = True
    try:
        return original(*arguments)
    finally:
        _here.is_sampling = False


def _wrap(owner: Any, name: str, ours: Callable[..., Any]) -> None:
    original = getattr(owner, name)

    @functools.wraps(original)
    def wrapper(*arguments: Any, **named: Any) -> Any:
        return ours(original, *arguments, **named)

    def undo() -> None:
        if getattr(owner, name) is wrapper:  # else somebody put another one over it
            setattr(owner, name, original)

    setattr(owner, name, wrapper)
    _undo.append(undo)


def _add_settings() -> None:
    import gradio
    from modules import shared

    decoder, size = COMMON["decoder"], COMMON["size"]
    minimum, maximum, step = size.range
    section = ("live-preview", "Live Previews")
    for name, default, label, component, arguments in (
            (SHOWN, True, "LatentBridge makes the live previews", gradio.Checkbox, None),
            (DECODER, decoder.default, "LatentBridge: decoder", gradio.Dropdown, {"choices": list(decoder.choices)}),
            (SIZE, size.default, "LatentBridge: longest side (0: the decoder's own)", gradio.Slider, {"minimum": minimum, "maximum": maximum, "step": step})):
        shared.opts.add_option(name, shared.OptionInfo(default, label, component, arguments, section=section))
