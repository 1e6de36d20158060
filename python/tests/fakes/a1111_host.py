"""The fake host with pictures that open: one colour for each latent of a batch, one pixel for each cell, PNG or RGB24 as asked.

The red of a picture is its latent's first value, rounded; so a test knows which latent it looks at. ``warn``: latents are said to be broken;
``warn=2``: the first two. ``note=TEXT``: why another decoder stands in.
"""

import math
import struct
import sys
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from latentbridge import protocol
from tests.fakes.fake_host import QUIRKS, FakeHost


def png(width, height, rows):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


class PictureHost(FakeHost):
    def digest(self, offset, header):
        batch, height, width = header.axes[0], header.axes[-2], header.axes[-1]
        single = {"run": header.run, "batch": "first", "encoding": "rgb24"}  # asked for by itself
        begun = next(begin for begin in (*reversed(self.begun), single) if begin["run"] == header.run)
        count = batch if begun["batch"] == "grid" else 1
        start, item = offset + protocol.SLOT_HEADER_LENGTH, header.length // batch
        reds = [int(struct.unpack_from("<f", self.memory, start + i * item)[0]) & 255 for i in range(count)]
        down = round(math.sqrt(count))
        across = math.ceil(count / down)
        rows = []
        for y in range(down * height):
            line = (reds + [0] * (down * across - count))[y // height * across:][:across]
            rows.append(b"".join(bytes((red, 0, 0)) * width for red in line))
        self.shape = (across * width, down * height, begun["encoding"])
        return b"".join(rows) if begun["encoding"] == "rgb24" else png(across * width, down * height, rows)

    warned = 0

    def remarks(self):
        if "note" in QUIRKS:
            return {"note": QUIRKS["note"]}
        if "warn" not in QUIRKS or self.warned >= int(QUIRKS["warn"] or 999):
            return {}
        self.warned += 1
        if "alarm" in QUIRKS:
            return {"alarm": QUIRKS["alarm"], "warnings": ["the picture is one flat colour"]}
        return {"warnings": ["7 values were NaN or infinite"]}

    def picture(self, header, data):
        width, height, encoding = self.shape
        slot = self.images.pop(0)
        number = protocol.ENCODINGS.index(encoding)
        protocol.write_image_header(self.memory, self.geometry.image_offset(slot), protocol.ImageHeader(
            self.generation, header.sequence, header.run, header.stream, header.step, header.total, header.flags, number,
            width, height, len(data)))
        start = self.geometry.image_offset(slot) + protocol.SLOT_HEADER_LENGTH
        self.memory[start:start + len(data)] = data
        return {"slot": slot, "sequence": header.sequence, "decoder": "fake", "decodeMilliseconds": 1, "encodeMilliseconds": 0, "waitMilliseconds": 0,
                **self.remarks()}


if __name__ == "__main__":
    PictureHost().serve()
