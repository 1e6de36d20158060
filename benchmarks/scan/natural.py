"""Measures what natural latents of a format are like: the mean of each channel, and the directions in which the channels vary, each as
long as makes its variance 1 (the whitening matrix of principal components, row by row).

    latentbridge encode PHOTOGRAPHS -f SDXL -o FOLDER
    python3 benchmarks/scan/natural.py "what was encoded" FOLDER > models/natural/SDXL.json

The latents are safetensors files in the sampler's scale, as ``latentbridge encode`` writes them.
"""

import json
import struct
import sys
from pathlib import Path

import numpy

TYPES = {"F16": numpy.float16, "F32": numpy.float32}


def cells(path: Path) -> numpy.ndarray:
    """All cells of the file's latents: channels x cells."""
    data = path.read_bytes()
    start = 8 + struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:start])
    header.pop("__metadata__", None)
    (entry,) = header.values()
    begin, end = entry["data_offsets"]
    values = numpy.frombuffer(data[start + begin:start + end], TYPES[entry["dtype"]]).reshape(entry["shape"])
    return values.astype(numpy.float64)[0].reshape(values.shape[1], -1)


def main(source: str, folder: str) -> None:
    every = numpy.concatenate([cells(path) for path in sorted(Path(folder).glob("*.safetensors"))], axis=1)
    variances, vectors = numpy.linalg.eigh(numpy.cov(every))
    rows = (vectors / numpy.sqrt(variances)).T
    lines = ",\n".join(f"    {json.dumps([round(float(value), 4) for value in row])}" for row in rows)
    print(f'{{\n  "source": {json.dumps(source)},\n  "mean": {json.dumps([round(float(m), 4) for m in every.mean(axis=1)])},\n  "directions": [\n{lines}\n  ]\n}}')


if __name__ == "__main__":
    main(*sys.argv[1:])
