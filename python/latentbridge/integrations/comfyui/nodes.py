"""Nodes: LatentBridge Decode, Compare, Preview Settings."""

from __future__ import annotations

from typing import Any

import comfy.latent_formats
import comfy.utils
import torch

from ... import formats as latent_formats
from ..settings import Setting
from .correction import LatentBridgeCorrection
from .settings import TABLE

CATEGORY = "latent/LatentBridge"
PATIENCE_SECONDS = 300.0
OF_THE_PAGE_ALONE = ("caption", "record", "interrupt", "calibrate", "learn", "host_mode")


def formats() -> list[str]:
    """The latent formats' ids; ``auto`` guesses from the number of channels."""
    return ["auto", *latent_formats.ids()]


def mappings(pack: Any) -> dict[str, type]:
    """The node classes over this pack's bridge, by id."""
    kinds = (LatentBridgeDecode, LatentBridgeCompare, LatentBridgePreviewSettings)
    return {kind.__name__: type(kind.__name__, (kind,), {"pack": pack}) for kind in kinds} | {
        LatentBridgeCorrection.__name__: LatentBridgeCorrection}


class LatentBridgeDecode:
    """LATENT to IMAGE on the CPU, by any decoder; for a model whose VAE is not at hand, or for a quick look."""

    pack: Any = None
    DESCRIPTION = __doc__
    CATEGORY = CATEGORY
    FUNCTION = "decode"
    RETURN_TYPES = ("IMAGE",)
    OUTPUT_TOOLTIPS = ("All pictures of the batch, or all latent frames of the video",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {
            "samples": ("LATENT", {"tooltip": "As a sampler or Load Latent gives it"}),
            "latent_format": (formats(), {"tooltip": "Of the model that made the latent; auto guesses from the channels"}),
            "decoder": (cls.pack.decoders.known(), {"tooltip": "auto: the best within a second a picture"}),
        }}

    @classmethod
    def VALIDATE_INPUTS(cls, decoder: str) -> bool:
        return True  # a workflow from elsewhere may name a decoder that is not here: the host says so

    def decode(self, samples: dict[str, Any], latent_format: str, decoder: str) -> tuple[torch.Tensor]:
        latent = _plain(samples["samples"])
        frames = latent.shape[2] if latent.ndim == 5 else 1
        bar = comfy.utils.ProgressBar(latent.shape[0] * frames)
        wanted = [(item, frame) for item in range(latent.shape[0]) for frame in range(frames)]

        def picture(item: int, frame: int, size: int = 0) -> torch.Tensor:
            return _picture(self.pack, latent[item:item + 1], latent_format, decoder, frame, size)

        pictures = []
        for item, frame in wanted:
            pictures.append(picture(item, frame))
            bar.update(1)
        size = max(max(one.shape) for one in pictures)
        # auto may find a better decoder ready after the first pictures, of another size: those are made again
        pictures = [one if max(one.shape) == size else picture(item, frame, size) for one, (item, frame) in zip(pictures, wanted)]
        return (torch.stack(pictures),)


class LatentBridgeCompare:
    """The same latent through the C# decoder and through PyTorch, and what differs, amplified. Says in figures how much.
    Takes every picture of a batch and every latent frame of a video."""

    pack: Any = None
    DESCRIPTION = __doc__
    CATEGORY = CATEGORY
    FUNCTION = "compare"
    RETURN_TYPES = ("IMAGE", "IMAGE", "IMAGE", "STRING")
    RETURN_NAMES = ("csharp", "python", "difference", "figures")
    OUTPUT_TOOLTIPS = ("The pictures by LatentBridge's decoder in C#", "The same by PyTorch, from the same numbers",
                       "What differs, times amplify: black where nothing does", "One line a picture: size, times, largest and mean difference, PSNR")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {
            "samples": ("LATENT", {"tooltip": "As a sampler or Load Latent gives it"}),
            "latent_format": (formats()[1:], {"default": "SDXL", "tooltip": "Of the model that made the latent; one that does not fit is refused"}),
            "decoder": (["latent2rgb", "taesd"], {"tooltip": "taesd needs its file in models/vae_approx"}),
            "amplify": ("INT", {"default": 32, "min": 1, "max": 255, "tooltip": "The difference is multiplied by this, so that one step of 255 can be seen"}),
        }}

    def compare(self, samples: dict[str, Any], latent_format: str, decoder: str, amplify: int) -> tuple[Any, ...]:
        from .. import comparison

        latent = _plain(samples["samples"])
        comparison.check(latent.shape, latent_format, decoder)
        form = getattr(comfy.latent_formats, latent_format, None)
        if form is None:
            raise ValueError(f"this ComfyUI has no attribute comfy.latent_formats.{latent_format}, whose scale is needed; update ComfyUI, or choose another format")
        x0 = form().process_in(latent.float())
        weights = comparison.taesd_file(latent_format, self.pack.folders) if decoder == "taesd" else None
        pictures = [x0[item:item + 1] if x0.ndim == 4 else x0[item:item + 1, :, frame:frame + 1]
                    for item in range(x0.shape[0]) for frame in range(x0.shape[2] if x0.ndim == 5 else 1)]
        bar = comfy.utils.ProgressBar(len(pictures))
        found = []
        for picture in pictures:
            found.append(comparison.compare(self.pack.bridge, picture, latent_format, decoder, amplify, weights))
            bar.update(1)
        figures = [one.figures if len(found) == 1 else f"picture {number} of {len(found)}: {one.figures}" for number, one in enumerate(found, 1)]
        return (*(torch.stack(kind).float() / 255 for kind in list(zip(*found, strict=True))[:3]), "\n".join(figures))


class LatentBridgePreviewSettings:
    """Put it anywhere into a workflow, unconnected: its values go before the settings page's in that workflow."""

    pack: Any = None
    DESCRIPTION = __doc__
    CATEGORY = CATEGORY
    FUNCTION = "nothing"
    RETURN_TYPES = ()
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        decoders = cls.pack.decoders.known()
        return {"optional": {  # so that workflows of before a setting came still run
            name: _control(setting, decoders) for name, setting in TABLE.items() if name not in OF_THE_PAGE_ALONE}}

    @classmethod
    def VALIDATE_INPUTS(cls, decoder: str = "auto") -> bool:
        return True  # of one that is not here another takes the place

    def nothing(self, **values: Any) -> tuple[()]:
        return ()


def _control(setting: Setting, decoders: list[str]) -> tuple[Any, dict[str, Any]]:
    options = {"default": setting.default, "tooltip": setting.tooltip}
    if setting.choices:
        return decoders if setting.is_open else list(setting.choices), options
    if setting.range:
        return "INT", options | dict(zip(("min", "max", "step"), setting.range, strict=True))
    return "BOOLEAN", options


def _plain(latent: Any) -> torch.Tensor:
    """Of a nested latent the first stream."""
    return latent.tensors[0] if getattr(latent, "is_nested", False) else latent


def _picture(pack: Any, latent: torch.Tensor, latent_format: str, decoder: str, frame: int, size: int) -> torch.Tensor:
    """One picture ``[H,W,3]`` in 0..1 of a latent in the VAE's scale; ``size``: longest side, 0: the decoder's own."""
    from .. import comparison

    preview = comparison.decode(
        pack.bridge, latent, decoder, latent_format=None if latent_format == "auto" else latent_format, space="vae",
        timeout=PATIENCE_SECONDS, batch="first", frame=frame, size=size)
    for warning in preview.warnings:
        pack.say(warning)
    return comparison.pixels(preview).float() / 255
