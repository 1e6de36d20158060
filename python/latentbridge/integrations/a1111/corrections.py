"""The script "LatentBridge: corrections": changes the denoised latent between steps, and so the picture. There if its setting is on."""

from __future__ import annotations

import logging
from typing import Any

from modules import scripts, shared

from ..correction_controls import CONTROLS, corrections
from . import settings
from .ui import Ui

log = logging.getLogger("latentbridge")

_job: tuple[Any, dict[str, float]] | None = None
"""The job that is corrected, and what its controls say."""


class CorrectionScript(scripts.Script):
    """An accordion among the others, where the setting asks for it. With its box not ticked, nothing is touched."""

    def title(self) -> str:
        return "LatentBridge: corrections"

    def show(self, is_img2img: bool) -> Any:
        return scripts.AlwaysVisible if settings.read(shared.opts.data)["corrections"] else False

    def ui(self, is_img2img: bool) -> list[Any]:
        import gradio

        with gradio.Accordion(self.title(), open=False):
            is_on = gradio.Checkbox(value=False, label="Correct the latent between steps (changes the picture)")
            sliders = [gradio.Slider(minimum=control.minimum, maximum=control.maximum, step=control.step, value=control.default,
                                     label=f"{control.name} ({control.tooltip})") for control in CONTROLS.values()]
        return [is_on, *sliders]

    def process(self, p: Any, is_on: bool = False, *values: float) -> None:
        global _job
        _job = None
        if is_on:
            chosen = dict(zip(CONTROLS, values, strict=False))
            corrections(chosen, 4)  # says what cannot be before the job begins; the UI shows it and goes on without
            p.extra_generation_params["LatentBridge corrections"] = " ".join(f"{name} {value:g}" for name, value in chosen.items())
            _job = (p, chosen)

    def postprocess(self, p: Any, processed: Any, *_: Any) -> None:
        global _job
        _job = None


def install() -> None:
    """Called by the UI's script for each (re)load, before the class above is looked for."""
    ui = Ui()

    def correct(params: Any) -> None:
        if _job is None:
            return
        p, chosen = _job
        if ui.guides_with_noise(p.sampler):
            log.warning("LatentBridge: no corrections with %s, which is guided by noise and not by pictures; choose a sampler of k-diffusion",
                        p.sampler_name)
            return
        denoiser = p.sampler.model_wrap_cfg
        params.x = corrections(chosen, params.x.shape[1]).apply(params.x, denoiser.step, denoiser.total_steps or params.total_sampling_steps)

    ui.on("cfg_after_cfg", correct)
