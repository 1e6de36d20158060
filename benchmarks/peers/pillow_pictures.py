"""Peer of `latentbridge codec`: pictures by Pillow's JPEG and WebP in at most so many bytes.

python pillow_pictures.py FOLDER

Answers each line `N` on stdin with the milliseconds it took to compress FOLDER/N.rgb, after a first line that says who it is. FOLDER/N.json
holds {"width", "height", "budgets"}. For each budget the highest quality that fits is decoded again into FOLDER/N-KIND-QUALITY.rgb;
FOLDER/N.out.json lists them as {"kind", "quality", "bytes", "budgets"}. A budget that not even the lowest quality fits has no entry.
Ends with 3 when Pillow is not there.
"""

import io
import json
import sys
import time
from pathlib import Path

try:
    import PIL
    from PIL import Image, features
except ImportError:
    sys.exit(3)

# What these formats have to offer: Huffman tables of the picture's own, and WebP's slowest search.
KINDS = {"jpeg": {"format": "JPEG", "optimize": True}}
if features.check("webp"):
    KINDS["webp"] = {"format": "WEBP", "method": 6}

LOWEST, HIGHEST = 1, 100


def compress(picture, kind, quality):
    target = io.BytesIO()
    picture.save(target, quality=quality, **KINDS[kind])
    return target.getvalue()


def best_within(budget, sizes):
    """The highest quality whose file is not longer than the budget; sizes grow with the quality."""
    low, high = LOWEST - 1, HIGHEST
    while low < high:
        middle = (low + high + 1) // 2
        if len(sizes(middle)) <= budget:
            low = middle
        else:
            high = middle - 1
    return low if low >= LOWEST else None


def work(folder, number):
    job = json.loads((folder / f"{number}.json").read_text(encoding="utf-8"))
    picture = Image.frombytes("RGB", (job["width"], job["height"]), (folder / f"{number}.rgb").read_bytes())
    found = []
    for kind in KINDS:
        files = {}

        def sizes(quality, kind=kind, files=files):
            if quality not in files:
                files[quality] = compress(picture, kind, quality)
            return files[quality]

        budgets = {}
        for budget in job["budgets"]:
            quality = best_within(budget, sizes)
            if quality is not None:
                budgets.setdefault(quality, []).append(budget)
        for quality, fitting in budgets.items():
            decoded = Image.open(io.BytesIO(files[quality])).convert("RGB").tobytes()
            (folder / f"{number}-{kind}-{quality}.rgb").write_bytes(decoded)
            found.append({"kind": kind, "quality": quality, "bytes": len(files[quality]), "budgets": fitting})
    (folder / f"{number}.out.json").write_text(json.dumps(found), encoding="utf-8")


def main(folder):
    print(json.dumps({"name": f"Pillow {PIL.__version__}"}), flush=True)
    for line in sys.stdin:
        started = time.perf_counter()
        work(folder, int(line))
        print((time.perf_counter() - started) * 1000, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
