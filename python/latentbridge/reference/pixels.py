"""The decoders that make one pixel of one cell, or of it and its neighbours, in NumPy: planes ``[C,H,W]`` to a picture ``[3,H,W]`` in 0..1.

They compute in F64, so that what differs is C#'s rounding and not theirs.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy

from .weights import read

FORMATS = Path(__file__).resolve().parents[3] / "models" / "formats"


def latent2rgb(x0: numpy.ndarray, latent_format: str) -> numpy.ndarray:
    """A linear map of the channels; the format's first table is the one that LatentBridge uses."""
    table = json.loads((FORMATS / f"{latent_format}.json").read_text(encoding="utf-8"))["rgb"][0]
    factors, bias = numpy.array(table["factors"]), numpy.array(table["bias"])
    return _picture(numpy.einsum("chw,cr->rhw", x0.astype("f8"), factors) + bias[:, None, None])


def mlp(x0: numpy.ndarray, weights: str) -> numpy.ndarray:
    """``in_proj``, ``hidden_layers.N``, ``out_proj``, with SiLU between them."""
    tensors = read(weights)
    hidden = sorted({name.rsplit(".", 1)[0] for name in tensors if name.startswith("hidden_layers.")}, key=lambda name: int(name.split(".")[1]))
    x = _with_neighbours(x0.astype("f8"), tensors["in_proj.weight"])
    for layer in ("in_proj", *hidden, "out_proj"):
        x = numpy.einsum("oc,chw->ohw", _rows(tensors[f"{layer}.weight"]), x) + tensors[f"{layer}.bias"][:, None, None]
        if layer != "out_proj":
            x = x / (1 + numpy.exp(-x))
    return _picture(x)


def polynomial(x0: numpy.ndarray, weights: str) -> numpy.ndarray:
    """Sums of products of one, two and, for a cubic, three channels; the columns' order is that of ``combinations_with_replacement``."""
    tensors = read(weights)
    z = _with_neighbours(x0.astype("f8"), tensors["polynomial.linear"])
    rgb = numpy.zeros((3, *z.shape[1:])) + tensors["polynomial.bias"][:, None, None]
    for degree, name in enumerate(("linear", "quadratic", "cubic"), start=1):
        if (columns := tensors.get(f"polynomial.{name}")) is not None:
            columns = _rows(columns)
            for column, channels in enumerate(itertools.combinations_with_replacement(range(len(z)), degree)):
                rgb += columns[:, column, None, None] * numpy.prod(z[list(channels)], axis=0)
    return _picture(rgb)


def _with_neighbours(z: numpy.ndarray, first_layer: numpy.ndarray) -> numpy.ndarray:
    """For a first layer ``[outputs,C,3,3]`` the 3 x 3 cells around each as ``9 C`` channels; beyond the border the nearest cell counts."""
    if first_layer.ndim == 2:
        return z
    padded = numpy.pad(z, ((0, 0), (1, 1), (1, 1)), mode="edge")
    height, width = z.shape[1:]
    return numpy.stack([channel[y : y + height, x : x + width] for channel in padded for y in range(3) for x in range(3)])


def _rows(weights: numpy.ndarray) -> numpy.ndarray:
    return weights.reshape(len(weights), -1).astype("f8")


def _picture(rgb: numpy.ndarray) -> numpy.ndarray:
    """-1..1 to 0..1."""
    return ((rgb + 1) / 2).clip(0, 1)
