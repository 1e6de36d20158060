"""ComfyUI: what is learned from a decoded picture, and what is not."""

import importlib.util
import os
import tempfile
import unittest

from tests.bridges import until
from tests.test_comfyui import ComfyUITestCase

LOADER = {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "mine.safetensors"}}
GRAPH = {
    "1": LOADER,
    "2": {"class_type": "LoraLoader", "inputs": {"model": ["1", 0], "clip": ["1", 1], "lora_name": "style.safetensors"}},
    "7": {"class_type": "KSampler", "inputs": {"model": ["2", 0], "latent_image": ["9", 0], "sampler_name": "euler"}},
}


@unittest.skipUnless(importlib.util.find_spec("torch"), "torch is not installed")
class TeacherTests(ComfyUITestCase):
    def setUp(self):
        super().setUp()
        import torch

        self.torch = torch
        self.progress.Graph.nodes = GRAPH
        self.vae = self.module("comfy.sd").VAE()
        self.plain = type(self.vae).decode

    def start(self, *quirks, **settings):
        pack = self.pack(*quirks, **settings)
        pack.teacher.install()
        return pack

    def sampled(self, *axes, **more):
        """Runs a sampler; the last denoised latent, and what core makes of it in the VAE's scale."""
        x0 = self.torch.randn(axes or (1, 4, 16, 16))
        self.sample(steps=2, latents=[x0 * 0.9, x0], **more)
        return x0, x0 * 2

    def learned(self, pack):
        return until(lambda: pack.bridge.status()["learned"])

    def nothing_learned(self, pack):
        until(lambda: pack.teacher._lessons._thread is None or not pack.teacher._lessons._thread.is_alive())
        self.assertNotIn("teach", pack.bridge.status()["host"]["seen"])

    def test_a_decoded_latent_teaches_under_the_name_of_its_model(self):
        pack = self.start()
        x0, latent = self.sampled()
        picture = self.vae.decode(latent)
        self.assertTrue(self.torch.equal(picture, self.plain(self.vae, latent)))
        learned = self.learned(pack)
        self.assertEqual((learned["model"], learned["format"], learned["axes"]), ("mine.safetensors", "SDXL", [1, 16, 16, 16]))
        self.assertEqual(pack.bridge.status()["host"]["begun"][-1]["model"], "mine.safetensors")

    def test_a_tiled_decode_and_a_video_teach_too(self):
        pack = self.start()
        _, latent = self.sampled(1, 4, 3, 16, 16)
        self.vae.decode_tiled(samples_in=latent)
        self.assertEqual(self.learned(pack)["axes"], [1, 16, 16, 16])

    def test_another_latent_teaches_nothing(self):
        pack = self.start()
        _, latent = self.sampled()
        self.vae.decode(self.torch.randn(1, 4, 16, 16))
        self.vae.decode(latent[..., :8])
        self.nothing_learned(pack)

    def test_a_sampling_that_nobody_decoded_does_not_stand_in_the_way_of_the_next_ones_lesson(self):
        pack = self.start()
        self.sampled()
        _, latent = self.sampled(prompt="p2")
        given = []
        pack.teacher._lessons.give = given.append
        self.vae.decode(latent)
        self.assertEqual(len(given), 1)  # a second one would be left out while the first is given
        given[0]()
        self.assertEqual(self.learned(pack)["axes"], [1, 16, 16, 16])

    def test_a_tiny_picture_teaches_nothing_and_says_nothing(self):
        pack = self.start()
        _, latent = self.sampled(1, 4, 15, 17)
        with self.assertNoLogs("latentbridge", "WARNING"):
            self.vae.decode(latent)
            self.nothing_learned(pack)

    def test_switched_off_or_without_a_models_name_nothing_is_learned(self):
        pack = self.start(calibrate=False)
        _, latent = self.sampled()
        self.vae.decode(latent)
        self.nothing_learned(pack)
        self.assertFalse(pack.bridge.status()["host"]["begun"][-1]["calibrate"])
        pack.change({"calibrate": True})
        _, latent = self.sampled(node="8")
        self.vae.decode(latent)
        self.nothing_learned(pack)

    def test_a_picture_that_cannot_be_used_costs_a_line_not_the_decode(self):
        pack = self.start()
        x0, latent = self.sampled()
        with self.assertLogs("latentbridge", "WARNING") as log:
            pack.teacher._decoded(latent, self.torch.zeros(1, 8, 8, 3))
            until(lambda: log.records)
        self.assertIn("does not belong", log.output[0])

    def test_uninstalled_the_vae_is_as_it_was(self):
        pack = self.start()
        self.assertIsNot(type(self.vae).decode, self.plain)
        pack.teacher.uninstall()
        self.assertIs(type(self.vae).decode, self.plain)


class ModelTests(ComfyUITestCase):
    def test_a_model_is_named_by_its_loaders_file_through_everything_between(self):
        model_of = self.module("latentbridge.integrations.comfyui.teacher").model_of
        self.progress.Graph.nodes = {
            **GRAPH,
            "20": {"class_type": "BasicGuider", "inputs": {"model": ["2", 0], "conditioning": ["5", 0]}},
            "21": {"class_type": "SamplerCustomAdvanced", "inputs": {"guider": ["20", 0], "noise": ["6", 0]}},
            "30": {"class_type": "PictureModel", "inputs": {"format": "SDXL", "seed": 3}},
            "31": {"class_type": "KSampler", "inputs": {"model": ["30", 0]}},
            "40": {"class_type": "KSampler", "inputs": {"model": ["41", 0]}},
            "41": {"class_type": "Loop", "inputs": {"model": ["40", 0]}},
        }
        graph = self.progress.Graph()
        self.assertEqual([model_of(graph, node) for node in ("7", "21", "31", "40")],
                         ["mine.safetensors", "mine.safetensors", "PictureModel SDXL", None])

    def test_another_file_under_the_same_name_is_another_model(self):
        model_of = self.module("latentbridge.integrations.comfyui.teacher").model_of
        self.progress.Graph.nodes = GRAPH
        graph = self.progress.Graph()
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "mine.safetensors")
            with open(file, "wb") as first:
                first.write(b"123")
            os.utime(file, (1_700_000_000, 1_700_000_000))
            self.module("folder_paths").models = {("checkpoints", "mine.safetensors"): file}
            self.assertEqual(model_of(graph, "7"), "mine.safetensors [3 bytes, 2023-11-14 22:13:20]")
            with open(file, "ab") as second:
                second.write(b"4")
            self.assertIn("[4 bytes, ", model_of(graph, "7"))


if __name__ == "__main__":
    unittest.main()
