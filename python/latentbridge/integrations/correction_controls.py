"""The controls of the latent corrections, in the same words in every UI. Off unless somebody switches them on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ..corrections import Corrections, Window

_SDXL = Corrections.sdxl()


class Control(NamedTuple):
    """A slider."""

    default: float
    name: str
    tooltip: str
    minimum: float
    maximum: float
    step: float


CONTROLS = {
    "centre": Control(_SDXL.centre, "Centre", "This part of each channel's mean is taken out; 0: off", 0.0, 1.0, 0.05),
    "centre_until": Control(_SDXL.centre_window.end, "Centre until", "Part of the run", 0.0, 1.0, 0.05),
    "clamp": Control(_SDXL.clamp_threshold, "Soft clamp beyond", "Values beyond it are drawn in; 0: off", 0.0, 10.0, 0.1),
    "clamp_limit": Control(_SDXL.clamp_limit, "Soft clamp limit", "No value lies beyond it afterwards", 0.1, 10.0, 0.1),
    "clamp_until": Control(_SDXL.clamp_window.end, "Soft clamp until", "Part of the run", 0.0, 1.0, 0.05),
    "maximise": Control(_SDXL.maximise_range, "Maximise", "Each channel is scaled until its farthest value lies here; 0: off", 0.0, 10.0, 0.1),
    "maximise_from": Control(_SDXL.maximise_window.start, "Maximise from", "Part of the run", 0.0, 1.0, 0.05),
}


def corrections(values: Mapping[str, float], channels: int) -> Corrections:
    """What the controls say, for latents of so many channels; ``ValueError`` for what cannot be. Of SDXL's four, the last keeps its range."""
    chosen = {name: values.get(name, control.default) for name, control in CONTROLS.items()}
    return Corrections(
        centre=chosen["centre"], centre_window=Window(0.0, chosen["centre_until"]),
        clamp_threshold=chosen["clamp"] or None, clamp_limit=chosen["clamp_limit"], clamp_window=Window(0.0, chosen["clamp_until"]),
        maximise_range=chosen["maximise"] or None, maximise_channels=_SDXL.maximise_channels if channels == 4 else None,
        maximise_window=Window(chosen["maximise_from"], 1.0))
