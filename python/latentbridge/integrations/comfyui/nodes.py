"""Nodes: LatentBridge Decode, Compare, Preview Settings."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import comfy.latent_formats
import comfy.utils
import folder_paths
import torch

from ... import host_locator
from .settings import SETTINGS_NODE, TABLE, Settings

CATEGORY = "latent/LatentBridge"
PATIENCE_SECONDS = 300.0


def formats() -> list[str]:
    """The latent formats' ids; ``auto`` guesses from the number of channels."""
    return ["auto", *sorted(path.stem for path in (host_locator.ROOT / "models" / "formats").glob("*.json"))]


def mappings(pack: Any) -> dict[str, type]:
    """The node classes over this pack's bridge, by id."""
    return {kind.__name__: type(kind.__name__, (kind,), {"pack": pack}) for kind in (LatentBridgeDecode, LatentBridgeCompare)} | {
        SETTINGS_NODE: LatentBridgePreviewSettings}


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
            "decoder": (list(TABLE["decoder"].choices), {"tooltip": "auto: the best within a second a picture"}),
        }}

    def decode(self, samples: dict[str, Any], latent_format: str, decoder: str) -> tuple[torch.Tensor]:
        latent = _plain(samples["samples"])
        frames = latent.shape[2] if latent.ndim == 5 else 1
        bar = comfy.utils.ProgressBar(latent.shape[0] * frames)
        pictures = []
        for item in range(latent.shape[0]):
            for frame in range(frames):
                pictures.append(_picture(self.pack, latent[item:item + 1], latent_format, "vae", decoder, frame)[0])
                bar.update(1)
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
        from ...reference import latent2rgb, taesd

        form = getattr(comfy.latent_formats, latent_format)()
        x0 = form.process_in(_plain(samples["samples"]).float())[:1]
        if x0.ndim != 4:
            raise ValueError(f"the latent's shape is {tuple(x0.shape)}; the Python references take pictures, [B,C,H,W]")
        if decoder == "taesd":
            network = taesd.load(_taesd_file(form.taesd_decoder_name))
        begin = time.perf_counter()
        found = latent2rgb.decode(x0, latent_format) if decoder == "latent2rgb" else taesd.decode(x0, network)
        milliseconds = (time.perf_counter() - begin) * 1e3
        python = (found[0] * 255 + 0.5).floor().movedim(0, -1)
        picture, preview = _picture(self.pack, x0, latent_format, "sampler", decoder, 0)
        csharp = (picture * 255).round()
        if preview.decoder != decoder:
            raise RuntimeError(f"the host decoded with {preview.decoder}; {decoder} is not there for {latent_format} (see /latentbridge/status)")
        difference = (csharp - python).abs()
        mean_square = float((difference / 255).square().mean())
        figures = (f"{latent_format}, {decoder}, {preview.width} x {preview.height}\n"
                   f"C# {preview.decode_milliseconds:.1f} ms, PyTorch {milliseconds:.1f} ms\n"
                   f"largest difference {int(difference.max())} of 255, mean {float(difference.mean()):.4f}\n"
                   f"PSNR {'infinite' if mean_square == 0 else f'{-10 * torch.log10(torch.tensor(mean_square)):.1f} dB'}")
        pictures = (csharp / 255, python / 255, (difference * amplify / 255).clamp(0, 1))
        return (*(one[None] for one in pictures), figures)


class LatentBridgePreviewSettings:
    """Put it anywhere into a workflow, unconnected: its values go before the settings page's in that workflow."""

    DESCRIPTION = __doc__
    CATEGORY = CATEGORY
    FUNCTION = "nothing"
    RETURN_TYPES = ()
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        defaults = Settings()
        return {"required": {name: _control(TABLE[name], getattr(defaults, name)) for name in TABLE if name not in ("api", "caption")}}

    def nothing(self, **values: Any) -> tuple[()]:
        return ()


def _control(setting: Any, default: Any) -> tuple[Any, dict[str, Any]]:
    options = {"default": default, "tooltip": setting.tooltip}
    if setting.choices:
        return list(setting.choices), options
    if setting.range:
        return "INT", options | dict(zip(("min", "max", "step"), setting.range, strict=True))
    return "BOOLEAN", options


def _plain(latent: Any) -> torch.Tensor:
    """Of a nested latent the first stream."""
    return latent.tensors[0] if getattr(latent, "is_nested", False) else latent


def _picture(pack: Any, latent: torch.Tensor, latent_format: str, space: str, decoder: str, frame: int) -> tuple[torch.Tensor, Any]:
    """One picture ``[H,W,3]`` in 0..1, and how it was made."""
    preview = pack.bridge.decode(
        latent, latent_format=None if latent_format == "auto" else latent_format, space=space, timeout=PATIENCE_SECONDS,
        decoder=decoder, encoding="rgb24", batch="first", frame=frame, size=0, lastStepMilliseconds=1000)
    pixels = torch.frombuffer(bytearray(preview.data), dtype=torch.uint8)
    return pixels.reshape(preview.height, preview.width, 3).float() / 255, preview


def _taesd_file(name: str | None) -> Path:
    for file in folder_paths.get_filename_list("vae_approx"):
        if name is not None and file.startswith(name):
            return Path(folder_paths.get_full_path("vae_approx", file))
    raise FileNotFoundError(f"models/vae_approx has no file that begins with {name}; the Python reference needs it")
