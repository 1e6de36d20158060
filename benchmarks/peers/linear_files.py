"""Peer of `latentbridge bench engine`: a folder of SD1.5 latents made into pictures by latent2rgb, in plain NumPy and Pillow.

python linear_files.py LATENTS PICTURES

LATENTS holds safetensors files with one F16 tensor [4, height, width]. Ends with 3 when NumPy or Pillow is not there.
"""

import json
import sys
from pathlib import Path

try:
    import numpy
    import PIL
    from PIL import Image
except ImportError:
    sys.exit(3)

# ComfyUI's comfy/latent_formats.py, SD15.
FACTORS = numpy.array([[0.3512, 0.2297, 0.3227], [0.3250, 0.4974, 0.2350], [-0.2829, 0.1762, 0.2721], [-0.2120, -0.2616, -0.7177]], numpy.float32)


def main(latents, pictures):
    print(f"NumPy {numpy.__version__} and Pillow {PIL.__version__}")
    pictures.mkdir(exist_ok=True)
    for path in sorted(latents.iterdir()):
        data = path.read_bytes()
        length = int.from_bytes(data[:8], "little")
        shape = json.loads(data[8:8 + length])["latent"]["shape"]
        latent = numpy.frombuffer(data, numpy.float16, offset=8 + length).reshape(shape).astype(numpy.float32)
        colours = numpy.tensordot(latent, FACTORS, axes=([0], [0]))
        picture = ((colours + 1) * 127.5).clip(0, 255).astype(numpy.uint8)
        Image.fromarray(picture).save(pictures / f"{path.stem}.png", compress_level=1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
