"""Latents of any kind, copied into shared memory once and never written to.

A latent is a torch tensor, a numpy array, any buffer with a shape (``memoryview``), a ``RawLatent``, a nested set of these
(the first stream counts), or a list of them (the first counts). Torch and numpy are used when the program has imported them; this
module imports neither.

Design notes. A contiguous F32, F16 or BF16 latent on the CPU is one ``memmove`` that keeps the GIL (``ctypes.memmove`` gives it
away, and with another busy Python thread the sampler then waits up to 5 ms to get it back). A sampler calls once in many
milliseconds, when its caches are full of the model: what counts is how little code and data is touched, not how fast it is
in a loop. So what follows from a latent's shape is worked out once (``Layout``), and a latent like the last one is asked for little
more than its address (``Reader``).
Everything else is copied by the library that owns it, straight into a view of the slot.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import math
import sys
import threading
from collections import deque
from typing import Any, NamedTuple, Protocol

from . import axes as axis_order
from . import protocol

LARGEST = 256 << 20
"""Bytes of the largest latent that a bridge takes of a sampler, unless told otherwise: copying holds the sampler, 0.1 ms a MB or more."""

_NAMES = {"float32": protocol.F32, "float16": protocol.F16, "bfloat16": protocol.BF16}
_FORMATS = {"f": protocol.F32, "e": protocol.F16}


class LatentError(ValueError):
    """A latent that cannot be sent; the message says what was found and what is expected."""


def too_large(length: int, limit: int) -> str:
    """Why a latent is not taken."""
    return (f"the latent has {length / 1048576:.1f} MB, and at most {limit / 1048576:.1f} MB are sent; show one item of the batch, "
            "or make the bridge with a bigger `largest`")


class Part(NamedTuple):
    """A part of a latent: the range of its batch and of its frames that are sent, and the axes they are sent with.

    ``split`` are the latent's axes with the batch axes made one, ``batch`` and ``frame`` say where in them those two stand (None: there is
    none). ``sent`` has the chosen frames in place of all; of several the last is shown.
    """

    split: tuple[int, ...]
    batch: int | None
    items: range
    frame: int | None
    frames: range
    sent: tuple[int, ...]


class Choice(NamedTuple):
    """Which part of a latent is sent: the options ``batch``, ``item`` and ``frame`` of the protocol, the format, which tells the axes, and how many
    frames before the chosen one go with it (``whole``: all there are)."""

    batch: str = "first"
    item: int = 0
    frame: str | int = "middle"
    latent_format: str | None = None
    before: int = 0
    whole: bool = False

    def has_past(self, part: Part) -> bool:
        """Whether the last of the frames that are sent is the chosen one, and the others are what came before."""
        return not self.whole and len(part.frames) > 1

    def part(self, axes: tuple[int, ...]) -> Part:
        """What is sent of a latent of these axes. Tokens, sound and channels last are left for the host to arrange."""
        order = axis_order.order(axes, self.latent_format)
        batches = order.count("B")
        split = (math.prod(axes[:batches]), *axes[batches:]) if batches else axes
        order = order[batches - 1:] if batches else order
        frame = order.index("T") if "T" in order else None
        count = split[0] if batches else 1
        item = min(self.item, count - 1) if self.batch == "item" else 0
        items = range(count) if self.batch == "grid" or len(axes) < 4 else range(item, item + 1)
        frames = range(1)
        if frame is not None:
            last = split[frame] - 1
            index = {"first": 0, "middle": split[frame] // 2, "last": last}[self.frame] if isinstance(self.frame, str) else min(self.frame, last)
            frames = range(split[frame]) if self.whole else range(max(0, index - self.before), index + 1)
        rest = [len(frames) if axis == frame else length for axis, length in enumerate(split)][1 if batches else 0:]
        if len(frames) == 1 and frame is not None and order in ("CTHW", "BTCHW"):  # one frame can stand anywhere: send it where it usually stands
            rest = [rest[0 if order == "CTHW" else 1], 1, *rest[2:]]
        sent = (len(items), *rest) if batches or frame is not None else tuple(rest)
        return Part(split, 0 if batches else None, items, frame, frames, sent)


class RawLatent(NamedTuple):
    """A latent as plain bytes, for element types that a ``memoryview`` cannot express (F16 and BF16 without numpy).

    ``data`` is any contiguous buffer, row-major and little-endian; ``element_type`` is ``"F32"``, ``"F16"`` or ``"BF16"``.
    """

    data: Any
    element_type: str
    axes: tuple[int, ...]


class Source(Protocol):
    """A latent ready to be copied. ``axes`` are those of the chosen part, ``length`` its bytes in element type ``element_type``;
    ``has_past``: of its frames the last is shown."""

    element_type: int
    has_past: bool
    axes: tuple[int, ...]
    length: int
    on_device: bool

    def copy_into(self, target: memoryview, address: int = 0) -> None:
        """Copies the chosen part to the first ``length`` of these writable bytes, which lie at ``address`` where the caller knows it."""

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


class Reader:
    """Reads the latents of a stream, of which each is mostly like the one before: then only its address is asked for."""

    __slots__ = ("_choice", "_staging", "_last")

    def __init__(self, choice: Choice, staging: Staging | None = None) -> None:
        self._choice, self._staging = choice, staging
        self._last: tuple[Any, Any, Any, Any] = (None, None, None, None)  # a CPU tensor's class, element type, shape, and its layout

    def read(self, latent: Any) -> Source:
        kind, dtype, shape, layout = self._last
        if (type(latent) is kind and latent.dtype is dtype and not latent.is_nested and latent.shape == shape
                and latent.is_cpu and latent.is_contiguous() and (address := latent.data_ptr())):
            return Contiguous(layout, address, latent)
        source = read(latent, self._choice, self._staging)
        if getattr(source, "owner", None) is latent and hasattr(latent, "data_ptr"):
            self._last = (type(latent), latent.dtype, latent.shape, source.layout)
        return source


# --- sources ---------------------------------------------------------------------------------------------------------


class Layout(NamedTuple):
    """Where the chosen part of a contiguous latent lies: runs of ``run`` bytes that begin at ``starts``, ``length`` bytes in all.

    ``axes`` and ``element_type`` are the part's; ``has_past`` says that its last frame is shown and the others are what came before.
    """

    element_type: int
    axes: tuple[int, ...]
    length: int
    run: int
    starts: tuple[int, ...]
    has_past: bool = False

    @staticmethod
    @functools.lru_cache(64)
    def of(axes: tuple[int, ...], element_type: int, choice: Choice) -> Layout:
        """The layout for a latent of these axes; ``LatentError`` for axes that no latent has."""
        size = protocol.ELEMENT_SIZES[element_type]
        part = choice.part(_check(tuple(axes)))
        inner = math.prod(part.split[1 if part.batch is not None else 0:]) * size  # bytes of an item
        if part.frame is None or part.split[part.frame] == 1:
            return Layout(element_type, part.sent, inner * len(part.items), inner * len(part.items), (part.items.start * inner,))
        run = math.prod(part.split[part.frame + 1:]) * size  # what lies together of one frame
        frames = part.split[part.frame]
        rows = inner // (run * frames)
        starts = tuple(b * inner + (row * frames + part.frames.start) * run for b in part.items for row in range(rows))
        run *= len(part.frames)
        return Layout(element_type, part.sent, run * len(starts), run, starts, choice.has_past(part))


class Contiguous:
    """Elements in CPU memory without gaps. ``owner`` keeps the memory at ``address`` alive."""

    __slots__ = ("element_type", "axes", "length", "has_past", "layout", "owner", "_address")
    on_device = False

    def __init__(self, layout: Layout, address: int, owner: Any) -> None:
        self.element_type, self.axes, self.length, self.has_past = layout.element_type, layout.axes, layout.length, layout.has_past
        self.layout, self.owner, self._address = layout, owner, address

    def copy_into(self, target: memoryview, address: int = 0) -> None:
        address = address or _address(target)
        run = self.layout.run
        for start in self.layout.starts:
            _memmove(address, self._address + start, run)
            address += run

    def ready(self) -> bool:
        return True


class Converted:
    """Elements that their own library lays out, and converts to F32 where the protocol has no such type."""

    __slots__ = ("element_type", "axes", "length", "has_past", "_copy")
    on_device = False

    def __init__(self, element_type: int, axes: tuple[int, ...], copy: Any, has_past: bool = False) -> None:
        self.has_past = has_past
        self.element_type = element_type
        self.axes = axes
        self.length = math.prod(axes) * protocol.ELEMENT_SIZES[element_type]
        self._copy = copy

    def copy_into(self, target: memoryview, address: int = 0) -> None:
        self._copy(target[:self.length])

    def ready(self) -> bool:
        return True


class Staged:
    """A CUDA latent on its way into pinned memory; ``ready`` once the event behind the copy has passed."""

    __slots__ = ("element_type", "axes", "length", "has_past", "_pinned", "_event", "_staging")
    on_device = True

    def __init__(self, element_type: int, pinned: Any, event: Any, staging: Staging, has_past: bool) -> None:
        self.has_past = has_past
        self.element_type = element_type
        self.axes = tuple(pinned.shape)
        self.length = math.prod(self.axes) * protocol.ELEMENT_SIZES[element_type]
        self._pinned, self._event, self._staging = pinned, event, staging

    def copy_into(self, target: memoryview, address: int = 0) -> None:
        _memmove(address or _address(target), self._pinned.data_ptr(), self.length)
        self._staging.give_back(self._pinned)

    def ready(self) -> bool:
        _allow_captures()
        return self._event.query()


class Staging:
    """Pinned buffers for CUDA latents, a few of each shape, used again and again.

    The sampler's thread queues a non-blocking copy and an event on the stream it already uses, so the snapshot is in the
    stream's order and nothing waits for the device. The bridge thread asks the event. The buffers outlive the run; another
    shape lets the old ones go.
    """

    def __init__(self, limit: int = LARGEST) -> None:
        self._limit = limit
        self._spare: deque[Any] = deque(maxlen=4)

    def start(self, torch: Any, tensor: Any, element_type: int, has_past: bool = False) -> Staged:
        if (length := math.prod(tensor.shape) * protocol.ELEMENT_SIZES[element_type]) > self._limit:
            raise LatentError(too_large(length, self._limit))
        pinned = self._take(torch, tensor)
        pinned.copy_(tensor, non_blocking=True)
        event = torch.cuda.Event()
        event.record(torch.cuda.current_stream(tensor.device))
        return Staged(element_type, pinned, event, self, has_past)

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
    element_type = _NAMES.get(str(tensor.dtype).removeprefix("torch."))
    if element_type is not None and tensor.is_cpu and tensor.is_contiguous():
        if not (address := tensor.data_ptr()):
            raise LatentError("the latent's tensor has no memory; expected one with values")
        return Contiguous(Layout.of(tuple(tensor.shape), element_type, choice), address, tensor)
    axes = _check(tuple(tensor.shape))
    if tensor.dtype.is_complex:
        raise LatentError(f"the latent's values are {tensor.dtype}; expected real numbers")
    chosen = choice.part(axes)
    part, has_past = _part(tensor.detach(), chosen), choice.has_past(chosen)
    if tensor.is_cuda and staging is not None:
        if element_type is None:
            part, element_type = part.to(torch.float32), protocol.F32
        return staging.start(torch, part, element_type, has_past)
    if not tensor.is_cpu:
        part = part.to("cpu")
    dtype = torch.float32 if element_type is None else tensor.dtype
    shape = tuple(part.shape)

    def copy(target: memoryview) -> None:
        torch.frombuffer(target, dtype=dtype).view(shape).copy_(part)

    return Converted(protocol.F32 if element_type is None else element_type, shape, copy, has_past)


def _read_numpy(numpy: Any, array: Any, choice: Choice) -> Source:
    axes = _check(array.shape)
    kind = array.dtype
    element_type = None
    if kind.isnative:  # a name is worked out anew each time it is asked for: last
        element_type = _FORMATS[kind.char] if kind.char in _FORMATS else _NAMES.get(kind.name)
    if element_type is not None and array.flags.c_contiguous:
        return Contiguous(Layout.of(axes, element_type, choice), array.__array_interface__["data"][0], array)
    if kind.kind not in "fiub" and kind.name != "bfloat16":
        raise LatentError(f"the latent's values are {kind}; expected real numbers")
    chosen = choice.part(axes)
    part = _part(array, chosen)
    dtype = numpy.dtype("float32") if element_type is None else kind

    def copy(target: memoryview) -> None:
        numpy.copyto(numpy.frombuffer(target, numpy.uint8).view(dtype).reshape(part.shape), part, casting="unsafe")

    return Converted(protocol.F32 if element_type is None else element_type, part.shape, copy, choice.has_past(chosen))


def _read_raw(latent: RawLatent, choice: Choice) -> Source:
    if latent.element_type not in protocol.ELEMENT_TYPES:
        raise LatentError(f"the element type is {latent.element_type!r}; expected one of {', '.join(protocol.ELEMENT_TYPES)}")
    element_type = protocol.ELEMENT_TYPES.index(latent.element_type)
    axes, raw = _check(tuple(latent.axes)), memoryview(latent.data).cast("B")
    length = math.prod(axes) * protocol.ELEMENT_SIZES[element_type]
    if len(raw) != length:
        raise LatentError(f"the data has {len(raw)} bytes; {axes} of {latent.element_type} takes {length}")
    return _of_buffer(raw, element_type, axes, choice)


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
        return _of_buffer(view.cast("B"), element_type, axes, choice)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        return _read_numpy(numpy, numpy.asarray(view), choice)
    raise LatentError(
        f"the buffer holds elements {view.format!r}, contiguous: {view.c_contiguous}; without numpy a buffer must hold "
        "contiguous 'f' (F32) or 'e' (F16) elements"
    )


def _of_buffer(raw: memoryview, element_type: int, axes: tuple[int, ...], choice: Choice) -> Source:
    layout = Layout.of(axes, element_type, choice)
    if not raw.readonly:
        return Contiguous(layout, _address(raw), raw)
    run = layout.run

    def copy(target: memoryview) -> None:
        for index, start in enumerate(layout.starts):
            target[index * run:(index + 1) * run] = raw[start:start + run]

    return Converted(element_type, layout.axes, copy, layout.has_past)


_thread = threading.local()
_RELAXED = 2  # CU_STREAM_CAPTURE_MODE_RELAXED


def _allow_captures() -> None:
    """Makes this thread's CUDA calls harmless to a graph that another thread captures, as ``torch.compile(mode="reduce-overhead")`` does.

    Else a mere question to an event breaks the capture, and with it the run. Source: CUDA's ``cuThreadExchangeStreamCaptureMode``.
    """
    if not getattr(_thread, "allows_captures", False):
        _thread.allows_captures = True
        with contextlib.suppress(OSError, AttributeError):  # no driver of NVIDIA's
            driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
            driver.cuThreadExchangeStreamCaptureMode(ctypes.byref(ctypes.c_int(_RELAXED)))


_memmove = ctypes.PYFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)(
    ctypes.cast(ctypes.memmove, ctypes.c_void_p).value)
"""``ctypes.memmove``, but keeping the GIL."""


def _address(memory: memoryview) -> int:
    """Where writable bytes lie."""
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


def _part(array: Any, part: Part) -> Any:
    array = array.reshape(part.split)
    if part.batch is not None:
        array = array[part.items.start:part.items.stop]
    if part.frame is not None:
        array = array[(slice(None),) * part.frame + (slice(part.frames.start, part.frames.stop),)]
    return array.reshape(part.sent)


def _check(axes: tuple[int, ...]) -> tuple[int, ...]:
    if not 2 <= len(axes) <= protocol.MAXIMUM_AXES:
        raise LatentError(f"the latent's shape is {axes}; expected 2 to {protocol.MAXIMUM_AXES} axes")
    if min(axes) < 1 or max(axes) > protocol.MAXIMUM_AXIS:
        raise LatentError(f"the latent's shape is {axes}; expected every axis within 1 to {protocol.MAXIMUM_AXIS}")
    return axes
