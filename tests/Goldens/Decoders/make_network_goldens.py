"""Makes the goldens of the convolutional networks beside this file with torch; weights as make_goldens.py describes.

    python3 make_network_goldens.py        needs torch and numpy; VERSIONS.txt says which made the committed files

The networks are written as in github.com/madebyollin/taesd, the tensors in the order of that list of layers.
Never run this to make a failing test pass.
"""

import torch
from torch.nn import functional as F

from make_goldens import Numbers, write


class Network:
    """Layers take their weights from the numbers when they are made and run one after the other."""

    def __init__(self, seed, channels):
        self.numbers, self.channels, self.layers = Numbers(seed), channels, []

    def conv(self, outputs, bias=True, stride=1, kernel=3):
        weight = self.numbers.take(1.5 / (self.channels * kernel * kernel) ** 0.5, outputs, self.channels, kernel, kernel)
        offset = self.numbers.take(0.2, outputs) if bias else None
        self.channels = outputs
        return self.add(lambda x: F.conv2d(x, weight, offset, stride=stride, padding=kernel // 2))

    def add(self, layer):
        self.layers.append(layer)
        return self

    def clamp(self):
        return self.add(lambda x: 3 * torch.tanh(x / 3))

    def relu(self):
        return self.add(F.relu)

    def double(self):
        return self.add(lambda x: F.interpolate(x, scale_factor=2, mode="nearest"))

    def branch(self):
        branch = Network(0, self.channels)
        branch.numbers = self.numbers
        return branch

    def pool(self):
        """x + W2 relu(GroupNorm(W1 x))"""
        c = self.channels
        widen = self.branch().conv(4 * c, bias=False, kernel=1)
        scale, shift = self.numbers.take(0.2, 4 * c), self.numbers.take(0.2, 4 * c)
        narrow = widen.branch().conv(c, bias=False, kernel=1)
        return self.add(lambda x: x + narrow(F.relu(F.group_norm(widen(x), 4, scale, shift, 1e-5))))

    def blocks(self, count, convolutions=3, pools=False):
        for _ in range(count):
            if pools:
                self.pool()
            inner = self.branch()
            for i in range(convolutions):
                inner = inner.relu() if i else inner
                inner.conv(self.channels)
            self.add(lambda x, inner=inner: F.relu(inner(x) + x))
        return self

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


def tiny(channels):
    network = Network(21, channels).clamp().conv(64).relu().blocks(4, 2).conv(48)
    return network.add(lambda x: F.pixel_shuffle(x, 4) + 0.5)


def decoder(channels, pools=False, half=False):
    network = Network(22, channels).clamp().conv(64).relu().blocks(3, pools=pools)
    network.double().conv(64, bias=False).blocks(3).double().conv(64, bias=False).blocks(3)
    network = network if half else network.double()
    return network.conv(64, bias=False).blocks(1).conv(3)


def sana_decoder():
    network = Network(23, 32).clamp().conv(256).relu().blocks(3)
    for width, count in ((128, 3), (64, 3), (64, 3), (64, 3), (64, 1)):
        network.double().conv(width, bias=False).blocks(count)
    return network.conv(3)


def encoder(channels, pools=False):
    network = Network(24, 3).conv(64).blocks(1)
    for last in (False, False, True):
        network.conv(64, bias=False, stride=2).blocks(3, pools=pools and last)
    return network.conv(channels)


def sana_encoder():
    network = Network(25, 3).conv(32, stride=2).relu().conv(64, stride=2).relu().blocks(1)
    for _ in range(3):
        network.conv(64, bias=False, stride=2).blocks(3)
    return network.conv(32)


def decode(name, network, channels, height, width):
    latent = network.numbers.take(2, 1, channels, height, width)
    write(name, {"latent": latent, "picture": network(latent)})


def encode(name, network, height, width):
    picture = network.numbers.take(0.5, 1, 3, height, width) + 0.5
    write(name, {"latent": network(picture), "picture": picture})


if __name__ == "__main__":
    with torch.no_grad():
        decode("tiny-4", tiny(4), 4, 5, 7)
        decode("tiny-32", tiny(32), 32, 3, 9)
        decode("taesd-4", decoder(4), 4, 5, 7)
        decode("taesd-16", decoder(16), 16, 1, 6)
        decode("taesd-half-4", decoder(4, half=True), 4, 7, 5)
        decode("taesd-groupnorm-32", decoder(32, pools=True), 32, 5, 7)
        decode("taesana-decoder-32", sana_decoder(), 32, 1, 2)
        encode("taesd-encoder-4", encoder(4), 53, 39)
        encode("taesd-encoder-groupnorm-32", encoder(32, pools=True), 37, 61)
        encode("taesana-encoder-32", sana_encoder(), 65, 97)
