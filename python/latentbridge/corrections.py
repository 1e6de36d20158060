"""Corrections of a latent that change the picture on purpose. Off unless a user asks for them; needs torch.

Three things people do to SDXL's latents between steps, each at chosen steps (fractions of the run):

- ``centre``: moves each channel's mean towards 0 (or brightness and colour alone), against a cast that the model drifts into;
- ``soft_clamp``: draws values beyond a threshold together, so that highlights keep their drawing;
- ``maximise``: scales each channel so that its extremes reach a range, for contrast the model left unused.

``Corrections`` says which of them happen when; ``apply`` returns the very tensor it was given when nothing is to be done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Window:
    """A part of the run: from ``start`` (its steps included) to ``end`` (not included, but 1 includes the last step), 0 to 1."""

    start: float = 0.0
    end: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end <= 1:
            raise ValueError(f"a window from {self.start} to {self.end}; expected 0 <= start <= end <= 1")

    def holds(self, step: int, total: int) -> bool:
        """Whether the 0-based step of a run of ``total`` lies in it."""
        place = step / max(total - 1, 1)
        return self.start < self.end and self.start <= place and (place < self.end or self.end == 1.0)


@dataclass(frozen=True)
class Corrections:
    """What happens to the denoised latent of a step. The defaults do nothing; ``sdxl()`` has the values usual for SDXL."""

    centre: float = 0.0
    centre_channels: tuple[int, ...] | None = None
    centre_window: Window = Window()
    clamp_threshold: float | None = None
    clamp_limit: float = 4.0
    clamp_window: Window = Window()
    maximise_range: float | None = None
    maximise_channels: tuple[int, ...] | None = None
    maximise_window: Window = Window()

    def __post_init__(self) -> None:
        if not 0 <= self.centre <= 1:
            raise ValueError(f"centre is {self.centre}; expected 0 (off) to 1")
        if self.clamp_threshold is not None and not 0 <= self.clamp_threshold < self.clamp_limit:
            raise ValueError(f"the clamp's threshold is {self.clamp_threshold}, its limit {self.clamp_limit}; expected 0 <= threshold < limit")
        if self.maximise_range is not None and not self.maximise_range > 0:
            raise ValueError(f"the range to reach is {self.maximise_range}; expected more than 0")

    @classmethod
    def sdxl(cls) -> Corrections:
        """Values to start from for SDXL, in the sampler's scale, after the example of T. A. Vass, "Explaining the SDXL latent space"
        (huggingface.co/blog/TimothyAlexisVass/explaining-the-sdxl-latent-space): there, of 1000 timesteps, those above 950 are clamped
        (its function's defaults are 3.5 and 4), above 700 centred by 0.8, below 100 maximised to 4 in the first three channels.
        docs/corrections.md says what is different here. Not tuned."""
        return cls(
            centre=0.8, centre_window=Window(0.0, 0.3),
            clamp_threshold=3.5, clamp_limit=4.0, clamp_window=Window(0.0, 0.05),
            maximise_range=4.0, maximise_channels=(0, 1, 2), maximise_window=Window(0.9, 1.0))

    @property
    def off(self) -> bool:
        """True when no step of any run is changed."""
        return self.centre == 0 and self.clamp_threshold is None and self.maximise_range is None

    def apply(self, latent: Any, step: int, total: int) -> Any:
        """The corrected latent ``[B,C,...]`` of a 0-based step, a new tensor of the same type; the same object when nothing is to be done.

        Each picture of a batch is corrected for itself; NaN and infinities stay where they are and spoil no other picture.
        """
        corrected = latent
        if self.clamp_threshold is not None and self.clamp_window.holds(step, total):
            corrected = soft_clamp(corrected, self.clamp_threshold, self.clamp_limit)
        if self.centre > 0 and self.centre_window.holds(step, total):
            corrected = centre(corrected, self.centre, self.centre_channels)
        if self.maximise_range is not None and self.maximise_window.holds(step, total):
            corrected = maximise(corrected, self.maximise_range, self.maximise_channels)
        return corrected


def centre(latent: Any, strength: float = 1.0, channels: tuple[int, ...] | None = None) -> Any:
    """Takes ``strength`` of each channel's mean out of it."""
    values, axes = latent.float(), tuple(range(2, latent.dim()))
    return (values - strength * _chosen(latent, channels) * values.mean(axes, keepdim=True)).to(latent.dtype)


def soft_clamp(latent: Any, threshold: float, limit: float) -> Any:
    """Values up to ``threshold`` stay; beyond, x becomes threshold + r tanh((x - threshold) / r), r = limit - threshold: without a kink, never past the limit."""
    values, rest = latent.float(), limit - threshold
    size = values.abs()
    clamped = values.sign() * (threshold + rest * ((size - threshold) / rest).tanh())
    return clamped.where(size > threshold, values).to(latent.dtype)


def maximise(latent: Any, reach: float, channels: tuple[int, ...] | None = None) -> Any:
    """Scales each channel about its mean so that what lies farthest from it lies ``reach`` away: never smaller, at most twice as large."""
    values, axes = latent.float(), tuple(range(2, latent.dim()))
    mean = values.mean(axes, keepdim=True)
    farthest = (values - mean).abs().amax(axes, keepdim=True)
    factor = (reach / farthest.clamp(min=1e-6)).clamp(min=1.0, max=2.0)
    return (mean + (values - mean) * (1 + (factor - 1) * _chosen(latent, channels))).to(latent.dtype)


def _chosen(latent: Any, channels: tuple[int, ...] | None) -> Any:
    """1 for the chosen channels and 0 for the others, as an axis of channels."""
    count = latent.shape[1]
    if channels is not None and not all(0 <= channel < count for channel in channels):
        raise ValueError(f"channels {channels} are chosen; the latent has {count}, counted from 0")
    mask = latent.new_zeros(count).float()
    mask[list(range(count) if channels is None else channels)] = 1.0
    return mask.view(1, count, *[1] * (latent.dim() - 2))
