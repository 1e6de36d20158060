"""The script "LatentBridge: compare": a generated picture's latent by the C# decoder, by PyTorch, and what differs, amplified."""

from __future__ import annotations

import math
import os
import time
from typing import Any

import numpy
from modules import processing, scripts, shared
from PIL import Image

from ..client import Bridge
from .a1111_ui import Ui

TAESD = {"SD15": "taesd_decoder", "SDXL": "taesdxl_decoder", "SD3": "taesd3_decoder", "Flux": "taef1_decoder"}
LOADING_SECONDS = 10.0


class Compare(scripts.Script):
    """Generates as usual and puts one more picture behind the others."""

    def title(self) -> str:
        return "LatentBridge: compare"

    def ui(self, is_img2img: bool) -> list[Any]:
        import gradio

        return [gradio.Radio(["latent2rgb", "taesd"], value="latent2rgb", label="Decoder"),
                gradio.Slider(minimum=1, maximum=255, step=1, value=32, label="Amplify the difference")]

    def run(self, p: Any, decoder: str, amplify: float) -> Any:
        processed = processing.process_images(p)
        x0 = shared.state.current_latent
        if x0 is None:
            raise RuntimeError("LatentBridge: the job left no latent to compare")
        ui = Ui()
        latent_format = ui.latent_format()
        with Bridge(models=ui.weight_folders()) as bridge:
            picture, figures = sheet(bridge, x0[:1].detach().float().cpu(), latent_format, decoder, amplify, ui.weight_folders())
        processed.images.append(picture)
        processed.infotexts.append(figures)
        processed.comments += "\n" + figures
        return processed


def sheet(bridge: Bridge, x0: Any, latent_format: str | None, decoder: str, amplify: float, folders: list[str]) -> tuple[Image.Image, str]:
    """C#, Python and the amplified difference side by side, and the same in figures. ``x0`` is a CPU tensor ``[1,C,H,W]``."""
    from ..reference import latent2rgb, taesd

    if latent_format is None:
        raise ValueError("the checkpoint's latent format is not known; nothing to compare with")
    network = taesd.load(_weights(latent_format, folders)) if decoder == "taesd" else None
    started = time.perf_counter()
    found = latent2rgb.decode(x0, latent_format) if network is None else taesd.decode(x0, network)
    milliseconds = (time.perf_counter() - started) * 1e3
    python = (found[0] * 255 + 0.5).floor().byte().permute(1, 2, 0).numpy()

    end = time.monotonic() + LOADING_SECONDS
    while True:  # while the host still loads a decoder it takes another
        preview = bridge.decode(x0, latent_format=latent_format, decoder=decoder, encoding="rgb24", lastStepMilliseconds=1000)
        if preview.decoder == decoder or time.monotonic() > end:
            break
        time.sleep(0.1)
    if preview.decoder != decoder:
        raise RuntimeError(f"the host decoded by {preview.decoder}; {decoder} is not there for {latent_format}")
    csharp = numpy.frombuffer(preview.data, numpy.uint8).reshape(preview.height, preview.width, 3)

    difference = numpy.abs(csharp.astype(numpy.float32) - python)
    mean_square = float(numpy.square(difference / 255).mean())
    shown = numpy.clip(difference * amplify, 0, 255).astype(numpy.uint8)
    figures = (f"{latent_format}, {decoder}, {preview.width} x {preview.height}: C# {preview.decode_milliseconds:.1f} ms, PyTorch {milliseconds:.1f} ms; "
               f"largest difference {int(difference.max())} of 255, mean {difference.mean():.4f}, "
               f"PSNR {'infinite' if mean_square == 0 else f'{-10 * math.log10(mean_square):.1f} dB'}; "
               f"left C#, middle PyTorch, right the difference x {amplify:g}")
    return Image.fromarray(numpy.concatenate((csharp, python, shown), axis=1)), figures


def _weights(latent_format: str, folders: list[str]) -> str:
    stem = TAESD.get(latent_format, "taesd_decoder")
    for folder in folders:
        for suffix in (".safetensors", ".pth"):
            if os.path.isfile(path := os.path.join(folder, stem + suffix)):
                return path
    raise FileNotFoundError(f"{stem}.pth is in none of {', '.join(folders)}; choose TAESD as live preview method once to get it, or use latent2rgb")
