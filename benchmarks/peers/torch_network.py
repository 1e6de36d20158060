"""Peer of `latentbridge bench decoders`: the same network in PyTorch, on the CPU, as a UI would run it.

python torch_network.py KIND WEIGHTS INPUT CHANNELS HEIGHT WIDTH THREADS OUTPUT

KIND is taesd, taesd-half, tiny, taesd-encode or taehv (one latent frame, all of its pictures made and the last one kept). INPUT holds CHANNELS x HEIGHT x WIDTH little-endian F32: a latent, or a picture in 0..1.
Answers each line on stdin with the milliseconds of one run, after a first line that says who it is. The result of a run before that, F32, is
written to OUTPUT, for comparison. LATENTBRIDGE_TORCH_COMPILE=1 in the environment has torch.compile make the network faster. Ends with 3 when PyTorch is not there.
"""

import json
import os
import struct
import sys
import time

try:
    import torch
    from torch import nn
    from torch.nn import functional
except ImportError:
    sys.exit(3)

TYPES = {"F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32}


def read_safetensors(path):
    with open(path, "rb") as file:
        data = bytearray(file.read())
    length = struct.unpack_from("<Q", data)[0]
    header = json.loads(data[8:8 + length])
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            start, end = (8 + length + offset for offset in entry["data_offsets"])
            tensors[name] = torch.frombuffer(data[start:end], dtype=TYPES[entry["dtype"]]).reshape(entry["shape"]).float()
    return tensors


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(conv(64, 64), nn.ReLU(), conv(64, 64), nn.ReLU(), conv(64, 64))

    def forward(self, x):
        return torch.relu(self.conv(x) + x)


class Clamp(nn.Module):
    def forward(self, x):
        return torch.tanh(x / 3) * 3


def conv(inputs, outputs, bias=True):
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias)


def taesd(channels, half):
    up = nn.Upsample(scale_factor=2)
    return nn.Sequential(
        Clamp(), conv(channels, 64), nn.ReLU(),
        Block(), Block(), Block(), up, conv(64, 64, False),
        Block(), Block(), Block(), up, conv(64, 64, False),
        Block(), Block(), Block(), nn.Identity() if half else up, conv(64, 64, False),
        Block(), conv(64, 3))


class Tiny(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv_in = conv(channels, 64)
        self.blocks = nn.ModuleList(nn.ModuleList([conv(64, 64), conv(64, 64)]) for _ in range(4))
        self.conv_out = conv(64, 48)

    def forward(self, x):
        h = torch.relu(self.conv_in(torch.tanh(x / 3) * 3))
        for first, second in self.blocks:
            h = torch.relu(h + second(torch.relu(first(h))))
        return functional.pixel_shuffle(self.conv_out(h), 4) + 0.5


class MemoryBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Sequential(conv(2 * width, width), nn.ReLU(), conv(width, width), nn.ReLU(), conv(width, width))

    def forward(self, x):
        past = torch.cat([torch.zeros_like(x[:1]), x[:-1]])
        return torch.relu(self.conv(torch.cat([x, past], 1)) + x)


class Grow(nn.Module):
    def __init__(self, width, frames):
        super().__init__()
        self.width = width
        self.conv = nn.Conv2d(width, frames * width, 1, bias=False)

    def forward(self, x):
        return self.conv(x).reshape(-1, self.width, *x.shape[2:])


class LastPicture(nn.Module):
    def __init__(self, patch):
        super().__init__()
        self.patch = patch

    def forward(self, x):
        return functional.pixel_shuffle(x, self.patch)[-1:]


def taehv(tensors):
    def blocks(width):
        return (MemoryBlock(width) for _ in range(3))

    def grow(index, width):
        return Grow(width, tensors[f"{index}.conv.weight"].shape[0] // width)

    up, colours = nn.Upsample(scale_factor=2), tensors["22.weight"].shape[0]
    return nn.Sequential(
        Clamp(), conv(tensors["1.weight"].shape[1], 256), nn.ReLU(), *blocks(256),
        up, grow(7, 256), conv(256, 128, False), *blocks(128),
        up, grow(13, 128), conv(128, 64, False), *blocks(64),
        up, grow(19, 64), conv(64, 64, False), nn.ReLU(), conv(64, colours), LastPicture(int((colours / 3) ** 0.5)))


def encoder(channels):
    def halve():
        return nn.Conv2d(64, 64, 3, stride=2, padding=1, bias=False)

    return nn.Sequential(
        conv(3, 64), Block(),
        halve(), Block(), Block(), Block(),
        halve(), Block(), Block(), Block(),
        halve(), Block(), Block(), Block(), conv(64, channels))


def make(kind, weights, channels):
    tensors = read_safetensors(weights)
    if kind == "taesd-encode":
        network = encoder(tensors["14.weight"].shape[0])
    elif kind == "taehv":
        network = taehv(tensors)
    else:
        network = Tiny(channels) if kind == "tiny" else taesd(channels, kind == "taesd-half")
    network.load_state_dict(tensors)
    return network


@torch.inference_mode()
def main(kind, weights, source, channels, height, width, threads, output):
    torch.set_num_threads(threads)
    network = make(kind, weights, channels).eval()
    compiled = os.environ.get("LATENTBRIDGE_TORCH_COMPILE") == "1"
    network = torch.compile(network) if compiled else network
    with open(source, "rb") as file:
        values = torch.frombuffer(bytearray(file.read()), dtype=torch.float32).reshape(1, channels, height, width)

    def run():
        result = network(values)[0]
        return result if kind == "taesd-encode" else result.clamp_(0, 1)

    with open(output, "wb") as file:
        file.write(run().contiguous().numpy().tobytes())
    print(json.dumps({"name": f"PyTorch {torch.__version__}{' compiled' if compiled else ''}"}), flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        run()
        print((time.perf_counter() - started) * 1000, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:4], *map(int, sys.argv[4:8]), sys.argv[8])
