"""The mapping: made, grown, refused, and gone without a trace."""

import errno
import os
import sys
import unittest
from pathlib import Path
from unittest import mock

from latentbridge import protocol
from latentbridge.shared_memory import SharedMemory, SharedMemoryError

SMALL = protocol.Geometry.of(1000, 2000, 2, 3)


class SharedMemoryTests(unittest.TestCase):
    def make(self):
        memory = SharedMemory()
        self.addCleanup(memory.close)
        return memory

    def test_a_mapping_starts_with_its_header_page_and_free_latent_slots(self):
        mapping = self.make().map(SMALL)
        self.assertEqual(protocol.read_header_page(mapping.view), (SMALL, os.getpid(), 1))
        self.assertEqual(list(mapping.free), [0, 1])
        self.assertEqual(len(mapping.view), SMALL.length)

    def test_growth_keeps_the_descriptor_and_counts_the_generation(self):
        memory = self.make()
        first, source = memory.map(SMALL), memory.source
        second = memory.map(protocol.Geometry.of(100_000, 2000, 2, 3))
        self.assertEqual((first.generation, second.generation), (1, 2))
        if sys.platform != "win32":
            self.assertEqual(memory.source, source)
        self.assertGreaterEqual(second.latent_capacity, 100_000)

    def test_touching_the_pages_leaves_headers_of_images_alone(self):
        mapping = self.make().map(SMALL)
        offset = SMALL.image_offset(0)
        mapping.view[offset:offset + 4] = b"abcd"
        mapping.touch()
        self.assertEqual(bytes(mapping.view[offset:offset + 4]), b"abcd")

    def test_an_image_slot_that_does_not_exist_is_refused(self):
        mapping = self.make().map(SMALL)
        for slot in (-1, 3, 1 << 40, None, "0", 1.0):
            with self.subTest(slot), self.assertRaises(protocol.ProtocolError):
                mapping.read_image(slot)

    @unittest.skipUnless(hasattr(os, "posix_fallocate"), "this system has no posix_fallocate")
    def test_no_memory_is_an_error_with_a_size_and_advice(self):
        memory = self.make()
        with mock.patch("os.posix_fallocate", side_effect=OSError(errno.ENOSPC, "No space left on device")):
            with self.assertRaisesRegex(SharedMemoryError, "no shared memory for .* MB .*No space left.*free some memory"):
                memory.map(SMALL)

    def test_absurd_sizes_are_an_error(self):
        with self.assertRaises(SharedMemoryError):
            self.make().map(protocol.Geometry.of(1 << 61, 1 << 61))

    @unittest.skipUnless(hasattr(os, "memfd_create"), "this system has no memfd_create")
    def test_without_memfd_an_unlinked_file_serves(self):
        with mock.patch("os.memfd_create", side_effect=PermissionError(errno.EPERM, "not permitted")):
            memory = self.make()
        mapping = memory.map(SMALL)
        mapping.view[-1:] = b"x"
        self.assertEqual(os.fstat(memory.descriptor).st_nlink, 0)
        self.assertEqual(os.fstat(memory.descriptor).st_mode & 0o777, 0o600)

    @unittest.skipUnless(hasattr(os, "memfd_create"), "this system has no memfd_create")
    def test_without_any_place_the_error_says_so(self):
        refused = OSError(errno.EACCES, "denied")
        with mock.patch("os.memfd_create", side_effect=refused), mock.patch("tempfile.mkstemp", side_effect=refused):
            with self.assertRaisesRegex(SharedMemoryError, "neither anonymous memory nor a temporary file"):
                SharedMemory()

    @unittest.skipIf(sys.platform == "win32", "Windows reserves by the section's size")
    def test_systems_without_posix_fallocate_write_the_file_full(self):
        memory = self.make()
        with mock.patch.object(os, "posix_fallocate", create=True):
            del os.posix_fallocate
            mapping = memory.map(SMALL)
        self.assertEqual(os.fstat(memory.descriptor).st_size, SMALL.length)
        self.assertEqual(bytes(mapping.view[SMALL.length - 8:]), bytes(8))

    @unittest.skipUnless(Path("/proc/self/fd").is_dir(), "this system has no /proc")
    def test_closing_leaves_no_descriptor(self):
        before = len(os.listdir("/proc/self/fd"))
        memory = SharedMemory()
        memory.map(SMALL)
        memory.close()
        memory.close()
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
