"""Nodes: LatentBridge Decode, Compare, Preview Settings."""

from __future__ import annotations

from typing import Any

import comfy.latent_formats
import comfy.utils
import torch

from ... import host_locator
from ..settings import Setting
from .correction import LatentBridgeCorrection
from .settings import TABLE

CATEGORY = "latent/LatentBridge"
PATIENCE_SECONDS = 300.0
OF_THE_PAGE_ALONE = ("api", "caption", "record", "calibrate", "host_mode")


def formats() -> list[str]:
    """The latent formats' ids; ``auto`` guesses from the number of channels."""
    return ["auto", *sorted(path.stem for path in (host_locator.ROOT / "models" / "formats").glob("*.json"))]


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

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {
            "samples": ("LATENT",),
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
    """The same latent through the C# decoder and through PyTorch, and what differs, amplified. Says in figures how much."""

    pack: Any = None
    DESCRIPTION = __doc__
    CATEGORY = CATEGORY
    FUNCTION = "compare"
    RETURN_TYPES = ("IMAGE", "IMAGE", "IMAGE", "STRING")
    RETURN_NAMES = ("csharp", "python", "difference", "figures")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {
            "samples": ("LATENT",),
            "latent_format": (formats()[1:], {"default": "SDXL"}),
            "decoder": (["latent2rgb", "taesd"], {"tooltip": "taesd needs its file in models/vae_approx"}),
            "amplify": ("INT", {"default": 32, "min": 1, "max": 255}),
        }}

    def compare(self, samples: dict[str, Any], latent_format: str, decoder: str, amplify: int) -> tuple[Any, ...]:
        from .. import comparison

        form = getattr(comfy.latent_formats, latent_format)()
        x0 = form.process_in(_plain(samples["samples"]).float())
        weights = comparison.taesd_file(latent_format, self.pack.folders) if decoder == "taesd" else None
        found = comparison.compare(self.pack.bridge, x0, latent_format, decoder, amplify, weights)
        return (*(picture[None].float() / 255 for picture in found[:3]), found.figures)


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
    return comparison.pixels(preview).float() / 255
