"""Wan2GP: its preview of four frames, made on the CPU by real decoders. ``plugin.py`` at the repository's root is its plugin.

Wan2GP copies each step's latents to the CPU and shows them from the page's thread, by a function that a plugin may replace. That
is done here, so nothing is added to a step.
"""

from __future__ import annotations

from typing import Any

from shared.utils.plugins import WAN2GPPlugin

from .. import _version
from .asked_picture import AskedPicture

FORMATS = {("wan", 16): "Wan21", ("wan", 48): "Wan22", ("qwen", 16): "Wan21", ("flux", 16): "Flux", ("hunyuan", 16): "HunyuanVideo"}
"""By family and channels: those whose colour factors in Wan2GP are ComfyUI's, so that the latents are in the numbers that are expected here."""
FRAMES = 4
HEIGHT = 200
"""Pixels of the picture's height, as the UI's own."""


class LatentBridgePlugin(WAN2GPPlugin):
    def __init__(self, picture: AskedPicture | None = None) -> None:
        super().__init__()
        self.name, self.version = "LatentBridge", _version.VERSION
        self.description = "Sharp previews, decoded on CPU cores"
        self._picture = picture
        self._own: Any = None

    def setup_ui(self) -> None:
        self.request_global("generate_preview")
        self.request_global("get_model_handler")

    def post_ui_setup(self, components: dict[str, Any]) -> dict[Any, Any]:
        """The globals are there by now. The page may be built again."""
        own = getattr(self, "generate_preview", None)
        if self._own is None and own is not None:
            self._own = own
            self._picture = self._picture or AskedPicture()
            self.set_global("generate_preview", self._preview)
        return {}

    def _preview(self, model_type: str, payload: Any) -> Any:
        """In place of ``generate_preview``: a PIL image, or None for no preview."""
        try:
            image = self._make(model_type, payload)
        except Exception as error:
            self._picture.say(f"a preview was left out, the UI's own is shown: {error!r}")
            image = None
        return self._own(model_type, payload) if image is None else image

    def _make(self, model_type: str, payload: Any) -> Any:
        latents = payload.get("latents") if isinstance(payload, dict) else payload
        if getattr(latents, "ndim", 0) != 4:  # [C,T,H,W]
            return None
        channels, count = latents.shape[:2]
        latent_format = FORMATS.get((self.get_model_handler(model_type).query_model_family(), channels))
        shown = [frame * count // min(FRAMES, count) for frame in range(min(FRAMES, count))]
        images = []
        for frame in shown:
            is_still = latent_format == "Flux"
            latent, chosen = (latents[None, :, frame], {}) if is_still else (latents[None], {"frame": frame})
            if (image := self._picture.make(latent, latent_format, **chosen)) is None:
                return None
            images.append(image)
        return _row(images) if images else None


def _row(images: list[Any]) -> Any:
    from PIL import Image

    width, height = images[0].size
    row = Image.new("RGB", (width * len(images), height))
    for number, image in enumerate(images):
        row.paste(image, (number * width, 0))
    return row.resize((max(1, row.width * HEIGHT // height), HEIGHT), Image.Resampling.BILINEAR)
