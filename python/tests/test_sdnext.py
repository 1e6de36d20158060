"""SD.Next's live preview. Its own modules run here where LATENTBRIDGE_SDNEXT names a checkout, with the modules that they import stubbed; else fakes do."""

import importlib
import os
import sys
import threading
import types
import unittest
from pathlib import Path

from latentbridge import Bridge
from tests.bridges import until

try:
    import torch
    from PIL import Image

    from latentbridge.integrations import sdnext
    from latentbridge.integrations.asked_picture import AskedPicture, as_format
except ImportError as error:
    raise unittest.SkipTest(f"torch and Pillow are needed: {error}") from error

HOST = Path(__file__).parent / "fakes" / "a1111_host.py"
CHECKOUT = os.environ.get("LATENTBRIDGE_SDNEXT", "")


class AutoencoderKL:
    def __init__(self, scale, channels=4):
        self.config = types.SimpleNamespace(latent_channels=channels, scaling_factor=scale, latents_mean=None)


class FakePipe:
    """What SD.Next and the bridge look at in an SDXL pipeline."""

    num_timesteps = 8

    def __init__(self):
        self.vae = AutoencoderKL(0.13025)
        self.scheduler = types.SimpleNamespace(sigmas=torch.linspace(10, 0, 9), step_index=4)


class StubbedUi(unittest.TestCase):
    """The names that the integration and SD.Next's own modules import, each with no more than is used."""

    def stub(self, folder=None):
        calls = self.own = []

        def own(sample, approximation=None):
            calls.append(approximation)
            return Image.new("RGB", (512, 512))

        stubs = {name: types.ModuleType(f"modules.{name}") for name in (
            "shared", "processing", "images", "sd_samplers", "timer", "logger", "vae", "image", "errors", "devices", "modeldata", "script_callbacks",
            "processing_correction", "prompt_parser_diffusers", "options", "vae.sd_vae_approx", "vae.sd_vae_taesd", "vae.sd_vae_stablecascade", "image.convert")}
        quiet = lambda *_, **__: None  # noqa: E731
        stubs["logger"].log = types.SimpleNamespace(debug=quiet, warning=quiet, error=quiet, trace=quiet)
        stubs["timer"].process = types.SimpleNamespace(add=quiet)
        stubs["errors"].display = quiet
        stubs["devices"].torch_gc = quiet
        stubs["processing_correction"].correction_callback = lambda p, timestep, kwargs, **_: kwargs
        stubs["prompt_parser_diffusers"].embedder = None
        stubs["images"].image_grid = lambda images: self.grids.append(images) or images[0]
        stubs["vae.sd_vae_taesd"].decode = lambda sample: calls.append("TAESD") or torch.zeros(3, 64, 64)
        stubs["vae.sd_vae_approx"].cheap_approximation = lambda sample: calls.append("Simple") or torch.zeros(3, 64, 64)
        stubs["image.convert"].to_pil = lambda pixels: Image.new("RGB", (64, 64))
        stubs["processing"].decode_first_stage = lambda model, samples: calls.append("Full") or torch.zeros(1, 3, 64, 64)
        stubs["script_callbacks"].on_ui_settings = self.settings.append
        stubs["script_callbacks"].on_script_unloaded = quiet
        self.pipe = FakePipe()
        stubs["modeldata"].model_data = types.SimpleNamespace(sd_model=self.pipe)
        self.opts = types.SimpleNamespace(data={"show_progress_type": "TAESD"}, show_progress_type="TAESD", live_preview_downscale=True, torch_sync=False,
                                          schedulers_sigma_adjust=1.0, schedulers_sigma_adjust_min=0.0, schedulers_sigma_adjust_max=1.0)
        shared = stubs["shared"]
        shared.opts, shared.sd_model_type, shared.sd_model = self.opts, "sdxl", self.pipe
        shared.cmd_opts = types.SimpleNamespace(lowvram=False, profile=False)
        package = types.ModuleType("modules")
        package.__path__ = [folder] if folder else []
        for name in ("vae", "image"):
            stubs[name].__path__ = []
        found = {"modules": package, **{f"modules.{name}": module for name, module in stubs.items()}}
        before = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "modules"}
        self.addCleanup(lambda: ([sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "modules"], sys.modules.update(before)))
        for name in before:
            del sys.modules[name]
        sys.modules.update(found)
        for name, module in stubs.items():
            parent, _, child = name.rpartition(".")
            setattr(stubs[parent] if parent else package, child or name, module)
        if not folder:
            for name, members in (("sd_samplers_common", {"single_sample_to_image": own}),
                                  ("shared_state", {"State": type("State", (), {"nextjob": lambda _: package.sd_samplers_common.single_sample_to_image(self.sample)})})):
                module = types.ModuleType(f"modules.{name}")
                vars(module).update(members)
                setattr(package, name, module)
                sys.modules[f"modules.{name}"] = module
        return package

    def setUp(self):
        self.grids, self.settings = [], []
        self.sample = torch.full((4, 6, 8), 77.0)

    def join(self, *quirks, **bridge):
        bridge = Bridge(host=[sys.executable, "-S", str(HOST), *quirks], **bridge)
        self.addCleanup(sdnext.uninstall)
        sdnext.install(AskedPicture(bridge))
        return bridge

    def serve(self, bridge):
        self.assertTrue(bridge.start(20))

    def red(self, image):
        return image.size, image.getpixel((0, 0))[0]


