"""The photographs that the maps were fitted to: every third of github.com/EliSchwartz/imagenet-sample-images, as PNG files.

    git clone https://github.com/EliSchwartz/imagenet-sample-images
    python3 pictures.py imagenet-sample-images pictures
"""

import sys
from pathlib import Path

from PIL import Image

SIDE = 512  # pixels at most

source, target = map(Path, sys.argv[1:])
target.mkdir(exist_ok=True)
for file in sorted(source.glob("*.JPEG"))[::3]:
    picture = Image.open(file).convert("RGB")
    picture.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
    if min(picture.size) >= 64:
        picture.save(target / f"{file.stem}.png")
