"""``latentbridge compare``'s other half: decodes planes with the reference decoders.

``python -m latentbridge.reference`` first says which Python and libraries it has, then answers each line on stdin, one JSON object a line:

    {"decoder": id, "format": id, "weights": path or null, "library": "numpy", "torch" or "diffusers", "latent": path, "channels": C, "height": H,
     "width": W, "picture": path, "threads": N, "runs": N}

``latent`` holds F32 planes [C,H,W] in the sampler's scale, unpacked; RGB24 is written to ``picture``. Answered by width, height, the
milliseconds of each run (decode and rounding to bytes, loading left out) and the bytes of memory that loading and decoding took at most
(null where the system does not tell), or by ``error``.
"""

from __future__ import annotations

import ctypes
import gc
import json
import platform
import sys
import time
from collections.abc import Callable
from importlib import metadata
from importlib.util import find_spec
from typing import Any


def main() -> None:
    print(json.dumps({"python": platform.python_version(), **{name: _version(name) for name in ("numpy", "torch", "diffusers")}}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = decode(request)
        except Exception as error:  # noqa: BLE001 - the one seam: C# shows what went wrong and goes on with the next decoder
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


def decode(request: dict[str, Any]) -> dict[str, Any]:
    import numpy

    planes = numpy.fromfile(request["latent"], "<f4").reshape(request["channels"], request["height"], request["width"])
    picture, answer = _run(request, planes)
    picture.tofile(request["picture"])
    return answer


def decode_in_memory(request: str, latent: int, picture: int, room: int) -> str:
    """``decode`` for a C# program with this Python inside: planes are read and RGB24 is written at addresses of its memory, ``room`` bytes at most."""
    asked = json.loads(request)
    try:
        import numpy

        shape = asked["channels"], asked["height"], asked["width"]
        planes = numpy.ctypeslib.as_array(ctypes.cast(latent, ctypes.POINTER(ctypes.c_float)), shape)
        made, answer = _run(asked, planes)
        if made.nbytes > room:
            raise ValueError(f"the picture has {made.nbytes} bytes, C# expected {room}")
        ctypes.memmove(picture, numpy.ascontiguousarray(made).ctypes.data, made.nbytes)
    except Exception as error:  # noqa: BLE001 - as in main
        answer = {"error": f"{type(error).__name__}: {error}"}
    return json.dumps(answer)


def _run(request: dict[str, Any], planes: Any) -> tuple[Any, dict[str, Any]]:
    """The picture ``[H,W,3]`` and what is answered with it."""
    before = _forget_peak()
    run = _decoder(request)
    picture, times = None, []
    for _ in range(request["runs"]):
        started = time.perf_counter()
        picture = run(planes)
        times.append((time.perf_counter() - started) * 1000)
    peak = _memory("VmHWM")
    height, width, _ = picture.shape
    return picture, {"width": width, "height": height, "milliseconds": times, "memoryBytes": None if peak is None or before is None else max(0, peak - before)}


def _decoder(request: dict[str, Any]) -> Callable[[Any], Any]:
    """The reference of a decoder's id, ready to run: planes to RGB24 ``[H,W,3]``. ``LookupError`` names what there is."""
    kind, weights = request["decoder"].split(":")[0], request["weights"]
    if request["library"] == "numpy":
        from . import pixels

        decoders: dict[str, Callable[[Any], Any]] = {
            "latent2rgb": lambda x0: pixels.latent2rgb(x0, request["format"]),
            "mlp": lambda x0: pixels.mlp(x0, weights),
            "linear": lambda x0: pixels.polynomial(x0, weights),
            "linear3x3": lambda x0: pixels.polynomial(x0, weights),
            "quadratic": lambda x0: pixels.polynomial(x0, weights),
            "cubic": lambda x0: pixels.polynomial(x0, weights),
        }
        decoder = _pick(decoders, kind)
        return lambda planes: (decoder(planes) * 255 + 0.5).astype("u1").transpose(1, 2, 0).copy()

    import torch

    from . import latent2rgb, taesd, tiny

    torch.set_num_threads(request["threads"])
    torch.set_grad_enabled(False)
    if request["library"] == "diffusers":
        from . import autoencoder_tiny

        network = _pick({"taesd": lambda: autoencoder_tiny.load(weights)}, kind)()
        return lambda planes: _bytes(network(torch.from_numpy(planes)[None]))
    networks: dict[str, Callable[[], Callable[[Any], Any]]] = {
        "latent2rgb": lambda: lambda x0: latent2rgb.decode(_packed(x0, latent2rgb.load(request["format"])), request["format"]),
        "taesd": lambda: taesd.load(weights),
        "taesd-half": lambda: _without_last_doubling(taesd.load(weights)),
        "tiny": lambda: tiny.load(weights),
    }
    network = _pick(networks, kind)()
    return lambda planes: _bytes(network(torch.from_numpy(planes)[None]))


def _bytes(picture: Any) -> Any:
    """``[1,3,H,W]`` of 0..1 as RGB24 ``[H,W,3]``."""
    return (picture[0].clamp(0, 1) * 255 + 0.5).byte().permute(1, 2, 0).contiguous().numpy()


def _pick(decoders: dict[str, Any], kind: str) -> Any:
    if kind not in decoders:
        raise LookupError(f"there is no such reference for {kind}; there are {', '.join(decoders)}")
    return decoders[kind]


def _packed(x0: Any, numbers: dict[str, Any]) -> Any:
    """Planes as the sampler has them: FLUX.2's 32 channels are 128 at half the side there."""
    from torch.nn.functional import pixel_unshuffle

    return pixel_unshuffle(x0, numbers.get("unpack", 1))


def _without_last_doubling(network: Any) -> Any:
    from torch import nn

    last = max(number for number, layer in enumerate(network) if isinstance(layer, nn.Upsample))
    network[last] = nn.Identity()
    return network


def _version(name: str) -> str | None:
    if find_spec(name) is None:
        return None
    try:
        # diffusers takes seconds to import: its version is read from what pip wrote down.
        return metadata.version(name) if name == "diffusers" else str(__import__(name).__version__)
    except metadata.PackageNotFoundError:
        return "of unknown version"
    except ImportError as error:
        print(f"{name} is there and does not load: {error}", file=sys.stderr)
        return None


def _forget_peak() -> int | None:
    """Gives unused memory back and resets the peak of what is resident (Linux); returns what is resident now."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
    except (OSError, TypeError, AttributeError):  # no /proc; Windows; a C library without malloc_trim
        return None
    return _memory("VmRSS")


def _memory(name: str) -> int | None:
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            return next(int(line.split()[1]) << 10 for line in file if line.startswith(f"{name}:"))
    except (OSError, StopIteration):
        return None


if __name__ == "__main__":
    main()