class Fakes(StubbedUi):
    def setUp(self):
        super().setUp()
        self.stub()
        self.samplers = sys.modules["modules.sd_samplers_common"]

    def test_a_request_gets_the_bridge_s_picture(self):
        self.serve(self.join())
        self.assertEqual(self.red(self.samplers.single_sample_to_image(self.sample)), ((8, 6), 77))
        self.assertEqual(self.own, [])

    def test_the_first_request_starts_the_host_and_shows_the_ui_s_own(self):
        bridge = self.join()
        self.assertEqual(self.samplers.single_sample_to_image(self.sample).size, (512, 512))
        until(lambda: bridge.host_pid)
        self.assertEqual(self.own, [None])

    def test_without_a_host_the_ui_s_own_goes_on(self):
        bridge = Bridge(host=[sys.executable, "-c", "raise SystemExit(1)"], attempts=1, back_off=0.01)
        self.addCleanup(sdnext.uninstall)
        sdnext.install(AskedPicture(bridge))
        self.samplers.single_sample_to_image(self.sample)
        until(lambda: bridge.off_reason)
        self.assertEqual(self.samplers.single_sample_to_image(self.sample).size, (512, 512))
        self.assertEqual(self.own, [None, None])

    def test_what_names_its_approximation_and_what_is_switched_off_is_the_ui_s(self):
        self.serve(self.join())
        self.samplers.single_sample_to_image(self.sample, "Simple")
        for stored in ({"show_progress_type": "Full"}, {"show_progress_type": "TAESD", sdnext.SHOWN: False}):
            self.opts.data = stored
            self.samplers.single_sample_to_image(self.sample)
        self.assertEqual(self.own, ["Simple", None, None])

    def test_the_sampler_s_own_thread_never_waits_for_the_bridge(self):
        self.serve(self.join())
        sys.modules["modules.shared_state"].State().nextjob()
        self.assertEqual(self.own, [None])
        self.assertEqual(self.red(self.samplers.single_sample_to_image(self.sample)), ((8, 6), 77))

    def test_latents_of_another_kind_and_pipelines_without_a_format_are_the_ui_s(self):
        self.serve(self.join())
        self.samplers.single_sample_to_image(torch.zeros(16, 6, 8))
        self.samplers.single_sample_to_image(torch.zeros(4, 2, 6, 8))
        self.pipe.vae = None
        self.samplers.single_sample_to_image(self.sample)
        sys.modules["modules.modeldata"].model_data = None  # whatever fails is ours
        with self.assertLogs("latentbridge", "WARNING"):
            self.samplers.single_sample_to_image(self.sample)
        self.assertEqual(len(self.own), 4)

    def test_uninstall_leaves_the_ui_as_it_was(self):
        before = self.samplers.single_sample_to_image
        self.join()
        self.assertIsNot(self.samplers.single_sample_to_image, before)
        sdnext.uninstall()
        self.assertIs(self.samplers.single_sample_to_image, before)
        self.assertEqual(len(self.settings), 1)

    def test_axes_follow_the_format(self):
        self.assertEqual(tuple(as_format(torch.zeros(4, 6, 8), "SDXL").shape), (1, 4, 6, 8))
        self.assertEqual(tuple(as_format(torch.zeros(16, 6, 8), "Wan21").shape), (1, 16, 1, 6, 8))
        cells = torch.arange(32 * 4 * 6).reshape(32, 4, 6)
        tokens = as_format(cells, "Flux2")
        self.assertEqual(tuple(tokens.shape), (1, 128, 2, 3))
        self.assertEqual(tokens[0, 4 * 5 + 2 * 1 + 0, 1, 2], cells[5, 3, 4])  # channel 4 c + 2 dy + dx


@unittest.skipUnless(CHECKOUT, "LATENTBRIDGE_SDNEXT names no checkout of vladmandic/sdnext")
class RealModules(StubbedUi):
    """SD.Next's ``sd_samplers_common``, ``shared_state`` and ``processing_callbacks`` as they are; what they import is stubbed."""

    def setUp(self):
        super().setUp()
        self.stub(str(Path(CHECKOUT, "modules")))
        self.samplers, self.callbacks, states = map(importlib.import_module, ("modules.sd_samplers_common", "modules.processing_callbacks", "modules.shared_state"))
        self.state = sys.modules["modules.shared"].state = states.State()
        self.callbacks.set_callbacks_p(types.SimpleNamespace(cfg_scale=7))
        self.state.begin("txt2img")
        self.state.sampling_steps = 8

    def step(self, number, latents):
        return self.callbacks.diffusers_callback(self.pipe, number, 500, {"latents": latents, "noise_pred": torch.zeros_like(latents)})

    def ask(self):
        """As a request of the page does: on a thread of its own."""
        answers = []
        thread = threading.Thread(target=lambda: answers.append(self.state.set_current_image()))
        thread.start()
        thread.join(30)
        self.assertEqual(answers, [True])
        return self.state.current_image

    def test_each_step_s_x0_comes_back_as_a_picture_of_the_batch(self):
        self.serve(self.join())
        for number in range(3):
            latents = torch.stack([torch.full((4, 6, 8), 10.0 * number + item) for item in (1, 2)])
            kept = latents.clone()
            self.step(number, latents)
            self.ask()
            self.assertEqual([self.red(image) for image in self.grids[-1]], [((8, 6), 10 * number + 1), ((8, 6), 10 * number + 2)])
            self.assertTrue(torch.equal(latents, kept))
        self.assertEqual(self.own, [])

    def test_its_own_taesd_goes_on_without_a_host_and_at_a_job_s_end(self):
        bridge = self.join()
        self.step(0, self.sample[None])
        self.ask()
        self.assertEqual(self.own, ["TAESD"])
        until(lambda: bridge.host_pid)
        self.step(1, self.sample[None])
        self.state.nextjob()
        self.assertEqual(self.own, ["TAESD", "TAESD"])


if __name__ == "__main__":
    unittest.main()
