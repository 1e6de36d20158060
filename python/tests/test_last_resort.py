"""Previews made in Python where there is no host. No clock of these tests runs by itself."""

import io
import shutil
import sys
import tempfile
import threading
import unittest
from pathlib import Path
from unittest import mock

from tests.bridges import until

try:
    import numpy
    import torch
    from PIL import Image

    from latentbridge import safetensors
    from latentbridge.integrations import last_resort
    from latentbridge.reference import latent2rgb, tiny
    MISSING = None
except ImportError as error:
    MISSING = f"{error}; the UIs always have it"

ROOT = Path(__file__).resolve().parents[2]
TINY = {"SD15": "sd1", "SDXL": "sdxl", "SD3": "sd3", "Flux": "flux1", "Flux2": "flux2"}


def example(name):
    raw = safetensors.read(ROOT / "examples" / "latents" / f"{name}.safetensors")[1]["latent"]
    return torch.from_numpy(numpy.frombuffer(raw.data, "<f2").reshape(raw.axes).astype("f4"))


def levels(picture):
    """``[1,3,H,W]`` of 0..1 as a reference decoder gives it."""
    return (picture[0].clamp(0, 1) * 255 + 0.5).byte().permute(1, 2, 0).numpy()


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class LastResortTestCase(unittest.TestCase):
    def setUp(self):
        if MISSING:
            self.skipTest(MISSING)
        self.previews, self.said, self.clock = [], [], Clock()
        self.gate = threading.Event()
        self.gate.set()
        self.maker = last_resort.LastResort(self.arrived, self.said.append, self.clock)
        self.addCleanup(self.maker.close)
        self.addCleanup(self.gate.set)

    def arrived(self, preview):
        self.previews.append(preview)
        self.gate.wait(20)

    def begin(self, latent_format="SDXL", run=1, **options):
        self.maker.begin(run=run, latent_format=latent_format, **{"encoding": "rgb24", **options})

    def show(self, latent, run=1, step=0, total=0):
        self.assertTrue(self.maker.submit(latent, run=run, step=step, total=total))
        preview = self.maker.wait(run=run, step=step, timeout=20)
        self.assertIsNotNone(preview, self.said)
        return preview

    def pixels(self, preview):
        return numpy.frombuffer(preview.data, numpy.uint8).reshape(preview.height, preview.width, 3)

    def assert_same(self, preview, expected):
        """At most one level between them: another number of threads adds up in another order."""
        self.assertEqual(self.pixels(preview).shape, expected.shape)
        self.assertLessEqual(numpy.abs(self.pixels(preview).astype(int) - expected).max(), 1)


class PictureTests(LastResortTestCase):
    def test_tiny_makes_the_pictures_of_the_reference_network(self):
        for latent_format, file in TINY.items():
            with self.subTest(latent_format):
                x0 = example(f"{latent_format}_kodim23")
                unpacked = torch.nn.functional.pixel_shuffle(x0, 2) if latent_format == "Flux2" else x0
                self.begin(latent_format)
                preview = self.show(x0)
                self.assertEqual(preview.decoder, "tiny")
                self.assert_same(preview, levels(tiny.load(ROOT / "models" / "tiny" / f"tiny-{file}.safetensors")(unpacked)))

    def test_latent2rgb_makes_the_pictures_of_the_reference(self):
        for latent_format in TINY:
            with self.subTest(latent_format):
                x0 = example(f"{latent_format}_kodim23")
                self.begin(latent_format, decoder="latent2rgb")
                preview = self.show(x0)
                self.assertEqual(preview.decoder, "latent2rgb")
                self.assert_same(preview, levels(latent2rgb.decode(x0, latent_format)))

    def test_a_format_without_tiny_has_its_linear_map_and_a_video_its_first_frame(self):
        video = torch.randn(1, 16, 3, 6, 10)
        self.begin("Wan21")
        preview = self.show(video)
        self.assertEqual(preview.decoder, "latent2rgb")
        self.assert_same(preview, levels(latent2rgb.decode(video[:, :, 0], "Wan21")))

    def test_halves_and_strided_latents_are_read_as_they_are(self):
        x0 = example("SDXL_kodim23")
        expected = levels(latent2rgb.decode(x0.bfloat16(), "SDXL"))
        for latent in (x0.bfloat16(), x0.bfloat16().double(), x0.bfloat16().permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2), x0.bfloat16()[0]):
            self.begin(decoder="latent2rgb")
            self.assert_same(self.show(latent), expected)

    def test_a_batch_is_arranged_as_the_host_does(self):
        x0 = torch.cat([example("SDXL_kodim23"), example("SDXL_kodim23").flip(-1), example("SDXL_kodim23")])
        self.begin(decoder="latent2rgb", batch="grid")
        grid = self.pixels(self.show(x0))
        self.assertEqual(grid.shape, (128, 128, 3))
        numpy.testing.assert_array_equal(grid[:64, 64:], levels(latent2rgb.decode(x0[1:2], "SDXL")))
        self.assertEqual(grid[64:, 64:].max(), 0)

    def test_files_have_the_encoding_and_the_size_that_were_asked_for(self):
        for encoding in ("png", "jpeg", "webp"):
            self.begin(encoding=encoding, size=200)
            preview = self.show(example("SDXL_kodim23")[..., :32])
            image = Image.open(io.BytesIO(preview.data))
            self.assertEqual((image.format, image.size, (preview.width, preview.height)), (encoding.upper(), (100, 200), (100, 200)))
            self.assertIn("in Python", preview.note)

    def test_values_that_are_no_numbers_make_a_picture_all_the_same(self):
        x0 = example("SDXL_kodim23")
        x0[0, 0] = float("nan")
        self.begin()
        self.assertEqual(self.show(x0).decoder, "tiny")


    def test_without_the_file_of_tiny_or_with_a_damaged_one_the_linear_map_goes_on(self):
        self.addCleanup(last_resort._weights.cache_clear)
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(last_resort, "MODELS", Path(folder)):
            for prepare in (lambda: None, lambda: shutil.copy(ROOT / "models" / "manifest.json", folder), lambda: Path(folder, "tiny").mkdir(),
                            lambda: Path(folder, "tiny", "tiny-sdxl.safetensors").write_bytes(b"half a file")):
                prepare()
                last_resort._weights.cache_clear()
                self.begin()
                self.assertEqual(self.show(example("SDXL_kodim23")).decoder, "latent2rgb")


