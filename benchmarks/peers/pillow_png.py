"""Peer of `latentbridge bench png`: Pillow's PNG encoder on the same pixels.

python pillow_png.py PIXELS WIDTH HEIGHT COUNT

PIXELS holds COUNT pictures of raw RGB. Answers each line `N` on stdin with the milliseconds of encoding picture N % COUNT once, after
a first line that says who it is and how many bytes the pictures take. Ends with 3 when Pillow is not there.
"""

import io
import json
import sys
import time

try:
    import PIL
    from PIL import Image, features
except ImportError:
    sys.exit(3)


def encode(picture):
    target = io.BytesIO()
    picture.save(target, "PNG", compress_level=1)
    return target.tell()


def main(path, width, height, count):
    with open(path, "rb") as file:
        pictures = [Image.frombytes("RGB", (width, height), file.read(3 * width * height)) for _ in range(count)]
    sizes = [encode(picture) for picture in pictures]
    name = f"Pillow {PIL.__version__} compress_level=1 (zlib {features.version('zlib')})"
    print(json.dumps({"name": name, "bytes": sum(sizes) / count}), flush=True)
    for line in sys.stdin:
        picture = pictures[int(line) % count]
        started = time.perf_counter()
        encode(picture)
        print((time.perf_counter() - started) * 1000, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:5]))
