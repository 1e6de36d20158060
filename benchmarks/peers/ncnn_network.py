"""Peer of `latentbridge bench decoders`, `threads` and `video`: the same network in ncnn, in F32 on the CPU.

LATENTBRIDGE_NCNN=/path/of/libncnn.so python ncnn_network.py KIND WEIGHTS INPUT CHANNELS HEIGHT WIDTH THREADS OUTPUT

Files and answers as in torch_network.py. The library is a shared build of ncnn with its C interface (``cmake -DNCNN_SHARED_LIB=ON -DNCNN_VULKAN=OFF``). Activations are
part of the convolutions, as ``ncnnoptimize`` makes them. Of a video only the frames are computed that the last picture needs. Ends with 3 where the variable is not set.
"""

import ctypes
import json
import os
import struct
import sys
import time
from array import array


def read_safetensors(path):
    """Name to shape and F32."""
    with open(path, "rb") as file:
        data = file.read()
    length = struct.unpack_from("<Q", data)[0]
    tensors = {}
    for name, entry in json.loads(data[8:8 + length]).items():
        if name != "__metadata__":
            start, end = (8 + length + offset for offset in entry["data_offsets"])
            tensors[name] = (entry["shape"], floats(data[start:end], entry["dtype"]))
    return tensors


def floats(data, kind):
    if kind == "F16":
        return array("f", struct.unpack(f"<{len(data) // 2}e", data))
    if kind == "BF16":
        data = b"".join(b"\0\0" + data[i:i + 2] for i in range(0, len(data), 2))
    return array("f", data)


class Graph:
    """ncnn's text of layers and its file of weights. A blob is a number."""

    def __init__(self, tensors):
        self.tensors, self.layers, self.weights, self.blobs = tensors, [], bytearray(), 0

    def add(self, kind, inputs, parameters="", name=None):
        self.layers.append((kind, inputs, self.blobs, parameters))
        self.blobs += 1
        return self.blobs - 1

    def conv(self, x, name, relu=False, stride=1, part=None):
        """``part`` takes a range of the weights' inputs."""
        (outputs, inputs, side, _), values = self.tensors[f"{name}.weight"]
        if part is not None:
            inner, first, last = side * side, *part
            values = array("f", b"".join(values[(o * inputs + first) * inner:(o * inputs + last) * inner].tobytes() for o in range(outputs)))
        bias = self.tensors.get(f"{name}.bias")
        self.weights += struct.pack("<I", 0) + values.tobytes() + (bias[1].tobytes() if bias else b"")
        return self.add("Convolution", [x], f"0={outputs} 1={side} 3={stride} 4={side // 2} 5={int(bias is not None)} 6={len(values)} 9={int(relu)}")

    def sum(self, a, b):
        return self.add("ReLU", [self.add("BinaryOp", [a, b], "0=0")])

    def scalar(self, x, operation, value):
        return self.add("BinaryOp", [x], f"0={operation} 1=1 2={value}")

    def clamp(self, x):
        return self.scalar(self.add("TanH", [self.scalar(x, 3, 3.0)]), 2, 3.0)

    def double(self, x):
        return self.add("Interp", [x], "0=1 1=2.0 2=2.0")

    def block(self, x, name):
        y = self.conv(self.conv(x, f"{name}.conv.0", relu=True), f"{name}.conv.2", relu=True)
        return self.sum(self.conv(y, f"{name}.conv.4"), x)

    def text(self):
        """A blob has one reader in ncnn: ``Split`` makes as many as there are."""
        readers, lines, blobs = {}, [], self.blobs
        for _, inputs, _, _ in self.layers:
            for x in inputs:
                readers[x] = readers.get(x, 0) + 1
        copies = {}
        for number, (kind, inputs, output, parameters) in enumerate(self.layers):
            names = [copies[x].pop() if x in copies else f"b{x}" for x in inputs]
            lines.append(f"{kind} l{number} {len(inputs)} 1 {' '.join(names)} b{output} {parameters}")
            if readers.get(output, 0) > 1:
                copies[output] = [f"b{output}_{i}" for i in range(readers[output])]
                blobs += readers[output]
                lines.append(f"Split s{number} 1 {readers[output]} b{output} {' '.join(copies[output])}")
        return f"7767517\n{len(lines)} {blobs}\n" + "\n".join(lines) + "\n"


def taesd(graph, x, half):
    x = graph.conv(graph.clamp(x), "1", relu=True)
    layer = 3
    for stage in range(3):
        for _ in range(3):
            x = graph.block(x, str(layer))
            layer += 1
        x = x if half and stage == 2 else graph.double(x)
        x = graph.conv(x, str(layer + 1))
        layer += 2
    return graph.conv(graph.block(x, str(layer)), str(layer + 1))


def tiny(graph, x):
    h = graph.conv(graph.clamp(x), "conv_in", relu=True)
    for number in range(4):
        h = graph.sum(h, graph.conv(graph.conv(h, f"blocks.{number}.0", relu=True), f"blocks.{number}.1"))
    return graph.scalar(graph.add("PixelShuffle", [graph.conv(h, "conv_out")], "0=4"), 0, 0.5)


