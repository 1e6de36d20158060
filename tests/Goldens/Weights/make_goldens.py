"""Makes the small files of this folder with numpy and torch, and expected.json with what is in them.

    python3 make_goldens.py

expected.json: for each file its kind and, for each tensor, the element type, the axes and the values as the base64 of
little-endian F32 in row-major order. VERSIONS.txt records what made them. Values are chosen, not random, so that a
second run gives the same tensors (ZIP files differ by their dates).
"""

import base64
import collections
import json
import pathlib
import platform
import struct

import numpy
import torch

FOLDER = pathlib.Path(__file__).parent
TORCH_TYPES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
    torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "Bool",
}
NUMPY_TYPES = {"f8": "F64", "f4": "F32", "f2": "F16", "i8": "I64", "i4": "I32", "i2": "I16", "i1": "I8",
               "u8": "U64", "u4": "U32", "u2": "U16", "u1": "U8", "b1": "Bool"}
SAFETENSORS_TYPES = {"Bool": "BOOL"}
expected = {}


def ramp(*shape):
    """Distinct, exactly representable values: quarters around zero."""
    count = int(numpy.prod(shape))
    return ((numpy.arange(count) % 97 - 48) / 4).astype(numpy.float32).reshape(shape)


def entry(tensor):
    if isinstance(tensor, torch.Tensor):
        tensor = tensor.detach()
        kind, values = TORCH_TYPES[tensor.dtype], tensor.to(torch.float32).numpy()
    else:
        kind, values = NUMPY_TYPES[tensor.dtype.str[1:]], tensor.astype(numpy.float32)
    return {"type": kind, "shape": list(tensor.shape),
            "f32": base64.b64encode(numpy.ascontiguousarray(values).astype("<f4").tobytes()).decode()}


def flatten(value, name=""):
    if isinstance(value, (torch.Tensor, numpy.ndarray)):
        yield name or "tensor", value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from flatten(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from flatten(item, f"{name}.{index}" if name else str(index))


def expect(file, kind, value):
    expected[file] = {"kind": kind, "tensors": {name: entry(tensor) for name, tensor in flatten(value)}}


def safetensors(file, tensors, metadata=None):
    header, data = ({"__metadata__": metadata} if metadata else {}), b""
    for name, tensor in tensors.items():
        raw = tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b""
        kind = TORCH_TYPES[tensor.dtype]
        header[name] = {"dtype": SAFETENSORS_TYPES.get(kind, kind), "shape": list(tensor.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (FOLDER / file).write_bytes(struct.pack("<Q", len(text)) + text + data)
    expect(file, "Safetensors", tensors)


def npy(file, array, version=None):
    with open(FOLDER / file, "wb") as out:
        numpy.lib.format.write_array(out, array, version=version, allow_pickle=False)
    expect(file, "Npy", array)


def npz(file, save, **arrays):
    save(FOLDER / file, **arrays)
    expect(file, "Npz", arrays)


def pt(file, value):
    torch.save(value, FOLDER / f"{file}.pt")
    expect(f"{file}.pt", "Torch", value)
    torch.save(value, FOLDER / f"{file}-legacy.pt", _use_new_zipfile_serialization=False)
    expect(f"{file}-legacy.pt", "TorchLegacy", value)


latent = torch.from_numpy(ramp(1, 4, 6, 8))
types = {name: torch.from_numpy(ramp(2, 3)).to(dtype) for dtype, name in TORCH_TYPES.items()}

safetensors("types.safetensors", {**types, "empty": torch.zeros(0, 4), "scalar": torch.tensor(1.5)}, {"latent_format": "SD15"})
safetensors("comfyui.latent", {"latent_tensor": latent, "latent_format_version_0": torch.tensor([])}, {"prompt": "{}"})
safetensors("comfyui-legacy.latent", {"latent_tensor": latent * 0.18215})

npy("f4.npy", ramp(1, 4, 6, 8))
npy("f4-fortran.npy", numpy.asfortranarray(ramp(2, 3, 4, 5)))
npy("f4-big.npy", ramp(3, 5).astype(">f4"))
npy("f8-big-fortran.npy", numpy.asfortranarray(ramp(3, 5).astype(">f8")))
npy("f2.npy", ramp(3, 5).astype("<f2"))
npy("f2-version2.npy", ramp(3, 5).astype("<f2"), (2, 0))
npy("f4-version3.npy", ramp(3, 5), (3, 0))
npy("scalar.npy", numpy.array(2.5, numpy.float32))
npy("empty.npy", ramp(0, 3))
for kind in ("i1", "<i2", "<i4", "<i8", "u1", "<u2", "<u4", ">u8", "?"):
    npy(f"{numpy.dtype(kind).str[1:]}.npy", numpy.abs(ramp(7)).astype(kind))

npz("kohya.npz", numpy.savez, latents=ramp(4, 6, 8), original_size=numpy.array([64, 48]),
    crop_ltrb=numpy.array([0, 0, 64, 48]), latents_flipped=ramp(4, 6, 8)[:, :, ::-1])
npz("kohya-sized.npz", numpy.savez, latents_6x8=ramp(16, 6, 8), original_size_6x8=numpy.array([64, 48]),
    crop_ltrb_6x8=numpy.array([0, 0, 64, 48]))
npz("deflated.npz", numpy.savez_compressed, samples=numpy.zeros((1, 4, 16, 16), numpy.float32) + 0.25, other=ramp(5))

pt("tensor", latent.to(torch.bfloat16))
pt("types", types)
pt("samples", {"samples": latent, "latent_format": "SDXL", "seed": 2**64 - 1, "cfg": 7.5, "flags": [True, None]})
base = torch.from_numpy(ramp(4, 6, 5))
pt("views", {
    "whole": base, "offset": base[2], "transposed": base.permute(2, 0, 1), "stepped": base[:, ::2, 1::3],
    "expanded": base[:1, :1].expand(3, 2, 5), "last": base[3, 5, 4:],
})
state = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2)).state_dict()
for index, tensor in enumerate(state.values()):
    tensor.copy_(torch.from_numpy(ramp(*tensor.shape)) + index)
pt("nested", {"state_dict": state, "epoch": 3, "more": collections.OrderedDict(w=torch.nn.Parameter(base[0]), list=[base[1], (base[2],)])})
pt("nested-latents", {"samples": [latent, torch.from_numpy(ramp(1, 8, 20))]})

(FOLDER / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
(FOLDER / "VERSIONS.txt").write_text(f"python {platform.python_version()}\nnumpy {numpy.__version__}\ntorch {torch.__version__}\n")
