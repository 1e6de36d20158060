"""The bytes and lines that shim and host exchange: ``docs/protocol.md`` in Python, and nothing else.

Everything here is plain data in and out; no memory is mapped and no process is started. The readers check every field
against the geometry and raise ``ProtocolError`` with what was found and what was expected.
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from typing import Any, NamedTuple

VERSION = 2
MINIMUM_VERSION = 2

PAGE = 4096
SLOT_HEADER_LENGTH = 128
MAXIMUM_AXES = 5
MAXIMUM_AXIS = 1 << 20
MAXIMUM_NUMBER = 1 << 53
MAXIMUM_LINE = 1 << 20

MAGIC = b"LBRIDGE\0"
LATENT_MAGIC = 0x544E544C  # "LTNT"
IMAGE_MAGIC = 0x47414D49  # "IMAG"

ELEMENT_TYPES = ("F32", "F16", "BF16")
ELEMENT_SIZES = (4, 2, 2)
F32, F16, BF16 = range(3)
ENCODINGS = ("rgb24", "png", "jpeg", "webp")

FLAG_LAST_STEP = 1
FLAG_FIRST_FRAME = 2
FLAG_NOT_FINITE = 4
FLAG_SHOWS_LAST_FRAME = 8

VERSIONS_DO_NOT_MEET = -32001

_HEADER_PAGE = struct.Struct("<8sIIQIIQQQQII")
_LATENT_SLOT = struct.Struct("<IIQQIiiIII5qQ32x")
_IMAGE_SLOT = struct.Struct("<IIQQIiiIIIIIQ64x")

_NUMBERS = frozenset(("slot", "sequence", "needed"))


class ProtocolError(ValueError):
    """Bytes or a line of the other side that do not follow the protocol."""


# --- the mapping -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Geometry:
    """Where the slots lie. Capacities and strides in bytes; a stride is a whole number of 4096-byte pages."""

    latent_slots: int
    latent_stride: int
    image_slots: int
    image_stride: int

    @staticmethod
    def of(latent_capacity: int, image_capacity: int, latent_slots: int = 4, image_slots: int = 4) -> Geometry:
        """The geometry whose slots hold at least these payloads (bytes)."""
        return Geometry(latent_slots, _stride(latent_capacity), image_slots, _stride(image_capacity))

    @property
    def latent_capacity(self) -> int:
        return self.latent_stride - SLOT_HEADER_LENGTH

    @property
    def image_capacity(self) -> int:
        return self.image_stride - SLOT_HEADER_LENGTH

    @property
    def images_offset(self) -> int:
        return PAGE + self.latent_slots * self.latent_stride

    @property
    def length(self) -> int:
        """Bytes of the whole mapping."""
        return self.images_offset + self.image_slots * self.image_stride

    def latent_offset(self, slot: int) -> int:
        return PAGE + slot * self.latent_stride

    def image_offset(self, slot: int) -> int:
        return self.images_offset + slot * self.image_stride


def _stride(capacity: int) -> int:
    return -(-(SLOT_HEADER_LENGTH + capacity) // PAGE) * PAGE


def write_header_page(buffer: Any, geometry: Geometry, process: int, generation: int) -> None:
    """Writes the header page to the first 4096 bytes of a writable buffer."""
    buffer[:PAGE] = bytes(PAGE)
    _HEADER_PAGE.pack_into(
        buffer, 0, MAGIC, VERSION, PAGE, geometry.length, geometry.latent_slots, geometry.image_slots,
        PAGE, geometry.latent_stride, geometry.images_offset, geometry.image_stride, process, generation,
    )


def read_header_page(buffer: Any) -> tuple[Geometry, int, int]:
    """Geometry, the owner's process id and the generation of a header page; ``ProtocolError`` when it contradicts itself."""
    (magic, version, header, length, latents, images, latents_offset, latent_stride, images_offset, image_stride,
     process, generation) = _HEADER_PAGE.unpack_from(buffer, 0)
    _expect("magic", magic, MAGIC)
    _expect("protocol version", version, VERSION)
    _expect("header length", header, PAGE)
    for name, count in (("latent slot count", latents), ("image slot count", images)):
        _expect_within(name, count, 1, 64)
    for name, stride in (("latent slot stride", latent_stride), ("image slot stride", image_stride)):
        if stride < PAGE or stride % PAGE:
            raise ProtocolError(f"{name} is {stride}; expected a multiple of {PAGE}")
    geometry = Geometry(latents, latent_stride, images, image_stride)
    _expect("latent slots offset", latents_offset, PAGE)
    _expect("image slots offset", images_offset, geometry.images_offset)
    _expect("total length", length, geometry.length)
    _expect_within("generation", generation, 1, 0xFFFFFFFF)
    return geometry, process, generation


