"""The ComfyUI integration where no host works and Python makes the previews."""

import io
import sys
from unittest import mock

from latentbridge.integrations import last_resort
from tests.bridges import FAKE_HOST, until
from tests.test_comfyui import ComfyUITestCase

try:
    import torch
    from PIL import Image
    MISSING = None
except ImportError as error:
    MISSING = f"{error}; ComfyUI always has it"


class LastResortTests(ComfyUITestCase):
    def setUp(self):
        if MISSING:
            self.skipTest(MISSING)
        super().setUp()
        self.args.preview_method = self.method.NoPreviews
        self.has_last_resort(True)
        for patch in (mock.patch.object(last_resort, "REST_BESIDE_CPU", 0), mock.patch("latentbridge.host_locator.find", return_value=None)):
            patch.start()
            self.addCleanup(patch.stop)
        self.pack("die-at-start")
        self.made.bridge._settings.host = "process"
        self.made.bridge.start()
        until(lambda: self.made.bridge.off_reason)

    def steps(self, count=3, **more):
        latents = [torch.full((1, 4, 8, 8), 0.5 * step) for step in range(count)]
        self.sample(latents=latents, each=self.one_by_one, **more)
        self.settle()
        return self.pictures()

    def test_each_step_is_shown_with_the_metadata_of_its_node_and_the_caption_says_by_whom(self):
        pictures = self.steps()
        self.assertEqual([(event, metadata["node_id"], metadata["image_type"]) for event, metadata, _ in pictures], [(4, "7", "image/png")] * 3)
        images = [Image.open(io.BytesIO(data)).convert("RGB") for _, _, data in pictures]
        self.assertEqual([image.size for image in images], [(512, 512)] * 3)
        self.assertEqual(len({image.tobytes() for image in images}), 3)
        caption = self.captions()[0]["caption"]
        self.assertEqual((caption["decoder"], caption["note"]), ("tiny", "in Python: LatentBridge has no host, see its settings"))

    def test_the_settings_page_says_that_python_makes_them_and_why(self):
        self.assertRegex(self.made.state(), "^Python makes simple previews, because no host was found; install it with ")

    def test_none_means_none_and_off_means_off(self):
        self.sample(latents=[torch.zeros(1, 4, 8, 8)], preview_method="none")
        self.made.change({"enabled": False})
        self.sample(latents=[torch.zeros(1, 4, 8, 8)], prompt="p2")
        self.settle()
        self.assertEqual(self.pictures(), [])

    def test_a_format_without_colours_is_left_to_core(self):
        self.assertIs(self.made.maker("StableAudio1"), self.made.bridge)
        self.assertIs(self.made.maker(None), self.made.bridge)

    def test_a_host_that_is_there_again_takes_over_within_a_run(self):
        made = self.made

        def mended(step):
            self.one_by_one(step)
            if step == 0:
                made.bridge._settings.host = [sys.executable, "-S", str(FAKE_HOST)]
                self.assertTrue(made.bridge.start(20))

        latents = [torch.full((1, 4, 8, 8), 0.5 * step) for step in range(3)]
        self.sample(latents=latents, each=mended)
        self.settle()
        decoders = [caption["caption"]["decoder"] for caption in self.captions() if caption["caption"]]
        self.assertEqual((decoders[0], decoders[-1], made.latest.decoder), ("tiny", "sha256", "sha256"))