def encoder(graph, x):
    x = graph.block(graph.conv(x, "0"), "1")
    for first in (2, 6, 10):
        x = graph.conv(x, str(first), stride=2)
        for number in range(first + 1, first + 4):
            x = graph.block(x, str(number))
    return graph.conv(x, "14")


def taehv(graph, x):
    """Frames are a list, None before the first. ncnn computes what the wanted blob needs."""
    frames = [graph.conv(graph.clamp(x), "1", relu=True)]
    for first, width, last in ((3, 256, "8"), (9, 128, "14"), (15, 64, "20")):
        for number in range(first, first + 3):
            frames = [remember(graph, frame, past, str(number), width) for frame, past in zip(frames, [None, *frames])]
        grown = []
        for frame in frames:
            frame = graph.conv(frame, f"{first + 4}.conv")  # before the doubling: the same numbers for less
            count = graph.tensors[f"{first + 4}.conv.weight"][0][0] // width
            grown += [frame] if count == 1 else [graph.add("Crop", [frame], f"2={i * width} 3=-233 4=-233 5={width}") for i in range(count)]
        frames = [graph.conv(graph.double(frame), last, relu=last == "20") for frame in grown]
    x = graph.conv(frames[-1], "22")
    patch = int((graph.tensors["22.weight"][0][0] / 3) ** 0.5)
    return graph.add("PixelShuffle", [x], f"0={patch}") if patch > 1 else x


def remember(graph, frame, past, name, width):
    if past is None:
        y = graph.conv(frame, f"{name}.conv.0", relu=True, part=(0, width))
    else:
        y = graph.conv(graph.add("Concat", [frame, past]), f"{name}.conv.0", relu=True)
    return graph.sum(graph.conv(graph.conv(y, f"{name}.conv.2", relu=True), f"{name}.conv.4"), frame)


def make(kind, weights):
    graph = Graph(read_safetensors(weights))
    x = graph.add("Input", [])
    if kind == "taesd-encode":
        encoder(graph, x)
    elif kind == "taehv":
        taehv(graph, x)
    elif kind == "tiny":
        tiny(graph, x)
    else:
        taesd(graph, x, kind == "taesd-half")
    return graph


def load(library):
    ncnn = ctypes.CDLL(library)
    for name in ("ncnn_version", "ncnn_option_create", "ncnn_net_create", "ncnn_extractor_create", "ncnn_mat_create_external_3d", "ncnn_mat_clone",
                 "ncnn_mat_get_channel_data"):
        getattr(ncnn, name).restype = ctypes.c_char_p if name == "ncnn_version" else ctypes.c_void_p
    return ncnn


def main(library, kind, weights, source, channels, height, width, threads, output):
    ncnn, pointer = load(library), ctypes.c_void_p
    graph = make(kind, weights)
    text, numbers = graph.text().encode(), bytes(graph.weights)
    net, option = pointer(ncnn.ncnn_net_create()), pointer(ncnn.ncnn_option_create())
    ncnn.ncnn_option_set_num_threads(option, threads)
    for kept in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage"):
        getattr(ncnn, f"ncnn_option_set_use_{kept}")(option, 0)
    ncnn.ncnn_net_set_option(net, option)
    if ncnn.ncnn_net_load_param_memory(net, text) or not ncnn.ncnn_net_load_model_memory(net, numbers):
        sys.exit("ncnn does not take the network")
    with open(source, "rb") as file:
        values = ctypes.create_string_buffer(file.read(), 4 * channels * height * width)
    given = pointer(ncnn.ncnn_mat_clone(pointer(ncnn.ncnn_mat_create_external_3d(width, height, channels, values, None)), None))  # ncnn's own memory: it counts who uses it

    def run(keep=None):
        extractor = pointer(ncnn.ncnn_extractor_create(net))
        made = pointer()
        ncnn.ncnn_extractor_input(extractor, b"b0", given)
        ncnn.ncnn_extractor_extract(extractor, f"b{graph.blobs - 1}".encode(), ctypes.byref(made))
        if keep is not None:
            plane = 4 * ncnn.ncnn_mat_get_w(made) * ncnn.ncnn_mat_get_h(made)
            for channel in range(ncnn.ncnn_mat_get_c(made)):
                keep.write(ctypes.string_at(ncnn.ncnn_mat_get_channel_data(made, channel), plane))
        ncnn.ncnn_mat_destroy(made)
        ncnn.ncnn_extractor_destroy(extractor)

    with open(output, "wb") as file:
        run(file)
    print(json.dumps({"name": f"ncnn {ncnn.ncnn_version().decode()}"}), flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        run()
        print((time.perf_counter() - started) * 1000, flush=True)


if __name__ == "__main__":
    if not os.environ.get("LATENTBRIDGE_NCNN"):
        sys.exit(3)
    main(os.environ["LATENTBRIDGE_NCNN"], *sys.argv[1:4], *map(int, sys.argv[4:8]), sys.argv[8])
