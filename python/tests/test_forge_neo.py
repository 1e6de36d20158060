"""Videos in Forge neo, over the real host: against fakes, and against its own modules where LATENTBRIDGE_FORGE_NEO_SOURCE names a folder with them.

Of those, ``shared_state``, ``sd_samplers_common`` and ``progress`` run as they are; what they import is stubbed.
"""

import base64
import io
import os
import sys
import types
import unittest
from pathlib import Path
from unittest import mock

from tests.bridges import real_host, until
from tests.test_a1111 import MISSING, UiTestCase

SOURCE = os.environ.get("LATENTBRIDGE_FORGE_NEO_SOURCE", "")
FRAMES = 5

try:
    import torch
    from PIL import Image, features
    if not features.check("webp_anim"):
        raise ImportError("this Pillow reads no animated WebP")
except ImportError as error:
    MISSING = MISSING or str(error)


class VideoTests(UiTestCase):
    kind = "neo"

    def setUp(self):
        if MISSING:
            self.skipTest(MISSING)
        super().setUp()
        self.ui.modules["shared"].sd_model = types.SimpleNamespace(model_config=types.SimpleNamespace(latent_format=type("Wan21", (), {})()))

    def latents(self, steps=3):
        torch.manual_seed(1)
        return [torch.randn(1, 16, FRAMES, 12, 20) for _ in range(steps)]

    def poll(self, last=0):
        return self.ui.poll(last)

    def play(self, latents, wanted=lambda answer: True):
        """Samples, asks as the page does until there is a picture of each step, and of the last one until there is a ``wanted`` one."""
        self.ui.state.begin("task(1)")
        self.ui.state.job_count = 1
        seen, last = [], 0
        for step in self.ui.sample(latents):
            end = len(seen)

            def ask(step=step, end=end):
                nonlocal last
                if (answer := self.poll(last)) is not None:
                    last = answer[0]
                    seen.append((step, *answer[1:]))
                return any(map(wanted if step + 1 == len(latents) else bool, seen[end:]))
            until(ask, 40)
        self.ui.state.end()
        return seen

    def test_a_video_plays_all_its_frames_and_the_ui_decodes_nothing(self):
        self.load(host=real_host())
        self.assertTrue(self.extension.bridge.start(30))
        seen = self.play(self.latents(), lambda answer: answer[1] == "image/gif")
        films = [data for _, media, data in seen if media == "image/gif"]
        self.assertEqual({data[:4] for data in films}, {b"RIFF"})  # browsers look at the bytes
        for data in films:
            film = Image.open(io.BytesIO(data))
            self.assertEqual((film.n_frames, film.size), (FRAMES, (512, 307)))
        first = [media for _, media, _ in seen].index("image/gif")
        self.assertEqual({media for _, media, _ in seen[first:]}, {"image/gif"})  # once it moves it goes on
        self.assertEqual(self.ui.decodes, [])
        image = self.extension._ui.shared.state.current_image
        self.assertEqual(image.size, (512, 307))
        still = io.BytesIO()
        image.save(still, format="PNG")  # as the API asks
        self.assertEqual(still.getvalue()[:8], b"\x89PNG\r\n\x1a\n")

    def test_without_a_host_it_is_the_uis_own_gif(self):
        self.load("die-at-start", back_off=1000.0, attempts=1)
        self.ui.state.begin("task(1)")
        for _ in self.ui.sample(self.latents()):
            self.poll()
        until(lambda: self.extension.bridge.off_reason)
        self.ui.decodes.clear()
        self.ui.state.begin("task(2)")
        films = [answer for _ in self.ui.sample(self.latents(4)) if (answer := self.poll()) is not None]
        self.assertTrue(films)
        self.assertEqual({(media, data[:6]) for _, media, data in films}, {("image/gif", b"GIF89a")})
        self.assertEqual(set(self.ui.decodes), {"video"})

    def test_a_still_stays_a_still(self):
        self.load(host=real_host())
        seen = self.play([latent[:, :, :1] for latent in self.latents()])
        self.assertEqual({media for _, media, _ in seen}, {"image/png"})
        self.assertFalse(self.extension._sampling.film)


