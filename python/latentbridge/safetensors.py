"""A small reader of safetensors files, for the demo: no torch, no numpy. Every bound is checked before it is used."""

from __future__ import annotations

import json
import math
import os
import struct

from .protocol import ELEMENT_SIZES, ELEMENT_TYPES
from .tensors import RawLatent

MAXIMUM_HEADER = 100 << 20


def read(path: str | os.PathLike[str]) -> tuple[dict[str, str], dict[str, RawLatent]]:
    """Metadata and the F32, F16 and BF16 tensors of a file; ``ValueError`` says what is wrong with it."""
    with open(path, "rb") as file:
        length = os.fstat(file.fileno()).st_size
        start = file.read(8)
        header_length = struct.unpack("<Q", start)[0] if len(start) == 8 else length
        if not 2 <= header_length <= min(length - 8, MAXIMUM_HEADER):
            raise ValueError(f"{path}: the header says it has {header_length} bytes, the file has {length}; "
                             "it is cut off or no safetensors file")
        try:
            header = json.loads(file.read(header_length))
            metadata = header.pop("__metadata__", {})
            entries = {name: (entry["dtype"], tuple(entry["shape"]), *entry["data_offsets"]) for name, entry in header.items()}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"{path}: the header is not that of a safetensors file ({error!r})") from error
        data = memoryview(file.read())
    tensors = {}
    for name, (dtype, shape, begin, end) in entries.items():
        if dtype not in ELEMENT_TYPES:
            continue
        wanted = math.prod(shape) * ELEMENT_SIZES[ELEMENT_TYPES.index(dtype)]
        if not 0 <= begin <= end <= len(data) or end - begin != wanted:
            raise ValueError(f"{path}: tensor {name!r} of shape {shape} takes {wanted} bytes; "
                             f"the file gives it {begin} to {end} of {len(data)}")
        tensors[name] = RawLatent(data[begin:end], dtype, shape)
    return metadata, tensors