class CourseTests(LastResortTestCase):
    def test_a_latent_is_copied_and_the_newest_wins(self):
        first, last = example("SDXL_kodim04"), example("SDXL_kodim23")
        expected = levels(latent2rgb.decode(last, "SDXL"))
        self.begin(decoder="latent2rgb")
        self.gate.clear()
        self.show(first)
        for step in (1, 2, 3):
            self.assertTrue(self.maker.submit(last, run=1, step=step))
        last.zero_()
        self.gate.set()
        self.assertIsNotNone(self.maker.wait(run=1, step=3, timeout=20))
        self.assertEqual([preview.step for preview in self.previews], [0, 3])
        self.assert_same(self.previews[1], expected)

    def test_a_network_that_is_too_slow_gives_way_for_the_rest_of_the_run(self):
        network = last_resort.tiny

        def slow(x0, weights):
            self.clock.now += last_resort.LIMIT_SECONDS * 1.01
            return network(x0, weights)

        x0 = example("SDXL_kodim23")
        with mock.patch.object(last_resort, "tiny", slow):
            for run in (1, 2):
                self.begin(run=run)
                shown = [self.show(x0, run, step, step + 1).decoder for step in range(3)]
                self.assertEqual(shown, ["tiny", "latent2rgb", "latent2rgb"])

    def test_a_network_within_the_limit_stays(self):
        self.begin()
        self.assertEqual([self.show(example("SDXL_kodim23"), step=step).decoder for step in range(3)], ["tiny"] * 3)

    def test_after_a_picture_it_rests_but_for_the_last_step(self):
        network, x0 = last_resort.tiny, example("SDXL_kodim23")

        def slow(x0, weights):
            self.clock.now += 0.25
            return network(x0, weights)

        with mock.patch.object(last_resort, "tiny", slow):
            self.begin()
            self.show(x0)
            self.clock.now += 0.25 * last_resort.REST_BESIDE_CPU - 0.001
            self.assertFalse(self.maker.submit(x0, run=1, step=1, total=20))
            self.show(x0, step=19, total=20)
            self.clock.now += 0.25 * last_resort.REST_BESIDE_CPU
            self.show(x0, step=20)

    def test_a_run_that_is_over_is_not_shown(self):
        x0 = example("SDXL_kodim23")
        self.begin()
        self.gate.clear()
        self.show(x0)
        self.assertTrue(self.maker.submit(x0, run=1, step=1))
        self.maker.end(run=1)
        self.gate.set()
        until(lambda: not self.maker._waiting)  # taken: it would be the next picture
        self.assertFalse(self.maker.submit(x0, run=1, step=2))
        self.begin(run=2)
        self.show(x0, run=2)
        self.assertFalse(self.maker.submit(x0, run=1, step=3))
        self.assertEqual([preview.run for preview in self.previews], [1, 2])

    def test_what_cannot_be_shown_is_said_and_its_format_left_to_the_ui(self):
        for latent in ("no latent", torch.zeros(1, 5, 8, 8), torch.zeros(3, 4)):
            with self.subTest(latent):
                maker = last_resort.LastResort(self.arrived, self.said.append, self.clock)
                self.addCleanup(maker.close)
                maker.begin(run=1, latent_format="SDXL")
                self.assertTrue(maker.shows("SDXL"))
                maker.submit(latent, run=1, step=0)
                until(lambda: not maker.shows("SDXL"))
                self.assertTrue(maker.shows("SD15"))
                self.assertIn("SDXL", self.said.pop())
        self.assertEqual(self.previews, [])

    def test_it_shows_formats_with_colours_where_pytorch_is_loaded(self):
        self.assertTrue(self.maker.is_there)
        self.assertTrue(self.maker.shows("Wan21"))
        for latent_format in (None, "StableAudio1", "of another world"):
            self.assertFalse(self.maker.shows(latent_format))
        without = {name: module for name, module in sys.modules.items() if name != "torch"}
        with mock.patch.object(last_resort.sys, "modules", without):
            self.assertFalse(self.maker.is_there)

    def test_closing_ends_the_thread(self):
        self.begin()
        self.show(example("SDXL_kodim23"))
        thread = self.maker._thread
        self.maker.close()
        thread.join(20)
        self.assertFalse(thread.is_alive())
        self.assertFalse(self.maker.shows("SDXL"))
        self.assertFalse(self.maker.submit(example("SDXL_kodim23"), run=1, step=1))
