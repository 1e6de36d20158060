"""A finished file in the clothes of a PIL image, for UIs that take an image and encode it themselves."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

from ..preview import Preview

QUALITY = 85


def ready_image(data: bytes) -> Image.Image:
    """An image that hands out ``data`` (a whole PNG, JPEG or WebP file) where its own format is asked for.

    The pixels are decoded only if somebody looks at them, or asks for another format or for metadata inside the file.
    """
    image = Image.open(io.BytesIO(data))
    own = image.format

    def save(file: Any, format: str | None = None, **options: Any) -> None:
        same = format is not None and format.upper().replace("JPG", "JPEG") == own
        if same and hasattr(file, "write") and options.get("pnginfo") is None and not options.get("exif"):
            file.write(data)
        else:
            Image.Image.save(image, file, format, **options)

    image.save = save  # type: ignore[method-assign]
    return image


def pixels(preview: Preview) -> Image.Image:
    """The picture of a preview in encoding ``rgb24``, without a copy."""
    return Image.frombuffer("RGB", (preview.width, preview.height), preview.data, "raw", "RGB", 0, 1)


def encode(image: Image.Image, format: str) -> bytes:
    """A whole file, by Pillow. For formats that the host does not write; never on a sampler's or a server's thread."""
    file = io.BytesIO()
    image.save(file, format, **({"compress_level": 1} if format == "png" else {"quality": QUALITY}))
    return file.getvalue()
