"""The tensors of a weight file, as F32 NumPy arrays."""

from __future__ import annotations

from pathlib import Path

import numpy

from .. import safetensors


def read(path: str | Path) -> dict[str, numpy.ndarray]:
    """Of a ``.safetensors`` file; of ``.pt`` and ``.pth`` where PyTorch is there, through its reader that builds tensors and nothing else."""
    if Path(path).suffix in (".pt", ".pth"):
        import torch

        found = torch.load(path, map_location="cpu", weights_only=True)
        return {name: tensor.float().numpy() for name, tensor in found.items()}
    return {name: _widen(raw.data, raw.element_type).reshape(raw.axes) for name, raw in safetensors.read(path)[1].items()}


def _widen(data: bytes | memoryview, element_type: str) -> numpy.ndarray:
    if element_type == "BF16":  # the upper half of an F32
        return (numpy.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4")
    return numpy.frombuffer(data, {"F32": "<f4", "F16": "<f2"}[element_type]).astype("<f4")