# --- slot headers ----------------------------------------------------------------------------------------------------


class LatentHeader(NamedTuple):
    """The header of a latent slot, but for the generation. ``axes`` outermost first; ``length`` in bytes."""

    sequence: int
    run: int
    stream: int
    step: int
    total: int
    flags: int
    element_type: int
    axes: tuple[int, ...]
    length: int


class ImageHeader(NamedTuple):
    """The header of an image slot. Width and height in pixels, ``length`` in bytes."""

    generation: int
    sequence: int
    run: int
    stream: int
    step: int
    total: int
    flags: int
    encoding: int
    width: int
    height: int
    length: int


_PADDING = tuple((0,) * (MAXIMUM_AXES - count) for count in range(MAXIMUM_AXES + 1))


def write_latent_header(buffer: Any, offset: int, generation: int, header: LatentHeader) -> None:
    """Writes the 128 bytes of a latent slot's header."""
    axes = header.axes
    _LATENT_SLOT.pack_into(
        buffer, offset, LATENT_MAGIC, generation, *header[:7], len(axes), *axes, *_PADDING[len(axes)], header.length)


def read_latent_header(buffer: Any, offset: int, geometry: Geometry, generation: int) -> LatentHeader:
    """Reads and checks a latent slot's header, as the host does (used by tests and by the fake host)."""
    (magic, slot_generation, sequence, run, stream, step, total, flags, element_type, count, *axes, length) = \
        _LATENT_SLOT.unpack_from(buffer, offset)
    _expect("latent slot magic", magic, LATENT_MAGIC)
    _expect("generation", slot_generation, generation)
    _expect_within("sequence", sequence, 1, MAXIMUM_NUMBER - 1)
    _expect_within("run", run, 0, MAXIMUM_NUMBER - 1)
    _expect_within("step", step, 0, 0x7FFFFFFF)
    _expect_within("total steps", total, 0, 0x7FFFFFFF)
    _expect_within("element type", element_type, 0, len(ELEMENT_TYPES) - 1)
    _expect_within("number of axes", count, 2, MAXIMUM_AXES)
    for axis in axes[:count]:
        _expect_within("axis", axis, 1, MAXIMUM_AXIS)
    if any(axes[count:]):
        raise ProtocolError(f"axes behind the {count} used ones are {axes[count:]}; expected zeros")
    _expect("payload length", length, math.prod(axes[:count]) * ELEMENT_SIZES[element_type])
    _expect_within("payload length", length, 1, geometry.latent_capacity)
    return LatentHeader(sequence, run, stream, step, total, flags, element_type, tuple(axes[:count]), length)


def write_image_header(buffer: Any, offset: int, header: ImageHeader) -> None:
    """Writes the 128 bytes of an image slot's header (the host's part; used by tests and by the fake host)."""
    _IMAGE_SLOT.pack_into(buffer, offset, IMAGE_MAGIC, *header[:10], 0, header.length)


