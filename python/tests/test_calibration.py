"""Teaching the host a model's colours: what is sent, and what comes of it with the real host."""

import importlib.util
import random
import tempfile
import unittest

from tests.bridges import BridgeTestCase, digest, latent, real_host, until

TORCH = importlib.util.find_spec("torch") is not None


@unittest.skipUnless(TORCH, "torch is not installed")
class Pair(unittest.TestCase):
    def setUp(self):
        import torch

        from latentbridge import calibration
        self.torch, self.calibration = torch, calibration

    def test_a_pair_is_the_latent_and_the_quarters_of_its_cells(self):
        latent = self.torch.randn(4, 3, 5)
        picture = self.torch.rand(3, 24, 40) * 2 - 1
        found = self.calibration.pair(latent, picture)
        self.assertEqual((tuple(found.shape), found.dtype), ((1, 16, 3, 5), self.torch.float16))
        self.assertTrue(self.torch.equal(found[0, :4], latent.half()))
        quarter = picture[2, 16 + 4:16 + 8, 8:8 + 4].mean()  # blue of the cell in row 2 and column 1, its lower left quarter
        self.assertAlmostEqual(float(found[0, 4 + 2 * 4 + 2, 2, 1]), float(quarter), delta=1e-3)

    def test_what_does_not_belong_together_is_refused(self):
        for axes, size, said in (((4, 8, 8), (3, 64, 72), "72 x 64 pixels does not belong to 8 x 8"), ((4, 8, 8), (3, 8, 8), "does not belong"),
                                 ((1, 4, 8, 8), (3, 64, 64), "expected"), ((4, 8, 8), (64, 64, 3), "expected")):
            with self.subTest(axes), self.assertRaisesRegex(self.calibration.PairError, said):
                self.calibration.pair(self.torch.zeros(axes), self.torch.zeros(size))


class Lessons(unittest.TestCase):
    def test_what_a_lesson_raises_is_said_and_the_next_is_given(self):
        from latentbridge.calibration import Lessons as Given

        said, done = [], []
        lessons = Given(said.append)
        lessons.give(lambda: 1 / 0)
        until(lambda: said)
        self.assertIn("nothing was learned from a picture: division", said[0])
        until(lambda: lessons.give(lambda: done.append(1)) or done)


class Teach(BridgeTestCase):
    def test_the_host_gets_the_pair_and_the_models_name(self):
        bridge = self.bridge()
        buffer = latent(1, 16, 4, 4)
        bridge.teach(buffer, model="a", latent_format="SDXL")  # no host runs, and none is started for it
        self.assertEqual(bridge.host_pid, 0)
        self.show(bridge)
        bridge.teach(buffer, model="mine", latent_format="SDXL")
        learned = until(lambda: bridge.status()["learned"])
        self.assertEqual((learned["model"], learned["format"], tuple(learned["axes"]), learned["sha256"]),
                         ("mine", "SDXL", (1, 16, 4, 4), digest(buffer).hex()))
        bridge.begin(run=7, model="mine")
        self.show(bridge, run=7)
        self.assertEqual(bridge.status()["host"]["begun"][-1]["model"], "mine")

    def test_a_pair_bigger_than_the_slots_finds_room(self):
        bridge = self.bridge()
        self.show(bridge)
        bridge.teach(latent(1, 16, 192, 192), model="mine")
        self.assertEqual(tuple(until(lambda: bridge.status()["learned"])["axes"]), (1, 16, 192, 192))

    def test_a_refusal_is_said_once_and_previews_go_on(self):
        bridge = self.bridge("drop=failed")
        self.assertTrue(bridge.start(20))
        with self.assertLogs("latentbridge", "WARNING") as log:
            bridge.teach(latent(1, 16, 4, 4), model="mine")
            until(lambda: log.records)
        self.assertIn("nothing was learned from a picture: because", log.output[0])
        self.assertIsNone(bridge.status()["learned"])


class RealHost(BridgeTestCase):
    def test_a_format_that_nobody_knows_has_its_colours_after_its_first_picture(self):
        host = real_host()
        with tempfile.TemporaryDirectory() as folder:
            for run in (1, 2):  # the second time the host reads what the first kept
                bridge = self.bridge(host=host, data=folder, start_patience=30, patience=10)
                self.assertTrue(bridge.start(60), bridge.off_reason)
                if run == 1:
                    bridge.teach(self.pair(), model="mine")
                    learned = until(lambda: bridge.status()["learned"])
                    self.assertEqual((learned["pictures"], learned["used"]), (1, True))
                for number, (model, options, decoder) in enumerate((("mine", {}, "calibrated"), ("other", {}, "estimated"),
                                                                    ("mine", {"calibrate": False}, "estimated"))):
                    bridge.begin(run=number, model=model, **options)
                    _, preview = self.show(bridge, run=number, axes=(1, 6, 32, 32))
                    self.assertEqual(preview.decoder, decoder)
                bridge.close()

    def test_what_is_wrong_with_a_pair_is_said(self):
        bridge = self.bridge(host=real_host(), start_patience=30, patience=10)
        self.assertTrue(bridge.start(60), bridge.off_reason)
        with self.assertLogs("latentbridge", "WARNING") as log:
            bridge.teach(latent(1, 16, 4, 4), model="mine", latent_format="SDXL")
            until(lambda: log.records)
        self.assertIn("at least 256 cells", log.output[0])

    @staticmethod
    def pair():
        """A latent of 6 channels and a picture whose colours are those of the first three."""
        side = 32
        chance = random.Random(1)
        values = [[chance.uniform(-1, 1) for _ in range(side * side)] for _ in range(6)]
        buffer = latent(1, 18, side, side)
        flat = buffer.cast("B").cast("f")
        for channel, row in enumerate([*values, *(values[i // 4] for i in range(12))]):
            for i, value in enumerate(row):
                flat[channel * side * side + i] = value
        return buffer


if __name__ == "__main__":
    unittest.main()
