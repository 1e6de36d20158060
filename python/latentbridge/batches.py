"""Checks and pictures of whole batches of latents, for programs that walk through data sets.

    faults = latentbridge.check(latents, "SDXL")          # {"nan": bool[N], ..., "mean": float32[N,C], ...}
    pictures = latentbridge.thumbnail(latents, "SDXL")    # uint8[N,H,W,3]

Both are plain functions of their arguments, so that Ray, Dask, ``datasets.map``, ``multiprocessing`` and a DataLoader's workers can run
them. The first call of a process starts a host, which ends with the process; a host that died is started again. numpy is needed.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from typing import Any

from . import host_locator
from .client import BridgeError
from .tensors import LatentError

LARGEST = 1 << 30
"""Bytes of the largest batch that is sent at once."""


def check(latents: Any, format: str, *, space: str = "sampler", decoder: str | None = None) -> dict[str, Any]:
    """What is wrong with each latent of a batch ``[N,C,H,W]`` (video: ``[N,C,T,H,W]``), as arrays of N.

    A bool array for each fault that a latent shows by itself (``nan``, ``inf``, ``zero``, ``constant``, ``scale``, ``saturated``,
    ``letterbox``, ``black``, ``white``); ``details`` in words; ``mean`` and ``std`` of each channel, float32[N,C]; ``log_spread`` and
    ``oddness``; ``hash``, uint64, of which copies differ in a few bits (0: the picture is plain).
    """
    numpy = _numpy()
    reply, _ = _call({"call": "check"}, latents, format, space, decoder)
    types = {"details": object, "mean": numpy.float32, "std": numpy.float32, "log_spread": numpy.float64, "oddness": numpy.float64, "hash": numpy.uint64}
    return {name: numpy.array(values, dtype=types.get(name, numpy.bool_)) for name, values in reply.items()}


def thumbnail(latents: Any, format: str, *, size: int = 256, space: str = "sampler", decoder: str | None = None) -> Any:
    """A picture of each latent of a batch, the longer side ``size`` pixels: ``uint8[N,H,W,3]``."""
    numpy = _numpy()
    reply, pixels = _call({"call": "thumbnail", "size": int(size)}, latents, format, space, decoder)
    return numpy.frombuffer(pixels, numpy.uint8).reshape(-1, reply["height"], reply["width"], 3)


def _call(request: dict[str, Any], latents: Any, format: str, space: str, decoder: str | None) -> tuple[dict[str, Any], bytearray]:
    if space not in ("sampler", "vae"):
        raise LatentError(f"space is {space!r}; expected 'sampler' or 'vae'")
    array = _array(latents)
    if array.ndim < 3 or array.shape[0] == 0 or array.nbytes > LARGEST:
        raise LatentError(f"the batch has shape {list(array.shape)} and {array.nbytes} bytes; expected [N,C,H,W] with N at least 1, and at most {LARGEST} bytes")
    request |= {"format": format, "space": space, "decoder": decoder, "type": "F16" if array.dtype.itemsize == 2 else "F32",
                "shape": list(array.shape), "bytes": array.nbytes}
    return _Host.of_this_process().call(request, array)


def _array(latents: Any) -> Any:
    """The batch as contiguous float16 or float32 on the CPU."""
    numpy = _numpy()
    if hasattr(latents, "detach"):  # torch, without importing it
        latents = latents.detach().cpu()
        latents = latents.numpy() if str(latents.dtype) in ("torch.float16", "torch.float32") else latents.float().numpy()
    array = numpy.asarray(latents)
    return numpy.ascontiguousarray(array, dtype=numpy.float16 if array.dtype == numpy.float16 else numpy.float32)


def _numpy() -> Any:
    try:
        import numpy
    except ImportError as missing:
        raise BridgeError("latentbridge.check and latentbridge.thumbnail return numpy arrays, and numpy is not installed: pip install numpy") from missing
    return numpy


class _Host:
    """The host of this process; threads take turns."""

    _current: _Host | None = None
    _starting = threading.Lock()

    def __init__(self) -> None:
        command = host_locator.find()
        if command is None:
            raise BridgeError(f"no LatentBridge host was found; {host_locator.ADVICE}")
        platform: dict[str, Any] = {"creationflags": subprocess.CREATE_NO_WINDOW} if sys.platform == "win32" else {"start_new_session": True}
        self.owner = os.getpid()
        self._turn = threading.Lock()
        self._process = subprocess.Popen(
            [*command, "batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=host_locator.environment(), **platform)
        atexit.register(self.end)

    @classmethod
    def of_this_process(cls) -> _Host:
        """A forked child gets its own: two processes on one pipe would read each other's replies."""
        with cls._starting:
            host = cls._current
            if host is None or host.owner != os.getpid() or host._process.poll() is not None:
                if host is not None:
                    host.forget()
                host = cls._current = cls()
            return host

    def call(self, request: dict[str, Any], array: Any) -> tuple[dict[str, Any], bytearray]:
        with self._turn:
            try:
                self._process.stdin.write(json.dumps(request).encode() + b"\n")  # type: ignore[union-attr]
                self._process.stdin.write(memoryview(array).cast("B"))  # type: ignore[union-attr]
                self._process.stdin.flush()  # type: ignore[union-attr]
                line = self._process.stdout.readline()  # type: ignore[union-attr]
                reply = json.loads(line) if line.endswith(b"\n") else None
                pixels = bytearray(reply.pop("bytes", 0) if reply else 0)
                whole = reply is not None and self._process.stdout.readinto(pixels) == len(pixels)  # type: ignore[union-attr]
            except BaseException as failure:
                self._process.kill()  # a reply that nobody read would answer the next call
                if isinstance(failure, OSError):
                    whole = False
                else:
                    raise
        if not whole:
            raise BridgeError(f"the LatentBridge host ended during the call (exit code {self._process.wait()}); call again, or run {host_locator.doctor()}")
        if "error" in reply:
            raise LatentError(reply["error"])
        return reply, pixels

    def end(self) -> None:
        if self.owner == os.getpid():
            self._process.kill()
            self._process.wait()
            self.forget()

    def forget(self) -> None:
        """Lets go of the pipes: the process that started the host ends it."""
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                pipe.raw.close()  # type: ignore[union-attr] # what a thread of the parent had begun to write is not for this process to finish
            except OSError:
                pass
        if self.owner != os.getpid():
            self._process.returncode = 0


if hasattr(os, "register_at_fork"):
    def _after_fork() -> None:
        _Host._starting = threading.Lock()

    os.register_at_fork(after_in_child=_after_fork)
