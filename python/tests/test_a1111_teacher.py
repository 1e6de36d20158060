"""A1111 and Forge: what is learned from the batches that the UI's VAE decodes."""

import importlib.util
import types
import unittest

from tests.bridges import until
from tests.test_a1111 import UiTestCase


@unittest.skipUnless(importlib.util.find_spec("torch"), "torch is not installed")
class TeacherTests(UiTestCase):
    kind = "forge"

    def setUp(self):
        super().setUp()
        import torch

        self.torch, self.taught = torch, []
        self.processing = self.ui.modules["processing"]
        self.processing.decode_latent_batch = self.plain = lambda model, batch, target_device=None, check_for_nans=False: [
            latent[:3].repeat_interleave(16, -1).repeat_interleave(16, -2) for latent in batch]
        self.ui.modules["shared"].sd_model.sd_checkpoint_info = types.SimpleNamespace(name="sub/mine.safetensors")

    def start(self, **settings):
        extension = self.load()
        self.ui.opts.set(**{f"latentbridge_{name}": value for name, value in settings.items()})
        extension.bridge.teach = lambda pair, **more: self.taught.append((pair, more))
        return extension

    def decode(self, count=2, side=16):
        return self.processing.decode_latent_batch(None, self.torch.randn(count, 4, side, side), target_device="cpu", check_for_nans=True)

    def test_a_decoded_batch_teaches_under_its_checkpoints_name(self):
        self.start()
        pictures = self.decode()
        self.assertEqual((len(pictures), tuple(pictures[0].shape)), (2, (3, 256, 256)))
        until(lambda: self.taught)
        (pair, more), = self.taught
        self.assertEqual((tuple(pair.shape), more), ((1, 16, 16, 16), {"model": "sub/mine.safetensors", "latent_format": "SD15"}))
        self.assertTrue(self.torch.allclose(pair[0, 4, :, :].float(), pair[0, 0].float(), atol=2e-3))

    def test_a_checkpoint_goes_by_its_hash_and_without_one_by_its_files_length_and_time(self):
        extension = self.start()
        checkpoint = self.ui.modules["shared"].sd_model.sd_checkpoint_info
        self.assertEqual(extension._ui.model_name(), "sub/mine.safetensors")
        checkpoint.filename = __file__
        self.assertRegex(extension._ui.model_name(), r"^sub/mine\.safetensors \[\d+ bytes, \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\]$")
        checkpoint.sha256 = "0123456789abcdef"
        self.assertEqual(extension._ui.model_name(), "sub/mine.safetensors [0123456789]")
        self.decode()
        until(lambda: self.taught)
        self.assertEqual(self.taught[0][1]["model"], "sub/mine.safetensors [0123456789]")

    def test_switched_off_with_another_method_or_from_an_approximation_or_a_tiny_picture_nothing_is_learned(self):
        extension = self.start(calibrate=False)
        self.decode()
        self.ui.opts.set(latentbridge_calibrate=True, show_progress_type="Approx cheap")
        self.decode()
        self.ui.opts.set(show_progress_type="LatentBridge", sd_vae_decode_method="Approx NN")
        self.decode()
        self.ui.opts.set(sd_vae_decode_method="Full")
        self.decode(side=15)
        self.ui.state.interrupted = True
        self.decode()
        self.assertIsNone(extension._teacher._lessons._thread)
        self.assertEqual(self.taught, [])

    def test_unloaded_the_ui_decodes_as_before(self):
        self.start()
        self.a1111.uninstall()
        self.assertIs(self.processing.decode_latent_batch, self.plain)

    def test_a_ui_without_that_function_goes_without_lessons(self):
        del self.processing.decode_latent_batch
        self.start()


if __name__ == "__main__":
    unittest.main()
