"""A recording holds what was added, as F16, and is never more than was asked for."""

import array
import math
import os
import struct
import tempfile
import unittest

from latentbridge import safetensors
from latentbridge.protocol import BF16, F16, F32
from latentbridge.recording import Recording, RecordingError, to_half
from latentbridge.tensors import Choice, RawLatent


def latent(start, *axes):
    return RawLatent(array.array("f", [start + i / 8 for i in range(math.prod(axes))]).tobytes(), "F32", axes)


class RecordingTests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "run.safetensors")

    def test_steps_lie_one_behind_the_other_as_a_batch(self):
        with Recording(self.path, latent_format="SD15") as recording:
            for step in range(3):
                recording.add(latent(step, 1, 4, 2, 3))
        metadata, found = safetensors.read(self.path)
        self.assertEqual((metadata["latent_format"], list(found)), ("SD15", ["latents"]))
        self.assertEqual((found["latents"].element_type, found["latents"].axes), ("F16", (3, 4, 2, 3)))
        values = struct.unpack("<72e", found["latents"].data)
        self.assertEqual(values, tuple(step + i / 8 for step in range(3) for i in range(24)))
        self.assertEqual(os.listdir(os.path.dirname(self.path)), ["run.safetensors"])

    @unittest.skipIf(os.name == "nt", "Windows has no modes")
    def test_nobody_else_can_read_it_whatever_the_umask(self):
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        with Recording(self.path) as recording:
            recording.add(latent(0, 1, 4, 2, 3))
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o600)

    def test_what_a_killed_program_left_is_removed(self):
        left, begun, other = (os.path.join(os.path.dirname(self.path), name) for name in (
            "old.safetensors.17.partial", "new.safetensors.18.partial", "mine.partial"))
        for path in (left, begun, other):
            open(path, "wb").close()
        for path in (left, other):
            os.utime(path, (0, 0))
        with Recording(self.path) as recording:
            recording.add(latent(0, 1, 4, 2, 3))
        self.assertEqual([os.path.exists(path) for path in (left, begun, other)], [False, True, True])

    def test_of_a_batch_the_chosen_item_is_kept_and_without_a_batch_axis_one_is_made(self):
        with Recording(self.path, choice=Choice("item", 1, 0)) as recording:
            recording.add(latent(0, 2, 4, 1, 1))
        self.assertEqual(struct.unpack("<4e", safetensors.read(self.path)[1]["latents"].data), (0.5, 0.625, 0.75, 0.875))
        with Recording(self.path) as recording:
            recording.add(latent(0, 4, 2, 2))
        self.assertEqual(safetensors.read(self.path)[1]["latents"].axes, (1, 4, 2, 2))

    def test_another_shape_a_whole_batch_and_too_much_are_refused_and_the_rest_stays(self):
        recording = Recording(self.path, limit=2 * 2 * 16)
        recording.add(latent(0, 1, 4, 2, 2))
        with self.assertRaisesRegex(RecordingError, "those before it"):
            recording.add(latent(0, 1, 4, 2, 3))
        recording.add(latent(1, 1, 4, 2, 2))
        with self.assertRaisesRegex(RecordingError, "over the limit of 64 bytes"):
            recording.add(latent(2, 1, 4, 2, 2))
        self.assertEqual(len(recording), 2)
        recording.close()
        self.assertEqual(safetensors.read(self.path)[1]["latents"].axes, (2, 4, 2, 2))
        with self.assertRaisesRegex(RecordingError, "choose the item"):
            Recording(self.path, choice=Choice("grid")).add(latent(0, 2, 4, 2, 2))

    def test_nothing_added_or_discarded_writes_nothing(self):
        with Recording(self.path) as recording:
            recording.add(latent(0, 1, 4, 2, 2))
            recording.discard()
        self.assertFalse(os.path.exists(self.path))

    def test_a_folder_that_is_not_there_is_an_error_and_leaves_nothing(self):
        recording = Recording(os.path.join(self.path, "no", "run.safetensors"))
        recording.add(latent(0, 1, 4, 2, 2))
        with self.assertRaises(OSError):
            recording.close()

    def test_half_is_rounded_and_never_infinite(self):
        given = [0.1, -65504.0, 1e9, -math.inf, 2049.0]
        self.assertEqual(struct.unpack("<5e", to_half(struct.pack("<5f", *given), F32)), (0.0999755859375, -65504.0, 65504.0, -65504.0, 2048.0))
        self.assertTrue(math.isnan(struct.unpack("<e", to_half(struct.pack("<f", math.nan), F32))[0]))
        self.assertEqual(struct.unpack("<2e", to_half(bytes.fromhex("803f40c0"), BF16)), (1.0, -3.0))
        self.assertEqual(to_half(b"\x01\x3c", F16), b"\x01\x3c")


if __name__ == "__main__":
    unittest.main()
