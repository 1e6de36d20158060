"""The decoders that make one pixel of one cell, in NumPy: planes ``[C,H,W]`` to a picture ``[3,H,W]`` in 0..1.

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
    x = x0.astype("f8")
    for layer in ("in_proj", *hidden, "out_proj"):
        x = numpy.einsum("oc,chw->ohw", tensors[f"{layer}.weight"].astype("f8"), x) + tensors[f"{layer}.bias"][:, None, None]
        if layer != "out_proj":
            x = x / (1 + numpy.exp(-x))
    return _picture(x)


def polynomial(x0: numpy.ndarray, weights: str) -> numpy.ndarray:
    """Sums of products of one, two and, for a cubic, three channels; the columns' order is that of ``combinations_with_replacement``."""
    tensors = read(weights)
    z = x0.astype("f8")
    rgb = numpy.zeros((3, *z.shape[1:])) + tensors["polynomial.bias"][:, None, None]
    for degree, name in enumerate(("linear", "quadratic", "cubic"), start=1):
        if (columns := tensors.get(f"polynomial.{name}")) is not None:
            for column, channels in enumerate(itertools.combinations_with_replacement(range(len(z)), degree)):
                rgb += columns[:, column, None, None].astype("f8") * numpy.prod(z[list(channels)], axis=0)
    return _picture(rgb)


def _picture(rgb: numpy.ndarray) -> numpy.ndarray:
    """-1..1 to 0..1."""
    return ((rgb + 1) / 2).clip(0, 1)
