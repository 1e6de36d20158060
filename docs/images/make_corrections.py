"""Makes corrections.png from the simulated SDXL run of the examples; needs torch, numpy and Pillow.

python docs/images/make_corrections.py
"""

import pathlib
import subprocess
import sys
import tempfile

import numpy
import torch
from PIL import Image, ImageDraw

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))

from latentbridge import safetensors  # noqa: E402
from latentbridge.corrections import Corrections  # noqa: E402
from latentbridge.recording import Recording  # noqa: E402

SIDE, GAP, CAPTION, STEPS = 192, 12, 18, (0, 2, 7)

_, tensors = safetensors.read(ROOT / "examples/latents/SDXL_run8.safetensors")
run = next(iter(tensors.values()))
latents = torch.from_numpy(numpy.frombuffer(run.data, dtype=numpy.float16).reshape(run.axes).copy())
sheet = Image.new("RGB", (len(STEPS) * (SIDE + GAP) + GAP, 2 * (SIDE + GAP + CAPTION)), (22, 24, 29))
draw = ImageDraw.Draw(sheet)
with tempfile.TemporaryDirectory() as folder:
    for row, (name, corrections) in enumerate((("before", Corrections()), ("after", Corrections.sdxl()))):
        path = pathlib.Path(folder, f"{name}.safetensors")
        with Recording(path, latent_format="SDXL") as recording:
            for step in range(len(latents)):
                recording.add(corrections.apply(latents[step:step + 1], step, len(latents)))
        subprocess.run([ROOT / "run.sh", "replay", path, "-o", folder, "--decoder", "tiny", "--size", str(SIDE)], check=True)
        for column, step in enumerate(STEPS):
            left, top = GAP + column * (SIDE + GAP), GAP + row * (SIDE + GAP + CAPTION)
            sheet.paste(Image.open(pathlib.Path(folder, f"{name}.tiny.{step:03}.png")), (left, top))
            draw.text((left, top + SIDE + 3), f"{name}, step {step + 1} of {len(latents)}", fill=(154, 160, 169))
sheet.quantize(256).save(ROOT / "docs/images/corrections.png", optimize=True)
