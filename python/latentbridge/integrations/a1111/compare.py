"""The script "LatentBridge: compare": a generated picture's latent by the C# decoder, by PyTorch, and what differs, amplified."""

from __future__ import annotations

from typing import Any

from modules import processing, scripts, shared
from PIL import Image

from ...client import Bridge
from .ui import Ui


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
        with Bridge(models=ui.weight_folders()) as bridge:
            picture, figures = sheet(bridge, x0, ui.latent_format(), decoder, amplify, ui.weight_folders())
        processed.images.append(picture)
        processed.infotexts.append(figures)
        processed.comments += "\n" + figures
        return processed


def sheet(bridge: Bridge, x0: Any, latent_format: str | None, decoder: str, amplify: float, folders: list[str]) -> tuple[Image.Image, str]:
    """C#, Python and the amplified difference side by side, and the same in figures."""
    import torch

    from .. import comparison

    if latent_format is None:
        raise ValueError("the checkpoint's latent format is not known; nothing to compare with")
    weights = comparison.taesd_file(latent_format, folders) if decoder == "taesd" else None
    found = comparison.compare(bridge, x0, latent_format, decoder, amplify, weights)
    side_by_side = torch.cat((found.csharp, found.python, found.difference), dim=1)
    return Image.fromarray(side_by_side.numpy()), f"{found.figures}; left C#, middle PyTorch, right the difference x {amplify:g}"
