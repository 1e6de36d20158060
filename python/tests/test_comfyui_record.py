"""ComfyUI: runs recorded while the setting is on."""

import importlib.util
import tempfile
import unittest
from pathlib import Path

from tests.bridges import until
from tests.test_comfyui import ComfyUITestCase

from latentbridge import safetensors


@unittest.skipUnless(importlib.util.find_spec("torch"), "torch is not installed")
class RecordTests(ComfyUITestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name, "latentbridge")
        self.module("folder_paths").output_directory = folder.name

    def latents(self, count, *axes):
        import torch

        return list(torch.randn(count, *(axes or (1, 4, 8, 8))))

    def files(self):
        return sorted(self.folder.glob("*.safetensors"))

    def test_every_step_is_in_the_file_as_it_was_sampled_shown_or_not(self):
        self.pack(record=True, every_steps=3)
        latents = self.latents(5)
        self.sample(steps=5, latents=latents)
        (path,) = until(self.files)
        metadata, tensors = safetensors.read(path)
        self.assertEqual((metadata["latent_format"], tensors["latents"].axes), ("SDXL", (5, 4, 8, 8)))
        self.assertEqual(bytes(tensors["latents"].data), b"".join(latent[0].half().numpy().tobytes() for latent in latents))

    def test_each_run_has_a_file_of_its_own_and_the_pictures_are_shown_all_the_same(self):
        self.pack(record=True)
        for node in ("7", "8"):
            latents = self.latents(3)
            self.sample(latents=latents, node=node)
            self.shown([latents[-1].numpy()])
        until(lambda: len(self.files()) == 2)

    def test_off_by_default_nothing_is_kept(self):
        self.pack()
        latents = self.latents(3)
        self.sample(latents=latents)
        self.shown([latents[-1].numpy()])
        self.assertFalse(self.folder.exists())


if __name__ == "__main__":
    unittest.main()
