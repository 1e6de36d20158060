"""Makes the goldens beside this file with torch, from networks whose weights any language can make again.

    python3 make_goldens.py        needs torch and numpy; VERSIONS.txt says which made the committed files

A number is the upper 24 bits of a linear congruential generator, brought to -1..1; tensors are filled in the order of their
architecture's list, weights scaled by 1.5 / sqrt(inputs x kernel area), biases by 0.2. The latent follows, scaled by 2.
Never run this to make a failing test pass.
"""

import json
import pathlib
import struct
import sys

import numpy
import torch
from torch.nn import functional as F

HERE = pathlib.Path(__file__).parent


class Numbers:
    def __init__(self, seed):
        self.state = seed

    def take(self, scale, *shape):
        values = numpy.empty(int(numpy.prod(shape)), numpy.float32)
        for i in range(values.size):
            self.state = (self.state * 1664525 + 1013904223) & 0xFFFFFFFF
            values[i] = numpy.float32(self.state >> 8) / numpy.float32(8388608) - numpy.float32(1)
        return torch.from_numpy((values * numpy.float32(scale)).reshape(shape))

    def convolution(self, outputs, inputs, kernel):
        return self.take(1.5 / (inputs * kernel * kernel) ** 0.5, outputs, inputs, kernel, kernel), self.take(0.2, outputs)

    def linear(self, outputs, inputs):
        return self.take(1.5 / inputs**0.5, outputs, inputs), self.take(0.2, outputs)


def write(name, tensors):
    header, data = {}, b""
    for key, tensor in tensors.items():
        raw = tensor.contiguous().numpy().astype("<f4").tobytes()
        header[key] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    head = json.dumps(header, separators=(",", ":")).encode()
    (HERE / f"{name}.safetensors").write_bytes(struct.pack("<Q", len(head)) + head + data)


def mlp(hidden):
    numbers = Numbers(12)
    widths = [4, *hidden, 3]
    layers = [numbers.linear(o, i) for i, o in zip(widths, widths[1:])]
    latent = numbers.take(2, 1, 4, 5, 7)
    x = latent.permute(0, 2, 3, 1)
    for weight, bias in layers[:-1]:
        x = F.silu(F.linear(x, weight, bias))
    x = F.linear(x, *layers[-1])
    write("mlp-" + "-".join(map(str, hidden)), {"latent": latent, "picture": x.permute(0, 3, 1, 2)})


if __name__ == "__main__":
    with torch.no_grad():
        mlp([12, 12])
        mlp([10, 10, 10])
    (HERE / "VERSIONS.txt").write_text(f"python {sys.version.split()[0]}\nnumpy {numpy.__version__}\ntorch {torch.__version__}\n")
