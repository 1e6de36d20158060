"""Makes the goldens of the TAEHV family beside this file with torch; weights as make_goldens.py describes.

    python3 make_video_goldens.py        needs torch and numpy; VERSIONS.txt says which made the committed files

The networks are written as in github.com/madebyollin/taehv, for all frames at once: a latent is [T,C,H,W]. ``picture`` holds the last
picture of each latent frame, and where it is named ``frames`` all of them, before any is dropped.
Never run this to make a failing test pass.
"""

import torch
from torch.nn import functional as F

from make_goldens import write
from make_network_goldens import Network


class Video(Network):
    leak = 0

    def act(self, x):
        return F.leaky_relu(x, self.leak)

    def relu(self):
        return self.add(self.act)

    def branch(self):
        branch = Video(0, self.channels)
        branch.numbers, branch.leak = self.numbers, self.leak
        return branch

    def memory_blocks(self, count):
        for _ in range(count):
            inner = self.branch()
            inner.channels *= 2
            inner.conv(self.channels).relu().conv(self.channels).relu().conv(self.channels)
            self.add(lambda x, inner=inner: self.act(inner(torch.cat([x, torch.cat([torch.zeros_like(x[:1]), x[:-1]])], 1)) + x))
        return self

    def grow_and_conv(self, frames, outputs, only_last=False):
        c = self.channels
        grow = self.numbers.take(1.5 / c**0.5, frames * c, c, 1, 1)
        grow = grow[-c:] if only_last else grow
        self.add(lambda x: F.conv2d(x, grow).reshape(-1, c, *x.shape[2:]))
        return self.conv(outputs, bias=False)

    def block_with_skip(self, outputs):
        inner = self.branch().conv(outputs)
        skip = self.branch().conv(outputs, bias=False, kernel=1)
        inner.relu().conv(outputs).relu().conv(outputs)
        self.channels = outputs
        return self.add(lambda x: F.relu(inner(x) + skip(x)))


def taehv(channels, patch, strides, leak=0, doublings=3, only_last=False):
    network = Video(31, channels)
    network.leak = leak
    network.clamp().conv(256).relu().memory_blocks(3)
    for i, (stride, width) in enumerate(zip(strides, (128, 64, 64))):
        network = network.double() if i < doublings else network
        network.grow_and_conv(stride, width, only_last)
        network = network.memory_blocks(3) if i < 2 else network.relu()
    network.conv(3 * patch * patch)
    return network.add(lambda x: F.pixel_shuffle(x, patch) if patch > 1 else x).add(lambda x: x * 0.5 + 0.5 if leak else x)


def with_past(x):
    return torch.cat([x, torch.cat([torch.zeros_like(x[:1]), x[:-1]])], 1)


class Wide(Video):
    """Its blocks mix within groups of 64 channels."""

    def grouped(self):
        c = self.channels
        weight, bias = self.numbers.take(1.5 / (64 * 9) ** 0.5, c, 64, 3, 3), self.numbers.take(0.2, c)
        return self.add(lambda x: F.conv2d(x, weight, bias, padding=1, groups=c // 64))

    def memory_blocks(self, count):
        for _ in range(count):
            inner = Wide(0, 2 * self.channels)
            inner.numbers = self.numbers
            inner.conv(self.channels, kernel=1).relu().grouped().relu().conv(self.channels, kernel=1).relu().grouped()
            self.add(lambda x, inner=inner: F.relu(inner(with_past(x)) + x))
        return self


def wide(channels, patch, strides):
    network = Wide(34, channels).clamp().conv(1024).relu().memory_blocks(3)
    for i, (stride, width) in enumerate(zip(strides, (512, 256, 64))):
        network.double().grow_and_conv(stride, width)
        network = network.memory_blocks(3) if i < 2 else network.relu()
    return network.conv(3 * patch * patch).add(lambda x: F.pixel_shuffle(x, patch))


class Super(Video):
    """Its blocks see 7 x 7 pixels, channel by channel."""

    def memory_blocks(self, count):
        c = self.channels
        for _ in range(count):
            depthwise = self.numbers.take(1.5 / 7, 2 * c, 1, 7, 7)
            inner = Super(0, 2 * c)
            inner.numbers = self.numbers
            inner.conv(4 * c, kernel=1).relu().conv(c, bias=False, kernel=1)
            self.add(lambda x, d=depthwise, inner=inner: inner(F.conv2d(with_past(x), d, padding=3, groups=2 * c)) + x)
        return self

    def unfold(self, outputs):
        self.conv(4 * outputs).relu().add(lambda x: F.pixel_shuffle(x, 2))
        self.channels = outputs
        return self

    def grow(self, frames):
        c = self.channels
        grow = self.numbers.take(1.5 / c**0.5, frames * c, c, 1, 1)
        return self.add(lambda x: F.conv2d(x, grow).reshape(-1, c, *x.shape[2:]))


def super_(channels, patch, strides):
    network = Super(35, channels).conv(512, bias=False, kernel=1).memory_blocks(3)
    for i, (stride, width) in enumerate(zip(strides, (256, 128, 64))):
        network.unfold(width).grow(stride)
        network = network.memory_blocks(3) if i < 2 else network
    return network.conv(3 * patch * patch).add(lambda x: F.pixel_shuffle(x, patch))


def qwen_image():
    network = Network(32, 64).clamp().conv(256).relu().blocks(3)
    for width, count in ((128, 3), (64, 3), (64, 1)):
        network.double().conv(width, bias=False).blocks(count)
    return network.conv(16).add(lambda x: F.pixel_shuffle(x, 2))


def h3_picture():
    network = Video(33, 24).clamp().conv(96).relu().blocks(3).double().conv(96, bias=False).blocks(3)
    network.double().conv(96, bias=False).block_with_skip(64).blocks(2)
    return network.double().conv(64, bias=False).blocks(2).double().conv(64, bias=False).blocks(1).conv(3)


def decode(name, network, channels, height, width, frames=3, every=False):
    latent = network.numbers.take(2, frames, channels, height, width)
    pictures = network(latent)
    print(name, float(pictures.abs().max()))
    kept = {"frames": pictures} if every else {}
    write(name, {"latent": latent, "picture": pictures[len(pictures) // frames - 1 :: len(pictures) // frames], **kept})


if __name__ == "__main__":
    with torch.no_grad():
        decode("taehv-16", taehv(16, 1, (1, 2, 2)), 16, 2, 3, every=True)
        decode("taehv-half-16", taehv(16, 1, (1, 2, 2), doublings=2, only_last=True), 16, 2, 3, frames=1)
        decode("taehv-cells-16", taehv(16, 1, (1, 2, 2), doublings=0, only_last=True), 16, 5, 7, frames=1)
        decode("taehv-leaky-32", taehv(32, 2, (1, 2, 2), leak=0.2), 32, 1, 2)
        decode("taehv-48", taehv(48, 2, (1, 2, 2)), 48, 2, 1)
        decode("taehv-128", taehv(128, 4, (2, 2, 2)), 128, 1, 2)
        decode("taehv-wide-128", wide(128, 4, (2, 2, 2)), 128, 2, 1)
        decode("taehv-super-48", super_(48, 2, (1, 2, 2)), 48, 2, 3)
        decode("taehv-super-32", super_(32, 2, (1, 2, 2)), 32, 1, 2)
        decode("taeqi-64", qwen_image(), 64, 1, 2, frames=1)
        decode("taeh3-picture-24", h3_picture(), 24, 1, 2, frames=1)
