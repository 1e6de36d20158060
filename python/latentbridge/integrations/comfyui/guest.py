"""Previews for samplers of other packs that bring a callback of their own, such as tiled ones."""

from __future__ import annotations

import threading
from typing import Any

import latent_preview
from comfy_execution.progress import add_progress_handler

from ...preview import Preview
from .delivery import Destination
from .sampling import NodeEnd, format_id


class Guest(latent_preview.Latent2RGBPreviewer):
    """What core would give if somebody had asked for latent2rgb, with the pictures that LatentBridge made so far.

    Such a sampler wants an image at once, of core's own kind, and does with it what it likes. So it gets the newest finished one, mostly
    that of the step before, as a PIL image; until the first has come, and where a pack changed what core makes of a tensor, core's linear one.
    """

    def __init__(self, pack: Any, latent_format: Any, wish: Any, colours: dict[str, Any]) -> None:
        super().__init__(**colours)
        self._pack, self._wish, self._format = pack, wish, format_id(latent_format)
        self._thread = threading.get_ident()
        self._bridge: Any = None
        self._image: Any = None
        self._step = 0
        self.run = -1

    def decode_latent_to_preview(self, x0: Any) -> Any:
        try:
            # a core decode in another thread, or one that gives tensors, is somebody's own way: nothing of ours fits there
            if threading.get_ident() == self._thread and _makes_images() and self._submit(x0):
                return self._image
        except Exception as error:
            self._pack.say(f"a sampler of another pack keeps ComfyUI's own previews: {error!r}")
        return super().decode_latent_to_preview(x0)

    def arrived(self, preview: Preview) -> None:
        """A picture came. Called on the bridge's thread."""
        from PIL import Image

        self._image = Image.frombytes("RGB", (preview.width, preview.height), preview.data)

    def end(self) -> None:
        self._bridge.end(run=self.run)

    def _submit(self, x0: Any) -> bool:
        """Whether there is a picture to show, after this latent was sent on its way."""
        settings = self._pack.settings.changed(self._wish.settings)
        if not settings.enabled or self._pack.bridge.off_reason is not None:
            return False
        if self._bridge is not self._pack.bridge:
            self._begin(settings)
        self._bridge.submit(x0, run=self.run, step=self._step)
        self._step += 1
        return self._image is not None

    def _begin(self, settings: Any) -> None:
        destination = Destination.here()
        add_progress_handler(NodeEnd(self._pack, destination.node_id))
        self._bridge, self.run = self._pack.bridge, next(self._pack.runs)
        self._bridge.begin(run=self.run, latent_format=self._format, model=destination.model(),
                           **settings.options(self._wish.method, "rgb24"))
        self._pack.sampling = self


def _makes_images() -> bool:
    """Whether core's own function still makes a PIL image of a tensor."""
    return getattr(getattr(latent_preview, "preview_to_image", None), "__globals__", None) is vars(latent_preview)
