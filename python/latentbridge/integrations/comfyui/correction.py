"""The node LatentBridge Correction: the one thing here that changes pictures, because somebody asks for it."""

from __future__ import annotations

from functools import partial
from typing import Any

from ...corrections import Corrections
from ..correction_controls import CONTROLS, corrections


class LatentBridgeCorrection:
    """Changes the picture on purpose: centres the latent, draws outliers in, widens its range at chosen parts of the run
    (docs/corrections.md). Not enabled, the model goes through untouched."""

    DESCRIPTION = __doc__
    CATEGORY = "latent/LatentBridge"
    FUNCTION = "patch"
    RETURN_TYPES = ("MODEL",)
    OUTPUT_TOOLTIPS = ("The same model, whose denoised latents are changed at each step",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        sliders = {
            name: ("FLOAT", {"default": control.default, "min": control.minimum, "max": control.maximum, "step": control.step,
                             "tooltip": f"{control.name}: {control.tooltip}"})
            for name, control in CONTROLS.items()}
        return {"required": {
            "model": ("MODEL", {"tooltip": "The model that samples"}),
            "enabled": ("BOOLEAN", {"default": False, "tooltip": "Off: the model goes through untouched"}), **sliders}}

    def patch(self, model: Any, enabled: bool, **values: float) -> tuple[Any]:
        chosen = corrections(values, model.model.latent_format.latent_channels) if enabled else Corrections()
        if chosen.off:
            return (model,)
        patched = model.clone()
        patched.set_model_sampler_post_cfg_function(partial(_correct, chosen))
        return (patched,)


def _correct(chosen: Corrections, arguments: dict[str, Any]) -> Any:
    """The denoised latent of a model call, in place of what guidance made of it."""
    return chosen.apply(arguments["denoised"], *_place(arguments))


def _place(arguments: dict[str, Any]) -> tuple[int, int]:
    """The 0-based step of a model call and their number. Calls between two steps (Heun, DPM++ SDE) belong to the step they began in."""
    sigmas = arguments["model_options"].get("transformer_options", {}).get("sample_sigmas")
    if sigmas is None:
        raise RuntimeError("LatentBridge Correction: this sampler does not say which step it is at; take the node out or another sampler")
    total = max(len(sigmas) - 1, 1)
    reached = int((sigmas >= arguments["sigma"].max() * 0.9999).sum())
    return min(max(reached - 1, 0), total - 1), total
