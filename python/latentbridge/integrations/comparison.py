"""The same latent by a C# decoder and by PyTorch, and what differs."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import torch

from .. import formats
from ..client import Bridge
from ..preview import Preview
from ..reference import latent2rgb, taesd

DECODERS = ("latent2rgb", "taesd")
IMAGE_TAESD = ("taesd", "taef")
"""How the names of TAESD's files for pictures begin; those of videos are built otherwise."""
LOADING_SECONDS = 10.0
LOOKING_MILLISECONDS = 2000


class Comparison(NamedTuple):
    """Three pictures ``[H,W,3]`` of bytes, the difference amplified, and the same in figures."""

    csharp: torch.Tensor
    python: torch.Tensor
    difference: torch.Tensor
    figures: str


def compare(bridge: Bridge, x0: torch.Tensor, latent_format: str, decoder: str, amplify: float, weights: str | None = None) -> Comparison:
    """Compares on the first picture of a latent in the sampler's scale, of a video on its first frame. ``weights`` is TAESD's file."""
    check(x0.shape, latent_format, decoder)
    x0 = (x0[:1] if x0.ndim == 4 else x0[:1, :, :1]).detach().float().cpu().contiguous()
    plane = x0 if x0.ndim == 4 else x0[:, :, 0]
    network = taesd.load(weights) if decoder == "taesd" else None
    started = time.perf_counter()
    found = latent2rgb.decode(plane, latent_format) if network is None else taesd.decode(plane, network)
    milliseconds = (time.perf_counter() - started) * 1e3
    python = (found[0] * 255 + 0.5).floor().byte().movedim(0, -1)

    preview = decode(bridge, x0, decoder, latent_format=latent_format)
    if preview.decoder != decoder:
        raise RuntimeError(f"the host decoded by {preview.decoder}; {decoder} is not there for {latent_format} (see /latentbridge/status)")
    csharp = pixels(preview)
    difference = (csharp.float() - python).abs()
    mean_square = float((difference / 255).square().mean())
    figures = (f"{latent_format}, {decoder}, {preview.width} x {preview.height}: C# {preview.decode_milliseconds:.1f} ms, PyTorch {milliseconds:.1f} ms; "
               f"largest difference {int(difference.max())} of 255, mean {float(difference.mean()):.4f}, "
               f"PSNR {'infinite' if mean_square == 0 else f'{-10 * math.log10(mean_square):.1f} dB'}")
    return Comparison(csharp, python, (difference * amplify).clamp(0, 255).byte(), figures)


def check(shape: Sequence[int], latent_format: str, decoder: str) -> None:
    """``ValueError`` with what helps, where a latent of this shape cannot be compared."""
    if (misfit := formats.misfit(shape, latent_format)) is not None:
        raise ValueError(misfit)
    numbers = formats.numbers(latent_format)
    if numbers["dimensions"] == 1:
        raise ValueError(f"{latent_format} is sound or 3D, which the PyTorch references do not decode; expected a format of pictures or videos")
    if decoder == "latent2rgb" and not numbers["rgb"]:
        raise ValueError(f"{latent_format} has no colour map, so latent2rgb does not decode it; choose the decoder taesd, or another format")
    tiny = numbers.get("tinyAutoencoder")
    if decoder == "taesd" and not (tiny or "").startswith(IMAGE_TAESD):
        raise ValueError(f"{latent_format} has {'the video decoder ' + tiny if tiny else 'no TAESD'}, and PyTorch's reference is for pictures' TAESD; "
                         "choose the decoder latent2rgb, or another format")


def decode(bridge: Bridge, x0: Any, decoder: str, **options: Any) -> Preview:
    """One latent by this decoder if it is there. While the host still loads it, it takes another, so this asks again."""
    end = time.monotonic() + LOADING_SECONDS
    while True:
        preview = bridge.decode(x0, decoder=decoder, encoding="rgb24", lastStepMilliseconds=1000, **options)
        if decoder in ("auto", preview.decoder) or time.monotonic() > end or not _is_there(bridge, decoder):
            return preview
        time.sleep(0.05)


def _is_there(bridge: Bridge, decoder: str) -> bool:
    """Whether the host has this decoder, or has not been there long enough to have looked."""
    host = bridge.status()["host"] or {}
    return host.get("uptimeMilliseconds", 0) < LOOKING_MILLISECONDS or any(
        found["id"] == decoder and not found["failure"] for found in host["decoders"])


def pixels(preview: Preview) -> torch.Tensor:
    """The bytes ``[H,W,3]`` of a preview in encoding ``rgb24``."""
    return torch.frombuffer(bytearray(preview.data), dtype=torch.uint8).reshape(preview.height, preview.width, 3)


def taesd_file(latent_format: str, folders: Iterable[str]) -> str:
    """TAESD's decoder for a latent format, under the name that the UIs give it."""
    folders = list(folders)
    stem = latent2rgb.load(latent_format).get("tinyAutoencoder", "taesd_decoder")
    for folder in folders:
        for suffix in (".safetensors", ".pth"):
            if os.path.isfile(path := os.path.join(folder, stem + suffix)):
                return path
    raise FileNotFoundError(f"{stem}.safetensors (or .pth) is in none of {', '.join(folders)}; the Python reference needs it")
