"""The photographs and drawings that tiny decoders are retrained on, from Debian's packages, as PNG files of 512 x 512.

    apt-get download gnome-backgrounds mate-backgrounds lomiri-wallpapers-16.04 lomiri-wallpapers-20.04 ukui-wallpapers \
        plasma-workspace-wallpapers sway-backgrounds tuxpaint-stamps-default stellarium-data openclipart-png supertux-data \
        wesnoth-1.16-{tsg,ttb,trow,httt,did,dm,ei,nr,sof,utbs,thot,sotbe,l,low,dw}
    for d in *.deb; do dpkg-deb -x $d x/${d%%_*}; done
    python3 pictures.py x pictures
"""

import random
import sys
from pathlib import Path

from PIL import Image, ImageEnhance

SIDE = 512
Image.MAX_IMAGE_PIXELS = None
# Kind, where, how many pictures of 512 x 512.
SOURCES = [
    ("photo", "mate-backgrounds lomiri-wallpapers-16.04 lomiri-wallpapers-20.04 ukui-wallpapers gnome-backgrounds", 140),
    ("photo", "stellarium-data/usr/share/stellarium/landscapes", 30),
    ("photo", "tuxpaint-stamps-default/usr/share/tuxpaint/stamps/animals tuxpaint-stamps-default/usr/share/tuxpaint/stamps/food tuxpaint-stamps-default/usr/share/tuxpaint/stamps/plants", 70),
    ("drawing", "openclipart-png", 110),
    ("drawing", " ".join(f"wesnoth-1.16-{name}" for name in "tsg ttb trow httt did dm ei nr sof utbs thot sotbe l low dw".split()), 100),
    ("drawing", "supertux-data/usr/share/games/supertux2/images/background supertux-data/usr/share/games/supertux2/images/tiles supertux-data/usr/share/games/supertux2/images/creatures", 30),
    ("drawing", "plasma-workspace-wallpapers sway-backgrounds", 40),
]


def files(source: Path, places: str) -> list[Path]:
    found = (file for place in places.split() for file in sorted((source / place).rglob("*")))
    return [file for file in found if file.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp") and not file.is_symlink() and file.stat().st_size > 20_000]


def opaque(picture: Image.Image, chance: random.Random) -> Image.Image:
    """On white, or on some colour."""
    picture = picture.convert("RGBA")
    colour = (255, 255, 255) if chance.random() < 0.4 else tuple(chance.randrange(256) for _ in range(3))
    ground = Image.new("RGBA", picture.size, (*colour, 255))
    return Image.alpha_composite(ground, picture).convert("RGB")


def square(picture: Image.Image, chance: random.Random) -> Image.Image:
    """A random part, at a random size."""
    width, height = picture.size
    part = min(min(width, height), max(SIDE, int(min(width, height) * chance.uniform(0.3, 1))))
    left, top = chance.randrange(width - part + 1), chance.randrange(height - part + 1)
    return picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS, (left, top, left + part, top + part), reducing_gap=2)


def main() -> None:
    source, target = map(Path, sys.argv[1:])
    target.mkdir(exist_ok=True)
    chance = random.Random(1)
    for number, (kind, places, count) in enumerate(SOURCES):
        found = files(source, places)
        if not found:
            sys.exit(f"{places}: no pictures below {source}")
        chance.shuffle(found)
        for i in range(count):
            with Image.open(found[i % len(found)]) as file:
                picture = square(opaque(file, chance), chance)
            if chance.random() < 0.5:
                picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            if chance.random() < 0.4:
                picture = ImageEnhance.Color(picture).enhance(chance.uniform(0.3, 2))
                picture = ImageEnhance.Brightness(picture).enhance(chance.uniform(0.5, 1.3))
            picture.save(target / f"{kind}-{number}-{i:03}.png")


if __name__ == "__main__":
    main()
