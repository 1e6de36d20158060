"""Latents of any kind, copied into shared memory once and never written to.

A latent is a torch tensor, a numpy array, any buffer with a shape (``memoryview``), a ``RawLatent``, a nested set of these
(the first stream counts), or a list of them (the first counts). Torch and numpy are used when the program has imported them; this
module imports neither.

Design notes. A contiguous F32, F16 or BF16 latent on the CPU is one ``memoryview`` slice assignment (a ``memcpy``): as fast
as ``ctypes.memmove`` (3 us for 256 KB, 42 us for 2 MB), and it keeps the GIL. ``memmove`` gives the GIL away, and with
another busy Python thread the sampler then waits up to 5 ms to get it back. Everything else is copied by the library that
owns it, straight into a view of the slot.
"""

from __future__ import annotations

import ctypes
import math
import sys
from collections import deque
from typing import Any, NamedTuple, Protocol

from . import protocol

_NAMES = {"float32": protocol.F32, "float16": protocol.F16, "bfloat16": protocol.BF16}
_FORMATS = {"f": protocol.F32, "e": protocol.F16}


class LatentError(ValueError):
    """A latent that cannot be sent; the message says what was found and what is expected."""


class Choice(NamedTuple):
    """Which part of a latent is sent: the options ``batch``, ``item`` and ``frame`` of the protocol."""

    batch: str = "first"
    item: int = 0
    frame: str | int = "middle"

    def indices(self, axes: tuple[int, ...]) -> tuple[int | None, int | None]:
        """The chosen batch item and video frame; None where there is nothing to leave out."""
        item = frame = None
        if len(axes) >= 4 and axes[0] > 1 and self.batch != "grid":
            item = min(self.item, axes[0] - 1) if self.batch == "item" else 0
        if len(axes) == 5 and axes[2] > 1:
            last = axes[2] - 1
            named = {"first": 0, "middle": axes[2] // 2, "last": last}
            frame = named[self.frame] if isinstance(self.frame, str) else min(self.frame, last)
        return item, frame


class RawLatent(NamedTuple):
    """A latent as plain bytes, for element types that a ``memoryview`` cannot express (F16 and BF16 without numpy).

    ``data`` is any contiguous buffer, row-major and little-endian; ``element_type`` is ``"F32"``, ``"F16"`` or ``"BF16"``.
    """

    data: Any
    element_type: str
    axes: tuple[int, ...]


class Source(Protocol):
    """A latent ready to be copied. ``axes`` are those of the chosen part, ``length`` its bytes in element type ``element_type``."""

    element_type: int
    axes: tuple[int, ...]
    length: int
    on_device: bool

    def copy_into(self, target: memoryview) -> None:
        """Copies the chosen part to ``length`` writable bytes."""

    def ready(self) -> bool:
        """False while a device is still writing what ``copy_into`` reads."""


def read(latent: Any, choice: Choice, staging: Staging | None = None) -> Source:
    """The chosen part of a latent, without copying it yet (a CUDA tensor starts its way into pinned memory).

    Raises ``LatentError`` for what is no latent: no shape, fewer than 2 or more than 5 axes, an empty or oversized axis,
    values that are not real numbers.
    """
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(latent, torch.Tensor) and not latent.is_nested:
        return _read_torch(torch, latent, choice, staging)
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(latent, numpy.ndarray):
        return _read_numpy(numpy, latent, choice)
    if isinstance(latent, RawLatent):
        return _read_raw(latent, choice)
    if getattr(latent, "is_nested", False):
        latent = latent.tensors if hasattr(latent, "tensors") else latent.unbind()
    if isinstance(latent, (list, tuple)):
        if not latent:
            raise LatentError("the latent is an empty list; expected at least one tensor")
        return read(latent[0], choice, staging)
    return _read_buffer(latent, choice)


# --- sources ---------------------------------------------------------------------------------------------------------


class Bytes:
    """Contiguous elements in CPU memory, of which some runs of bytes are the chosen part."""

    __slots__ = ("element_type", "axes", "length", "_raw", "_runs", "_owner")
    on_device = False

    def __init__(self, raw: memoryview, element_type: int, axes: tuple[int, ...], choice: Choice, owner: Any = None) -> None:
        self.element_type = element_type
        self._raw = raw
        self._owner = owner  # keeps the memory behind `raw` alive
        item, frame = choice.indices(axes)
        if frame is not None:
            batch, channels, frames, height, width = axes
            plane = height * width * protocol.ELEMENT_SIZES[element_type]
            items = range(batch) if item is None else (item,)
            self._runs = [((b * channels + c) * frames + frame) * plane for b in items for c in range(channels)]
            self.axes = (len(items), channels, 1, height, width)
            self.length = plane * len(self._runs)
        elif item is not None:
            self.axes = (1, *axes[1:])
            self.length = len(raw) // axes[0]
            self._runs = [item * self.length]
        else:
            self.axes = axes
            self.length = len(raw)
            self._runs = [0]

    def copy_into(self, target: memoryview) -> None:
        raw = self._raw
        run = self.length // len(self._runs)
        if run == len(raw):
            target[:] = raw
            return
        for index, start in enumerate(self._runs):
            target[index * run:(index + 1) * run] = raw[start:start + run]

    def ready(self) -> bool:
        return True


class Converted:
    """Elements that their own library lays out, and converts to F32 where the protocol has no such type."""

    __slots__ = ("element_type", "axes", "length", "_copy")
    on_device = False

    def __init__(self, element_type: int, axes: tuple[int, ...], copy: Any) -> None:
        self.element_type = element_type
        self.axes = axes
        self.length = math.prod(axes) * protocol.ELEMENT_SIZES[element_type]
        self._copy = copy

    def copy_into(self, target: memoryview) -> None:
        self._copy(target)

    def ready(self) -> bool:
        return True


class Staged:
    """A CUDA latent on its way into pinned memory; ``ready`` once the event behind the copy has passed."""

    __slots__ = ("element_type", "axes", "length", "_pinned", "_event", "_staging")
    on_device = True

    def __init__(self, element_type: int, pinned: Any, event: Any, staging: Staging) -> None:
        self.element_type = element_type
        self.axes = tuple(pinned.shape)
        self.length = math.prod(self.axes) * protocol.ELEMENT_SIZES[element_type]
        self._pinned, self._event, self._staging = pinned, event, staging

    def copy_into(self, target: memoryview) -> None:
        target[:] = _memory(self._pinned.data_ptr(), self.length)
        self._staging.give_back(self._pinned)

    def ready(self) -> bool:
        return self._event.query()


class Staging:
    """Pinned buffers for CUDA latents, a few of each shape, used again and again.

    The sampler's thread queues a non-blocking copy and an event on the stream it already uses, so the snapshot is in the
    stream's order and nothing waits for the device. The bridge thread asks the event. The buffers outlive the run; another
    shape lets the old ones go.
    """

    def __init__(self) -> None:
        self._spare: deque[Any] = deque(maxlen=4)

    def start(self, torch: Any, tensor: Any, element_type: int) -> Staged:
        pinned = self._take(torch, tensor)
        pinned.copy_(tensor, non_blocking=True)
        event = torch.cuda.Event()
        event.record(torch.cuda.current_stream(tensor.device))
        return Staged(element_type, pinned, event, self)

    def give_back(self, pinned: Any) -> None:
        self._spare.append(pinned)

    def _take(self, torch: Any, tensor: Any) -> Any:
        while True:
            try:
                pinned = self._spare.popleft()
            except IndexError:
                with torch.inference_mode(False):  # one made in inference mode could never be written outside of it again
                    return torch.empty(tuple(tensor.shape), dtype=tensor.dtype, device="cpu", pin_memory=True)
            if pinned.shape == tensor.shape and pinned.dtype == tensor.dtype:
                return pinned


# --- one reader for each kind ----------------------------------------------------------------------------------------


def _read_torch(torch: Any, tensor: Any, choice: Choice, staging: Staging | None) -> Source:
    axes = _check(tuple(tensor.shape))
    element_type = _torch_types(torch).get(tensor.dtype)
    if tensor.is_cpu and element_type is not None and tensor.is_contiguous():
        raw = _memory(tensor.data_ptr(), math.prod(axes) * protocol.ELEMENT_SIZES[element_type])
        return Bytes(raw, element_type, axes, choice, tensor)
    if tensor.dtype.is_complex:
        raise LatentError(f"the latent's values are {tensor.dtype}; expected real numbers")
    part = _part(tensor.detach(), choice.indices(axes))
    if tensor.is_cuda and staging is not None:
        if element_type is None:
            part, element_type = part.to(torch.float32), protocol.F32
        return staging.start(torch, part, element_type)
    if not tensor.is_cpu:
        part = part.to("cpu")
    dtype = torch.float32 if element_type is None else tensor.dtype
    shape = tuple(part.shape)

    def copy(target: memoryview) -> None:
        torch.frombuffer(target, dtype=dtype).view(shape).copy_(part)

    return Converted(protocol.F32 if element_type is None else element_type, shape, copy)


def _read_numpy(numpy: Any, array: Any, choice: Choice) -> Source:
    axes = _check(array.shape)
    name = array.dtype.name
    element_type = _NAMES.get(name) if array.dtype.isnative else None
    if element_type is not None and array.flags.c_contiguous:
        return Bytes(memoryview(array.view(numpy.uint8).reshape(-1)), element_type, axes, choice)
    if array.dtype.kind not in "fiub" and name != "bfloat16":
        raise LatentError(f"the latent's values are {array.dtype}; expected real numbers")
    part = _part(array, choice.indices(axes))
    dtype = numpy.dtype("float32") if element_type is None else array.dtype

    def copy(target: memoryview) -> None:
        numpy.copyto(numpy.frombuffer(target, numpy.uint8).view(dtype).reshape(part.shape), part, casting="unsafe")

    return Converted(protocol.F32 if element_type is None else element_type, part.shape, copy)


def _read_raw(latent: RawLatent, choice: Choice) -> Source:
    if latent.element_type not in protocol.ELEMENT_TYPES:
        raise LatentError(f"the element type is {latent.element_type!r}; expected one of {', '.join(protocol.ELEMENT_TYPES)}")
    element_type = protocol.ELEMENT_TYPES.index(latent.element_type)
    axes, raw = _check(tuple(latent.axes)), memoryview(latent.data).cast("B")
    length = math.prod(axes) * protocol.ELEMENT_SIZES[element_type]
    if len(raw) != length:
        raise LatentError(f"the data has {len(raw)} bytes; {axes} of {latent.element_type} takes {length}")
    return Bytes(raw, element_type, axes, choice)


def _read_buffer(latent: Any, choice: Choice) -> Source:
    try:
        view = memoryview(latent)
    except TypeError:
        raise LatentError(
            f"the latent is a {type(latent).__name__}; expected a torch tensor, a numpy array or a buffer with a shape"
        ) from None
    axes = _check(view.shape or ())
    element_type = _FORMATS.get(view.format.lstrip("@=<" if sys.byteorder == "little" else "@=>"))
    if element_type is not None and view.c_contiguous:
        return Bytes(view.cast("B"), element_type, axes, choice)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        return _read_numpy(numpy, numpy.asarray(view), choice)
    raise LatentError(
        f"the buffer holds elements {view.format!r}, contiguous: {view.c_contiguous}; without numpy a buffer must hold "
        "contiguous 'f' (F32) or 'e' (F16) elements"
    )


_dtypes: dict[Any, int] = {}


def _torch_types(torch: Any) -> dict[Any, int]:
    if not _dtypes:
        _dtypes.update({getattr(torch, name): number for name, number in _NAMES.items()})
    return _dtypes


def _memory(address: int, length: int) -> memoryview:
    return memoryview((ctypes.c_char * length).from_address(address)).cast("B")


def _part(array: Any, indices: tuple[int | None, int | None]) -> Any:
    item, frame = indices
    if item is not None:
        array = array[item:item + 1]
    return array if frame is None else array[:, :, frame:frame + 1]


def _check(axes: tuple[int, ...]) -> tuple[int, ...]:
    if not 2 <= len(axes) <= protocol.MAXIMUM_AXES:
        raise LatentError(f"the latent's shape is {axes}; expected 2 to {protocol.MAXIMUM_AXES} axes")
    if min(axes) < 1 or max(axes) > protocol.MAXIMUM_AXIS:
        raise LatentError(f"the latent's shape is {axes}; expected every axis within 1 to {protocol.MAXIMUM_AXIS}")
    return axes
