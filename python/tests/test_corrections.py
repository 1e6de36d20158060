"""Corrections change what they say and nothing else; off means the very same tensor."""

import unittest

try:
    import torch
except ImportError:
    torch = None

from latentbridge.corrections import Corrections, Window, centre, maximise, soft_clamp


class WindowTests(unittest.TestCase):
    def test_steps_lie_in_their_part_of_the_run(self):
        early, late = Window(0.0, 0.5), Window(0.5, 1.0)
        self.assertEqual([early.holds(step, 5) for step in range(5)], [True, True, False, False, False])
        self.assertEqual([late.holds(step, 5) for step in range(5)], [False, False, True, True, True])
        self.assertFalse(any(Window(1.0, 1.0).holds(step, 5) for step in range(5)))
        self.assertTrue(Window().holds(0, 1))

    def test_wrong_numbers_are_refused_with_what_was_expected(self):
        for make in (lambda: Window(0.6, 0.5), lambda: Corrections(centre=2.0), lambda: Corrections(clamp_threshold=4.0),
                     lambda: Corrections(maximise_range=0.0)):
            with self.assertRaisesRegex(ValueError, "expected"):
                make()


@unittest.skipIf(torch is None, "torch is not installed")
class CorrectionTests(unittest.TestCase):
    def setUp(self):
        self.latent = torch.randn(2, 4, 16, 12, generator=torch.Generator().manual_seed(5)) * 0.8 + 0.5

    def test_off_is_the_same_object_and_outside_the_windows_too(self):
        self.assertTrue(Corrections().off)
        self.assertIs(Corrections().apply(self.latent, 0, 20), self.latent)
        self.assertIs(Corrections.sdxl().apply(self.latent, 13, 20), self.latent)

    def test_the_input_is_never_written_to_and_type_and_shape_stay(self):
        for dtype in (torch.float32, torch.float16, torch.bfloat16):
            latent = self.latent.to(dtype)
            before = latent.clone()
            for step in (0, 19):
                corrected = Corrections.sdxl().apply(latent, step, 20)
                self.assertEqual((corrected.dtype, corrected.shape), (dtype, latent.shape))
                self.assertFalse(torch.equal(corrected, latent))
                self.assertTrue(torch.equal(latent, before))

    def test_centre_takes_the_chosen_channels_means_out(self):
        moved = centre(self.latent, 1.0, (1, 3))
        means = moved.mean((2, 3))
        self.assertLess(means[:, [1, 3]].abs().max().item(), 1e-5)
        self.assertTrue(torch.equal(moved[:, [0, 2]], self.latent[:, [0, 2]]))
        half = centre(self.latent, 0.5).mean((2, 3))
        self.assertTrue(torch.allclose(half, self.latent.mean((2, 3)) / 2, atol=1e-5))
        with self.assertRaisesRegex(ValueError, "counted from 0"):
            centre(self.latent, 1.0, (4,))

    def test_soft_clamp_leaves_what_is_within_and_never_passes_the_limit(self):
        values = torch.tensor([-50.0, -3.2, -3.0, 0.0, 2.9, 3.0, 3.01, 50.0]).view(1, 1, 1, 8)
        clamped = soft_clamp(values, 3.0, 4.0).flatten()
        self.assertTrue(torch.equal(clamped[2:6], values.flatten()[2:6]))
        self.assertEqual((clamped[0].item(), clamped[7].item()), (-4.0, 4.0))
        self.assertAlmostEqual(clamped[6].item(), 3.01, places=4)
        self.assertTrue((clamped.diff() >= 0).all())

    def test_maximise_reaches_the_range_and_never_shrinks(self):
        wide = maximise(self.latent, 8.0)
        centred = wide - wide.mean((2, 3), keepdim=True)
        reached, before = centred.abs().amax((2, 3)), (self.latent - self.latent.mean((2, 3), keepdim=True)).abs().amax((2, 3))
        self.assertTrue(torch.allclose(reached, torch.minimum(torch.full_like(before, 8.0), 2 * before), atol=1e-4))
        self.assertTrue(torch.allclose(maximise(self.latent, 0.1), self.latent, atol=1e-5))
        flat = torch.full((1, 4, 3, 3), 0.25)
        self.assertTrue(torch.equal(maximise(flat, 4.0), flat))

    def test_a_batch_is_corrected_picture_by_picture_and_a_broken_one_spoils_no_other(self):
        for step in (0, 19):
            both = Corrections.sdxl().apply(self.latent, step, 20)
            alone = Corrections.sdxl().apply(self.latent[:1], step, 20)
            self.assertTrue(torch.equal(both[:1], alone))
            broken = self.latent.clone()
            broken[1, 0, 0, 0] = float("nan")
            self.assertTrue(torch.equal(Corrections.sdxl().apply(broken, step, 20)[:1], alone))

    def test_video_latents_have_one_more_axis(self):
        self.assertEqual(Corrections.sdxl().apply(torch.randn(1, 4, 3, 8, 8), 0, 10).shape, (1, 4, 3, 8, 8))


if __name__ == "__main__":
    unittest.main()