@unittest.skipUnless(SOURCE, "LATENTBRIDGE_FORGE_NEO_SOURCE names no folder with Forge neo's modules")
class OwnModulesTests(VideoTests):
    def setUp(self):
        super().setUp()
        ui, shared = self.ui, self.ui.modules["shared"]
        self.errors = []
        backend = types.SimpleNamespace(stream=types.SimpleNamespace(should_use_stream=lambda: False))
        sampling = types.SimpleNamespace(sampling_cleanup=None, sampling_prepare=None)
        stubs = {
            "backend": backend, "backend.stream": backend.stream, "backend.sampling": types.SimpleNamespace(), "backend.sampling.sampling_function": sampling,
            "k_diffusion": types.SimpleNamespace(), "k_diffusion.sampling": types.SimpleNamespace(), "modules_forge": types.SimpleNamespace(main_entry=None),
            "torchsde": types.SimpleNamespace(), "torchsde._brownian": types.SimpleNamespace(),
            "torchsde._brownian.brownian_interval": types.SimpleNamespace(), "pydantic": pydantic(sys.modules["pydantic"])}
        stubs["torchsde"]._brownian = stubs["torchsde._brownian"]
        stubs["torchsde._brownian"].brownian_interval = stubs["torchsde._brownian.brownian_interval"]
        more = {"devices": types.SimpleNamespace(torch_gc=lambda: None, device="cpu", dtype=torch.float32),
                "errors": types.SimpleNamespace(record_exception=lambda: self.errors.append(sys.exc_info()[1])),
                "sd_vae_approx": types.SimpleNamespace(model=lambda: None, cheap_approximation=self.decode), "sd_vae_taesd": types.SimpleNamespace(),
                "extra_networks": types.SimpleNamespace(ExtraNetworkParams=object), "sd_models": types.SimpleNamespace()}
        for name, stub in more.items():
            stubs[f"modules.{name}"] = stub
            setattr(sys.modules["modules"], name, stub)
        modules = mock.patch.dict(sys.modules, stubs)
        modules.start()
        self.addCleanup(modules.stop)
        self.run_own("shared_state", vars(ui.modules["shared_state"]))
        ui.state = shared.state = ui.modules["shared_state"].State()
        common = vars(ui.modules["sd_samplers_common"])
        self.run_own("sd_samplers_common", common)
        for name in ("sample_to_image", "sample_to_video", "samples_to_image_grid"):
            setattr(ui.modules["sd_samplers"], name, common[name])
        self.progress = {"__name__": "modules.progress"}
        self.run_own("progress", self.progress)
        self.addCleanup(lambda: self.assertEqual(self.errors, []))

    def run_own(self, name, namespace):
        path = Path(SOURCE, "modules", f"{name}.py")
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), namespace)

    def decode(self, sample):
        """In the place of the UI's linear colours: frames before channels, as it gives a video."""
        self.ui.decodes.append("video" if sample.ndim == 5 else "still")
        return torch.zeros(1, sample.shape[2], 3, 8, 8) + torch.linspace(-1, 1, sample.shape[2])[None, :, None, None, None]

    def poll(self, last=0):
        self.progress["start_task"]("task(1)")
        answer = self.progress["progressapi"](self.progress["ProgressRequest"](id_task="task(1)", id_live_preview=last, live_preview=True))
        if answer.live_preview is None:
            return None
        media, _, data = answer.live_preview.removeprefix("data:").partition(";base64,")
        return answer.id_live_preview, media, base64.b64decode(data)


def pydantic(fake):
    """As much of it as answers are made with."""
    class BaseModel:
        def __init__(self, **named):
            for name in type(self).__annotations__:
                setattr(self, name, named.get(name, getattr(type(self), name, None)))

    return types.SimpleNamespace(BaseModel=BaseModel, Field=lambda default=None, **_: default, create_model=fake.create_model)


if __name__ == "__main__":
    unittest.main()
