"""The node LatentBridge Correction: the right step's correction, and nothing at all unless it is enabled."""

import importlib.util
import types
import unittest

from tests.test_comfyui import ComfyUITestCase


class Model:
    """As much of core's ModelPatcher as the node touches, with a sampler's loop."""

    def __init__(self, patches=()):
        self.model = types.SimpleNamespace(latent_format=types.SimpleNamespace(latent_channels=4))
        self.patches = list(patches)

    def clone(self):
        return Model(self.patches)

    def set_model_sampler_post_cfg_function(self, function):
        self.patches.append(function)

    def sample(self, torch, sigmas, denoised, calls=None):
        """The denoised latents that a sampler gets, one a call."""
        found = []
        for sigma in calls if calls is not None else sigmas[:-1]:
            latent = denoised
            for patch in self.patches:
                latent = patch({"denoised": latent, "sigma": torch.tensor([sigma]), "input": latent,
                                "model_options": {"transformer_options": {"sample_sigmas": torch.tensor(sigmas)}}})
            found.append(latent)
        return found


@unittest.skipUnless(importlib.util.find_spec("torch"), "torch is not installed")
class CorrectionTests(ComfyUITestCase):
    SIGMAS = [14.6, 7.0, 3.0, 1.0, 0.3, 0.0]

    def setUp(self):
        super().setUp()
        import torch

        self.torch = torch
        self.node = self.module("latentbridge.integrations.comfyui.correction").LatentBridgeCorrection()
        self.latent = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1)) + 1
        self.off = {"centre": 0.0, "clamp": 0.0, "maximise": 0.0}

    def run_with(self, **values):
        (model,) = self.node.patch(Model(), True, **{**self.off, **values})
        return model.sample(self.torch, self.SIGMAS, self.latent)

    def test_not_enabled_or_with_everything_at_0_the_very_model_goes_through(self):
        model = Model()
        self.assertIs(self.node.patch(model, False)[0], model)
        self.assertIs(self.node.patch(model, True, **self.off)[0], model)
        self.assertEqual(model.patches, [])

    def test_outside_its_steps_the_very_tensor_goes_through(self):
        found = self.run_with(centre=1.0, centre_until=0.5)
        self.assertEqual([latent is self.latent for latent in found], [False, False, True, True, True])
        self.assertLess(float(found[0].mean((2, 3)).abs().max()), 1e-5)
        found = self.run_with(maximise=8.0, maximise_from=0.9)
        self.assertEqual([latent is self.latent for latent in found], [True, True, True, True, False])

    def test_the_model_that_was_given_is_not_patched(self):
        model = Model()
        (patched,) = self.node.patch(model, True)
        self.assertEqual((len(model.patches), len(patched.patches)), (0, 1))

    def test_a_call_between_two_steps_belongs_to_the_one_it_began_in(self):
        (model,) = self.node.patch(Model(), True, **{**self.off, "centre": 1.0, "centre_until": 0.5})
        found = model.sample(self.torch, self.SIGMAS, self.latent, calls=[14.6, 9.0, 7.0, 4.0, 3.0, 2.0, 0.1])
        self.assertEqual([latent is self.latent for latent in found], [False, False, False, False, True, True, True])

    def test_a_sampler_that_does_not_say_its_steps_is_named_as_the_reason(self):
        (model,) = self.node.patch(Model(), True)
        with self.assertRaisesRegex(RuntimeError, "does not say which step"):
            model.patches[0]({"denoised": self.latent, "sigma": self.torch.tensor([1.0]), "model_options": {}})

    def test_its_controls_are_those_of_every_ui(self):
        inputs = self.node.INPUT_TYPES()["required"]
        kind, choice = inputs["enabled"]
        self.assertEqual((kind, choice["default"]), ("BOOLEAN", False))
        self.assertEqual(list(inputs)[2:], list(self.module("latentbridge.integrations.correction_controls").CONTROLS))


if __name__ == "__main__":
    unittest.main()
