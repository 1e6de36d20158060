"""A finished file in the clothes of a PIL image, for UIs that take an image and encode it themselves."""

from __future__ import annotations

import functools
import io
from typing import Any

from ..preview import Preview

QUALITY = 85


class ReadyImage:
    """Hands out its file (a whole PNG, JPEG or WebP) where that is asked for; anything else is the decoded PIL image's, made at need."""

    mode = "RGB"
    is_animated = False

    def __init__(self, data: bytes, format: str, size: tuple[int, int], passes_for: str | None = None) -> None:
        """``format`` as Pillow names it; ``passes_for`` is the one to be asked for, where the UI knows no better."""
        self.data, self.format, self.size = data, format, size
        self.width, self.height = size
        self.passes_for = passes_for or format

    def save(self, file: Any, format: str | None = None, **options: Any) -> None:
        """Writes the file as it is; by Pillow where another format, metadata or a file's name is given."""
        is_ready = format is None or self._is_handed_out_as(format.upper().replace("JPG", "JPEG"))
        if is_ready and hasattr(file, "write") and options.get("pnginfo") is None and not options.get("exif"):
            file.write(self.data)
        else:
            self._image.save(file, format, **options)

    def convert(self, mode: str | None = None, *arguments: Any, **options: Any) -> Any:
        """Itself where nothing is to be converted. A UI asks for RGB before it saves, and a converted picture would be encoded again."""
        return self if mode == self.mode and not arguments and not options else self._image.convert(mode, *arguments, **options)

    def _is_handed_out_as(self, format: str) -> bool:
        return format == self.passes_for

    @functools.cached_property
    def _image(self) -> Any:
        from PIL import Image

        return Image.open(io.BytesIO(self.data))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") and name != "__array_interface__":
            raise AttributeError(name)
        return getattr(self._image, name)


class FilmImage(ReadyImage):
    """A file that moves. Under any other name than its own and the one it passes for it is a still."""

    is_animated = True

    def _is_handed_out_as(self, format: str) -> bool:
        return format in (self.format, self.passes_for)


def pixels(preview: Preview) -> Any:
    """The PIL image of a preview in encoding ``rgb24``, without a copy."""
    from PIL import Image

    return Image.frombuffer("RGB", (preview.width, preview.height), preview.data, "raw", "RGB", 0, 1)


def encode(image: Any, format: str) -> bytes:
    """A whole file, by Pillow: of a picture that the UI arranged itself, or in a format that the host does not write. Never on a sampler's or a server's thread."""
    file = io.BytesIO()
    image.save(file, format, **({"compress_level": 1} if format == "png" else {"quality": QUALITY}))
    return file.getvalue()