def read_image_header(buffer: Any, offset: int, geometry: Geometry, generation: int) -> ImageHeader:
    """Reads an image slot's header; ``ProtocolError`` when a field does not fit the geometry."""
    (magic, slot_generation, sequence, run, stream, step, total, flags, encoding, width, height, _, length) = \
        _IMAGE_SLOT.unpack_from(buffer, offset)
    _expect("image slot magic", magic, IMAGE_MAGIC)
    _expect("generation", slot_generation, generation)
    _expect_within("sequence", sequence, 1, MAXIMUM_NUMBER - 1)
    _expect_within("run", run, 0, MAXIMUM_NUMBER - 1)
    _expect_within("encoding", encoding, 0, len(ENCODINGS) - 1)
    _expect_within("width", width, 1, MAXIMUM_AXIS)
    _expect_within("height", height, 1, MAXIMUM_AXIS)
    _expect_within("payload length", length, 1, geometry.image_capacity)
    if encoding == 0:
        _expect("payload length", length, width * height * 3)
    return ImageHeader(slot_generation, sequence, run, stream, step, total, flags, encoding, width, height, length)


# --- control channel -------------------------------------------------------------------------------------------------


def spoken(oldest: int = MINIMUM_VERSION, newest: int = VERSION) -> str:
    """A range of versions as people read it: ``protocol 2``, ``protocol 2 to 3``."""
    return f"protocol {newest}" if oldest == newest else f"protocol {oldest} to {newest}"


def notification(method: str, **params: Any) -> bytes:
    """The line of a message that is not answered."""
    return _line({"jsonrpc": "2.0", "method": method, "params": params})


def request(identifier: int, method: str, **params: Any) -> bytes:
    """The line of a message that is answered under ``identifier``."""
    message: dict[str, Any] = {"jsonrpc": "2.0", "id": identifier, "method": method}
    if params:
        message["params"] = params
    return _line(message)


def submit_line(slot: int, sequence: int) -> bytes:
    """``submit``, the one line of every step."""
    return b'{"jsonrpc":"2.0","method":"submit","params":{"slot":%d,"sequence":%d}}\n' % (slot, sequence)


def release_line(slot: int) -> bytes:
    """``release`` of an image slot."""
    return b'{"jsonrpc":"2.0","method":"release","params":{"slot":%d}}\n' % slot


def parse_line(line: bytes) -> dict[str, Any]:
    """A line as a JSON-RPC message; ``ProtocolError`` when it is none."""
    if len(line) > MAXIMUM_LINE:
        raise ProtocolError(f"a line of {len(line)} bytes; at most {MAXIMUM_LINE} are allowed")
    try:
        message = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"a line that is not JSON ({error}): {line[:80]!r}") from error
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        raise ProtocolError(f"not a JSON-RPC 2.0 message: {line[:80]!r}")
    method, error = message.get("method"), message.get("error")
    if method is not None:
        if not isinstance(method, str) or not isinstance(message.get("params"), dict):
            raise ProtocolError(f"a method that is no text, or params that are no object: {line[:80]!r}")
        check_numbers(message["params"])
    elif isinstance(message.get("id"), (dict, list)) or not isinstance(error, (dict, type(None))):
        raise ProtocolError(f"an id or an error of the wrong type: {line[:80]!r}")
    return message


def check_numbers(params: dict[str, Any]) -> None:
    """``ProtocolError`` when a member that counts something is no whole number."""
    for name in _NUMBERS & params.keys():
        if type(params[name]) is not int or not 0 <= params[name] < MAXIMUM_NUMBER:
            raise ProtocolError(f"{name} is {str(params[name])[:40]!r}; expected a whole number")


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _expect(name: str, found: Any, expected: Any) -> None:
    if found != expected:
        raise ProtocolError(f"{name} is {found!r}; expected {expected!r}")


def _expect_within(name: str, found: int, low: int, high: int) -> None:
    if not low <= found <= high:
        raise ProtocolError(f"{name} is {found}; expected {low} to {high}")
