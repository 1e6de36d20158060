"""The memory that shim and host share: made here, owned here, gone with the last of the two processes.

Linux uses a ``memfd`` (no name at all), other Unix systems and Linux without ``memfd_create`` a temporary file that is
unlinked before anybody else could open it, Windows a section of the page file with a random name. Nothing is left
behind, however either process ends. ``multiprocessing.shared_memory`` is avoided: its tracker unlinks live blocks.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import secrets
import sys
import tempfile
from collections import deque
from typing import Any

from . import protocol

_CHUNK = 1 << 20
_FOLDERS = ("/dev/shm", None)  # memory first; then the folder for temporary files, which TMPDIR names


class SharedMemoryError(OSError):
    """The mapping could not be made: no memory left for it, or not permitted."""


class Mapping:
    """One generation of the shared memory, with the slots that are free to write latents to.

    ``view`` is the whole mapping as writable bytes. ``free`` holds the numbers of the latent slots the shim owns; taking
    one (``popleft``) and giving it back (``append``) are atomic, so no lock is needed. ``payloads`` are the latent slots' payloads:
    writable bytes and their address.
    """

    def __init__(self, memory: mmap.mmap, geometry: protocol.Geometry, generation: int) -> None:
        self.geometry = geometry
        self.generation = generation
        self.view = memoryview(memory)
        self.latent_capacity = geometry.latent_capacity
        self.free: deque[int] = deque(range(geometry.latent_slots))
        address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        starts = [geometry.latent_offset(slot) + protocol.SLOT_HEADER_LENGTH for slot in self.free]
        self.payloads = [(self.view[start:start + self.latent_capacity], address + start) for start in starts]
        protocol.write_header_page(self.view, geometry, os.getpid(), generation)

    def write_header(self, slot: int, header: protocol.LatentHeader) -> None:
        """The header of a latent slot, before the host hears of it."""
        protocol.write_latent_header(self.view, self.geometry.latent_offset(slot), self.generation, header)

    def read_image(self, slot: int) -> tuple[protocol.ImageHeader, bytes]:
        """Header and payload of an image slot; ``ProtocolError`` when the slot number or a header field is wrong."""
        if not isinstance(slot, int) or not 0 <= slot < self.geometry.image_slots:
            raise protocol.ProtocolError(f"image slot {slot!r}; expected 0 to {self.geometry.image_slots - 1}")
        offset = self.geometry.image_offset(slot)
        header = protocol.read_image_header(self.view, offset, self.geometry, self.generation)
        start = offset + protocol.SLOT_HEADER_LENGTH
        return header, bytes(self.view[start:start + header.length])

    def touch(self) -> None:
        """Faults every latent page in, a slot at a time, so that the sampler's thread never does (bridge thread only)."""
        stride = self.geometry.latent_stride
        for slot in range(self.geometry.latent_slots):
            start = self.geometry.latent_offset(slot)
            self.view[start:start + stride:protocol.PAGE] = bytes(stride // protocol.PAGE)


class SharedMemory:
    """The memory of one host process; ``map`` makes its first generation and each bigger one.

    ``descriptor`` is the file descriptor the host inherits (None on Windows, where ``source`` names the section).
    """

    def __init__(self, length: int = 0) -> None:
        """``length`` in bytes is what the first generation will need: the file is made where there is room for it."""
        self.descriptor: int | None = None
        self._folder: str | None = None
        if sys.platform != "win32":
            self.descriptor, self._folder = _anonymous_file(length)
        self._section = ""
        self._generation = 0

    def map(self, geometry: protocol.Geometry) -> Mapping:
        """Reserves and maps the memory for a geometry, at least as long as the last; ``SharedMemoryError`` when there is none."""
        try:
            if self.descriptor is None:
                self._section = f"Local\\latentbridge-{secrets.token_hex(16)}"
                memory = mmap.mmap(-1, geometry.length, tagname=self._section)  # type: ignore[call-arg]
            else:
                _reserve(self.descriptor, geometry.length)
                memory = mmap.mmap(self.descriptor, geometry.length)
        except (OSError, OverflowError, ValueError) as error:
            advice = "make Windows' page file bigger" if sys.platform == "win32" else "raise the limit of the container"
            raise SharedMemoryError(
                f"no shared memory for {geometry.length / 1048576:.0f} MB ({error}); free some memory, or {advice}") from error
        self._generation += 1
        return Mapping(memory, geometry, self._generation)

    @property
    def source(self) -> dict[str, Any]:
        """What ``attach`` sends to name the mapping."""
        if self.descriptor is None:
            return {"kind": "section", "name": self._section}
        return {"kind": "fd", "fd": self.descriptor}

    def has_room_elsewhere(self, length: int) -> bool:
        """Whether another host's memory of this length would find room that this one does not have: on a disk instead of in ``/dev/shm``."""
        if self._folder != _FOLDERS[0]:
            return False
        try:
            os.close(_file_in(_FOLDERS[1], length))
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Gives up the descriptor. Views that are still in use keep their memory until they are dropped."""
        descriptor, self.descriptor = self.descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def _anonymous_file(length: int) -> tuple[int, str | None]:
    """A file without a name, and the folder it lies in; with room for ``length`` bytes where any of the folders has it."""
    if hasattr(os, "memfd_create"):
        try:
            return os.memfd_create("latentbridge", os.MFD_CLOEXEC), None
        except OSError:
            pass  # an old kernel or a sandbox that refuses it: a file does as well
    for folder in _FOLDERS:
        try:
            return _file_in(folder, length), folder
        except OSError as error:
            reason = error
    raise SharedMemoryError(f"no shared memory: neither anonymous memory nor a temporary file of {length / 1048576:.0f} MB could be made "
                            f"({reason}); free some memory, or name a folder with room in TMPDIR") from reason


def _file_in(folder: str | None, length: int) -> int:
    descriptor, path = tempfile.mkstemp(prefix="latentbridge-shm-", dir=folder)
    try:
        os.unlink(path)
        if length:
            _reserve(descriptor, length)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _reserve(descriptor: int, length: int) -> None:
    """Makes the file ``length`` bytes long with every byte backed, so that a lack of memory shows here and not as SIGBUS."""
    begin = os.fstat(descriptor).st_size
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, length)
        return
    zeros = bytes(_CHUNK)
    while begin < length:
        begin += os.pwrite(descriptor, zeros[:length - begin], begin)
