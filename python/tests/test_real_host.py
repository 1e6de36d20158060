"""The real host, where there is one: every kind of latent gives a picture, and none is lost or late."""

import io
import math
import tempfile
import time
import unittest
from pathlib import Path

from latentbridge import BridgeError, RawLatent, safetensors
from latentbridge.host_locator import ROOT
from tests import onnx_files
from tests.bridges import BridgeTestCase, latent, real_host, until

try:
    import PIL.Image
    import PIL.ImageChops
    import PIL.ImageStat
except ImportError:
    PIL = None

LATENTS = ROOT / "examples" / "latents"


def size_of(png):
    assert png[:8] == b"\x89PNG\r\n\x1a\n", png[:16]
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")


class RealHost(BridgeTestCase):
    def setUp(self):
        self.host = real_host()

    def open(self, **options):
        bridge = self.bridge(host=self.host, **{"start_patience": 30, "patience": 10, **options})
        self.assertTrue(bridge.start(60), bridge.off_reason)
        return bridge

    def test_each_shape_gives_a_picture_of_its_size(self):
        bridge = self.open(decoder="latent2rgb")
        for run, (latent_format, axes, size) in enumerate((
                ("SDXL", (1, 4, 48, 64), (64, 48)), ("SDXL", (4, 32, 24), (24, 32)), ("SD15", (3, 4, 16, 16), (16, 16)),
                ("Flux", (1, 16, 32, 16), (16, 32)), ("Wan21", (1, 16, 5, 20, 30), (30, 20)),
                ("Flux2", (1, 128, 16, 24), (48, 32)))):
            with self.subTest(f"{latent_format} {axes}"):
                _, preview = self.show(bridge, run=run, axes=axes, latent_format=latent_format, total=1)
                self.assertEqual((preview.width, preview.height), size)
                self.assertEqual(size_of(preview.data), size)
                self.assertEqual((preview.encoding, preview.decoder, preview.run), ("png", "latent2rgb", run))

    def test_a_batch_is_first_item_or_grid(self):
        bridge = self.open(decoder="latent2rgb")
        batch = latent(4, 4, 16, 16)
        sizes = []
        for run, options in enumerate(({}, {"batch": "item", "item": 2}, {"batch": "grid"})):
            bridge.begin(run=run, latent_format="SDXL", **options)
            bridge.submit(batch, run=run, step=0)
            sizes.append(size_of(bridge.wait(run=run, step=0, timeout=20).data))
        self.assertEqual(sizes, [(16, 16), (16, 16), (32, 32)])

    def test_the_first_single_picture_waits_for_the_search_for_weights(self):
        for decoder in ("auto", "tiny"):
            with self.subTest(decoder):
                preview = self.open(decoder=decoder, lastStepMilliseconds=1000).decode(latent(1, 4, 16, 16), latent_format="SDXL")
                self.assertGreaterEqual(preview.width, 64, preview.decoder)  # four pixels a cell, or with a TAESD eight

    def test_size_and_raw_pixels(self):
        bridge = self.open(decoder="latent2rgb", size=200, encoding="rgb24")
        _, preview = self.show(bridge, run=1, axes=(1, 4, 32, 64), latent_format="SDXL")
        self.assertEqual((preview.encoding, preview.width, preview.height, len(preview.data)), ("rgb24", 200, 100, 200 * 100 * 3))

    @unittest.skipUnless(PIL, "Pillow is missing")
    def test_jpeg_and_webp_come_encoded(self):
        bridge = self.open(decoder="latent2rgb", size=256)
        options = {"latent_format": "SDXL", "timeout": 20}
        x0 = latent(1, 4, 32, 32)
        plain = PIL.Image.frombytes("RGB", (256, 256), bridge.decode(x0, encoding="rgb24", **options).data)
        lengths = []
        for encoding, quality in (("jpeg", 60), ("jpeg", 95), ("webp", 95)):
            preview = bridge.decode(x0, encoding=encoding, quality=quality, **options)
            picture = PIL.Image.open(io.BytesIO(preview.data))
            self.assertEqual((preview.encoding, picture.format, picture.size), (encoding, encoding.upper(), plain.size))
            difference = PIL.ImageChops.difference(picture.convert("RGB"), plain)
            self.assertLess(max(PIL.ImageStat.Stat(difference).mean), 3)
            lengths.append(len(preview.data))
        self.assertLess(lengths[0], lengths[1])

    def test_an_unknown_format_and_channel_count_still_give_a_picture(self):
        bridge = self.open()
        for run, axes in enumerate(((1, 4, 16, 16), (1, 7, 16, 16), (1, 16, 16, 16))):
            with self.subTest(axes):
                _, preview = self.show(bridge, run=run, axes=axes)
                self.assertGreaterEqual(min(preview.width, preview.height), 16)

    def test_values_that_are_not_finite_give_a_picture_and_a_warning(self):
        bridge = self.open(decoder="latent2rgb")
        buffer = latent(1, 4, 8, 8)
        for index, value in enumerate((math.nan, math.inf, -math.inf)):
            buffer[0, 0, 0, index] = value
        bridge.submit(buffer, run=1, step=0, latent_format="SDXL")
        preview = bridge.wait(run=1, step=0, timeout=20)
        self.assertTrue(preview.warnings)

    def test_wrong_channels_are_said_and_the_next_run_shows(self):
        bridge = self.open(strict=False)
        with self.assertLogs("latentbridge", "WARNING") as logs:
            bridge.submit(latent(1, 5, 8, 8), run=1, step=0, latent_format="SDXL")
            self.assertIsNone(bridge.wait(run=1, step=0, timeout=20))
        self.assertIn("bad-latent", logs.output[0])
        self.show(bridge, run=2, latent_format="SDXL")

    def test_decode_gives_one_picture_or_the_reason(self):
        bridge = self.open()
        preview = bridge.decode(latent(1, 16, 16, 16), latent_format="Flux", decoder="latent2rgb", timeout=20)
        self.assertEqual(size_of(preview.data), (16, 16))
        with self.assertRaises(BridgeError):
            bridge.decode(latent(1, 5, 6, 7), latent_format="Flux", timeout=20)

    def test_bigger_geometry_by_attaching_again(self):
        bridge = self.open(decoder="latent2rgb")
        pid = bridge.host_pid
        for run, side in enumerate((16, 300, 16, 600)):
            _, preview = self.show(bridge, run=run, axes=(1, 16, side, side), latent_format="Flux")
            self.assertEqual(size_of(preview.data), (side, side))
        self.assertEqual(bridge.host_pid, pid)
        self.assertGreaterEqual(bridge.status(10)["host"]["generation"], 2)

    def test_a_picture_too_big_for_its_slot_makes_the_slots_grow(self):
        bridge = self.open(decoder="latent2rgb", size=4096, encoding="rgb24", strict=False)
        step = iter(range(1000))
        until(lambda: bridge.submit(latent(1, 4, 16, 16), run=1, step=(now := next(step)), latent_format="SDXL")
              and bridge.wait(run=1, step=now, timeout=2))
        self.assertEqual(len(bridge.latest().data), 4096 * 4096 * 3)

    def test_first_and_last_of_every_run_show_and_nothing_of_an_old_run(self):
        seen = []
        bridge = self.open(decoder="latent2rgb", on_preview=lambda preview: seen.append((preview.run, preview.step, current)))
        buffer = latent(1, 4, 16, 16)
        for current in range(150):
            for step in range(20):
                bridge.submit(buffer, run=current, step=step, total=20, latent_format="SDXL")
                if step in (0, 19):
                    self.assertIsNotNone(bridge.wait(run=current, step=step, timeout=20), (current, step))
            bridge.end(run=current)
        self.assertEqual(seen, sorted(set(seen)))
        self.assertTrue(all(run == now for run, _, now in seen))

    def test_status_says_what_is_on_screen(self):
        bridge = self.open(decoder="latent2rgb")
        self.show(bridge, run=3, latent_format="SDXL")
        stream = bridge.status(10)["host"]["streams"][0]
        self.assertEqual((stream["run"], stream["format"], stream["decoder"], stream["shown"]), (3, "SDXL", "latent2rgb", 1))

    @unittest.skipUnless(PIL and LATENTS.is_dir(), "Pillow or the example latents are missing")
    def test_an_example_latent_looks_like_its_picture(self):
        bridge = self.open()
        for model in ("SD15", "SDXL", "SD3", "Flux", "Flux2"):
            path = LATENTS / f"{model}_run8.safetensors"
            x0 = safetensors.read(path)[1]["x0"]
            size = len(x0.data) // 8
            last = RawLatent(x0.data[7 * size:], x0.element_type, (1, *x0.axes[1:]))
            with self.subTest(model):
                preview = bridge.decode(last, latent_format=model, decoder="latent2rgb", timeout=60)
                picture = PIL.Image.open(io.BytesIO(preview.data)).convert("RGB").resize((64, 64))
                red, green, _ = picture.crop((46, 26, 62, 50)).resize((1, 1), PIL.Image.BOX).getpixel((0, 0))
                self.assertGreater(red, green + 25, "the right parrot is red")

    def test_a_model_that_ends_the_host_is_left_out_after_two_deaths_and_named(self):
        if self.host == "pythonnet":
            self.skipTest("in this process, it would end this process")
        if not any(Path(self.host[-2]).parent.rglob("*onnxruntime*")):
            self.skipTest("this host has no ONNX Runtime")
        for divisor in ("always", "first", "bright"):
            with self.subTest(divisor), tempfile.TemporaryDirectory() as folder:
                file = onnx_files.write(folder, "small-sd1", divisor)
                bridge = self.bridge(host=self.host, models=[folder], start_patience=60, patience=20, attempts=5)
                with self.assertLogs("latentbridge", "WARNING") as logs:
                    preview = self.show_after_two_deaths(bridge)
                status = bridge.status(20)
                self.assertEqual((status["hosts"], status["avoided"]), (3, [{"decoder": "onnx:small-sd1", "file": str(file)}]))
                self.assertRegex("".join(logs.output), r"the decoder onnx:small-sd1 \(.*small-sd1\.onnx\) ended the host twice and is left out")
                self.assertIn("onnx:small-sd1 left out", "".join(preview.warnings))
                self.assertIn("left out", next(d["failure"] for d in status["host"]["decoders"] if d["id"] == "onnx:small-sd1"))
                self.show(bridge, run=1000, latent_format="SD15")  # and all goes on
                self.assertEqual(bridge.status(20)["hosts"], 3)
                bridge.close()

    def show_after_two_deaths(self, bridge):
        """Samples runs of bright latents until a picture says that a decoder is left out: by a host that was told to, once its search found the file."""
        self.assertTrue(bridge.start(60), bridge.off_reason)
        end = time.monotonic() + 60
        for run in range(1, 1000):
            for step in range(4):
                bridge.submit(latent(1, 4, 32, 32, start=200.0), run=run, step=step, total=4, latent_format="SD15")
                preview = bridge.wait(run=run, step=step, timeout=0.5)
            bridge.end(run=run)
            if preview is not None and "left out" in "".join(preview.warnings):
                return preview
            self.assertLess(time.monotonic(), end, bridge.status(20))
