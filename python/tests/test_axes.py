"""The axes of a latent: the vectors that the host's tests read too, and what is sent of each order."""

import json
import math
import os
import unittest
from array import array
from pathlib import Path

from latentbridge import axes
from latentbridge.tensors import Choice, Layout, LatentError, RawLatent, read
from tests.bridges import BridgeTestCase, real_host

ROOT = Path(__file__).resolve().parents[2]
VECTORS = json.loads((ROOT / "tests" / "Vectors" / "axes.json").read_text("utf-8"))


def send(shape, choice):
    """What is sent of a latent whose values are their own indices, as floats."""
    source = read(memoryview(array("f", range(math.prod(shape)))).cast("B").cast("f", shape), choice)
    data = bytearray(source.length)
    source.copy_into(memoryview(data))
    return source.axes, list(memoryview(data).cast("f"))


class Axes(BridgeTestCase):
    def test_the_vectors_are_read_as_the_host_reads_them(self):
        for case in VECTORS["read"]:
            with self.subTest(case):
                self.assertEqual(axes.order(tuple(case["axes"]), case["format"]), case["order"])

    def test_a_formats_id_may_be_in_any_case_and_an_unknown_one_is_read_as_usual(self):
        self.assertEqual(axes.order((16, 5, 24, 32), "wan21"), axes.order((16, 5, 24, 32), "Wan21"))
        self.assertEqual(axes.order((16, 5, 24, 32), "NoSuchFormat"), "BCHW")

    def test_what_is_sent_reads_as_one_frame_of_the_same_format(self):
        for case in VECTORS["read"]:
            if len(case["axes"]) > 5:
                continue
            with self.subTest(case):
                sent = Layout.of(tuple(case["axes"]), 0, Choice(latent_format=case["format"])).axes
                again = Layout.of(sent, 0, Choice(latent_format=case["format"])).axes
                self.assertEqual(sent, again)

    def test_the_middle_frame_of_a_clip_without_its_batch(self):
        shape, values = send((16, 5, 6, 7), Choice(latent_format="Wan21"))
        self.assertEqual(shape, (1, 16, 1, 6, 7))
        self.assertEqual(values, [(c * 5 + 2) * 42 + i for c in range(16) for i in range(42)])

    def test_the_chosen_frame_of_frames_first(self):
        shape, values = send((2, 5, 16, 6, 7), Choice("item", 1, "last", "Wan21"))
        self.assertEqual(shape, (1, 16, 1, 6, 7))
        self.assertEqual(values, [float((1 * 5 + 4) * 672 + i) for i in range(672)])

    def test_the_chosen_step_of_a_stack(self):
        shape, values = send((3, 1, 4, 6, 7), Choice("item", 2, 0, "SD15"))
        self.assertEqual((shape, values), ((1, 4, 6, 7), [float(2 * 168 + i) for i in range(168)]))

    def test_a_grid_keeps_every_item(self):
        shape, values = send((2, 5, 16, 6, 7), Choice("grid", 0, 1, "Wan21"))
        self.assertEqual(shape, (2, 16, 1, 6, 7))
        self.assertEqual(values, [float((b * 5 + 1) * 672 + i) for b in range(2) for i in range(672)])

    def test_channels_last_and_tokens_are_left_to_the_host(self):
        self.assertEqual(send((2, 6, 7, 4), Choice("item", 1, 0, "SDXL")), ((1, 6, 7, 4), [float(168 + i) for i in range(168)]))
        self.assertEqual(send((1, 9, 64), Choice(latent_format="Flux"))[0], (1, 9, 64))

    def test_raw_bytes_follow_the_same_rules(self):
        self.assertEqual(read(RawLatent(bytes(2 * 16 * 3 * 30), "F16", (16, 3, 5, 6)), Choice(latent_format="Wan21")).axes, (1, 16, 1, 5, 6))

    def test_too_many_axes_are_refused(self):
        with self.assertRaisesRegex(LatentError, "2 to 5 axes"):
            Layout.of((1, 1, 1, 4, 8, 8), 0, Choice(latent_format="SD15"))

    def test_a_latent_without_its_batch_gives_the_preview_of_the_whole(self):
        cases = os.environ.get("LATENTBRIDGE_TEST_DATA") or ROOT.parent / "shared"
        files = Path(cases) / "cases" / "files"
        if not files.is_dir():
            self.skipTest(f"no test data: {files} does not exist")
        bridge = self.bridge(host=real_host(), start_patience=30, patience=10, decoder="latent2rgb", frame="middle", encoding="rgb24")
        self.assertTrue(bridge.start(60), bridge.off_reason)
        for run, (name, key, whole, latent_format) in enumerate((
                ("musubi_wan.safetensors", "latents_5x16x24_bfloat16", "clip.safetensors", "Wan21"),
                ("ltx_unbatched.safetensors", "samples", "ltx.safetensors", "LTXV"))):
            with self.subTest(name):
                unbatched = raw(files / name, key)
                self.assertEqual(len(unbatched.axes), 4)
                found, right = (self.picture(bridge, 2 * run + number, latent, latent_format)
                                for number, latent in enumerate((unbatched, raw(files / "ref" / whole, "latent"))))
                self.assertEqual((found.width, found.height), (right.width, right.height))
                self.assertLessEqual(max(abs(a - b) for a, b in zip(found.data, right.data)), 1)

    def test_the_host_arranges_what_the_shim_sends_as_it_is(self):
        bridge = self.bridge(host=real_host(), start_patience=30, patience=10, decoder="latent2rgb", encoding="rgb24")
        self.assertTrue(bridge.start(60), bridge.off_reason)
        planes = [math.sin(i) for i in range(4 * 6 * 8)]
        last = [planes[c * 48 + cell] for cell in range(48) for c in range(4)]
        pictures = [self.picture(bridge, run, memoryview(array("f", values)).cast("B").cast("f", shape), "SDXL").data
                    for run, (values, shape) in enumerate(((planes, (1, 4, 6, 8)), (last, (1, 6, 8, 4)), (last, (6, 8, 4))))]
        self.assertEqual(pictures[1:], [pictures[0]] * 2)

    def picture(self, bridge, run, latent, latent_format):
        self.assertTrue(bridge.submit(latent, run=run, step=0, latent_format=latent_format))
        preview = bridge.wait(run=run, step=0, timeout=30)
        self.assertIsNotNone(preview)
        return preview


def raw(path, key):
    """A tensor of a safetensors file, as the bytes it is."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    entry = json.loads(data[8:8 + length])[key]
    begin, end = entry["data_offsets"]
    return RawLatent(data[8 + length + begin:8 + length + end], entry["dtype"], tuple(entry["shape"]))


if __name__ == "__main__":
    unittest.main()
