"""SwarmUI's sampler nodes beside the pack: a fake of their module, the fake ComfyUI, the fake host.

``test_comfyui_server`` runs the real nodes in a real ComfyUI. What SwarmUI's server makes of a message is ``as_swarm_reads``, after its
``ComfyRawWebsocketOutputToFormatLabel`` (062407c7).
"""

import io
import sys
import time
import types
import unittest
from unittest import mock

from latentbridge.preview import ClipPlace, Preview
from tests.bridges import digest, latent, until
from tests.test_comfyui import OURS, ComfyUITestCase

try:
    import numpy
except ImportError:
    numpy = None


def as_swarm_reads(message):
    """MIME type and place in the batch of a message on core's way: event, metadata, picture."""
    _, metadata, _ = message
    place = metadata.get("id", 0)
    return metadata.get("mime_type") or metadata.get("image_type"), place if isinstance(place, int) else 0


class SwarmTestCase(ComfyUITestCase):
    def setUp(self):
        super().setUp()
        self.theirs = []

        def make_swarm_sampler_callback(steps, device, model, previews):
            def callback(step, x0, x, total_steps):
                self.theirs.append((previews, step))
            return callback

        module = types.ModuleType("SwarmKSampler")
        module.make_swarm_sampler_callback = make_swarm_sampler_callback
        module.SwarmKSampler = type("SwarmKSampler", (), {"__module__": "SwarmKSampler"})
        other = types.ModuleType("SwarmUnsampler")  # imports the name
        other.make_swarm_sampler_callback = make_swarm_sampler_callback
        other.SwarmUnsampler = type("SwarmUnsampler", (), {"__module__": "SwarmUnsampler"})
        nodes = types.SimpleNamespace(NODE_CLASS_MAPPINGS={"SwarmKSampler": module.SwarmKSampler, "SwarmUnsampler": other.SwarmUnsampler})
        modules = mock.patch.dict(sys.modules, {"nodes": nodes, "SwarmKSampler": module, "SwarmUnsampler": other})
        modules.start()
        self.addCleanup(modules.stop)
        self.swarm, self.unsampler, self.original = module, other, make_swarm_sampler_callback
        self.args.preview_method = self.method.Latent2RGB  # as SwarmUI starts ComfyUI

    def run_node(self, previews="default", module=None, is_announced=True, **more):
        """A sampling by SwarmUI's node: its callback in the place of core's."""
        for handler in self.server.on_prompt_handlers if is_announced else ():
            handler({"prompt": {}})
        module = module or self.swarm

        def prepare(model, steps, output=None):
            return module.make_swarm_sampler_callback(steps, "cpu", model, previews)

        with mock.patch.object(self.latent_preview, "prepare_callback", prepare):
            return self.sample(**more)

    def one_by_one(self, step):
        until(lambda: len(self.pictures()) > step)

    def begun(self):
        return self.made.bridge.status()["host"]["begun"]

    def shown_at(self):
        return [(*as_swarm_reads(message), message[2]) for message in self.pictures()]


class StillTests(SwarmTestCase):
    def test_each_step_is_shown_as_swarmuis_server_reads_it(self):
        self.pack()
        for module in (self.swarm, self.unsampler):
            self.page.messages.clear()
            latents = self.run_node(module=module, each=self.one_by_one, prompt=module.__name__)
            self.assertEqual(self.shown_at(), [("image/png", 0, digest(x0)) for x0 in latents])  # the fake host makes no JPEG
            self.assertEqual({message[1]["node_id"] for message in self.pictures()}, {"7"})
        self.assertEqual(self.theirs, [])
        self.assertEqual({run["encoding"] for run in self.begun()}, {"jpeg"})

    def test_the_step_is_counted_before_the_latent_leaves_and_a_cancel_passes(self):
        self.pack()
        progress = []
        with mock.patch.object(self.module("comfy.utils"), "PROGRESS_BAR_HOOK", lambda *step: progress.append(step) or self.stop_at(progress, 2)):
            with self.assertRaises(InterruptedError):
                self.run_node(steps=3)
        self.assertEqual([step[:2] for step in progress], [(1, 3), (2, 3)])
        until(lambda: self.made.bridge.status()["submitted"] == 1)

    def stop_at(self, progress, count):
        if len(progress) == count:
            raise InterruptedError

    @unittest.skipUnless(numpy, "numpy is not installed")
    def test_each_picture_of_a_batch_has_its_place(self):
        self.pack()
        batch = numpy.arange(3 * 4 * 8 * 8, dtype=numpy.float32).reshape(3, 4, 8, 8)
        cases = {"default": [[0, 1, 2]] * 3, "one": [[0]] * 3, "second": [[1]] * 3, "iterate": [[0], [1], [2]]}
        for previews, items in cases.items():
            with self.subTest(previews):
                self.page.messages.clear()
                count = 0

                def each(step, items=items):
                    nonlocal count
                    count += len(items[step])
                    until(lambda: len(self.pictures()) == count)

                self.run_node(previews, latents=[batch] * 3, prompt=previews, each=each)
                expected = [(item if previews == "default" else 0, digest(batch[item])) for step in items for item in step]
                self.assertEqual(sorted((place, data) for _, place, data in self.shown_at()), sorted(expected))
        self.assertEqual(self.theirs, [])

    @unittest.skipUnless(numpy, "numpy is not installed")
    def test_of_a_video_the_frame_that_is_asked_for_goes_with_those_that_its_decoder_remembers(self):
        self.pack()
        video = numpy.arange(16 * 5 * 4 * 4, dtype=numpy.float32).reshape(1, 16, 5, 4, 4)
        for previews, frames in (("one", (0, 0)), ("second", (1, 1)), ("iterate", (0, 1))):
            with self.subTest(previews):
                self.page.messages.clear()
                self.run_node(previews, latents=[video] * 2, form=self.formats.Wan21, prompt=previews, each=self.one_by_one)
                sent = [video[:, :, max(0, frame - 2):frame + 1].tobytes() for frame in frames]
                self.assertEqual([data for _, _, data in self.shown_at()], list(map(digest, sent)))


class OwnPictureTests(SwarmTestCase):
    def test_theirs_goes_on_without_a_host_switched_off_and_where_it_is_not_known_how_to_show_it(self):
        self.pack("die-at-start")
        self.run_node(steps=200, each=lambda step: time.sleep(0.01))
        until(lambda: self.made.bridge.off_reason)
        self.theirs.clear()
        self.run_node(steps=2, is_announced=False, prompt="p1b")
        self.hook.uninstall()
        self.assertIs(self.swarm.make_swarm_sampler_callback, self.original)
        self.pack(enabled=False)
        self.run_node(steps=2, prompt="p2")
        self.made.change({"enabled": True})
        self.run_node("animate", latents=[latent(3, 4, 8, 8)] * 2, prompt="p3")
        self.run_node("default", latents=[latent(1, 16, 3, 8, 8)] * 2, form=self.formats.Wan21, prompt="p4")
        self.assertEqual(self.theirs, [("default", 0), ("default", 1)] * 2 + [("animate", 0), ("animate", 1)] + [("default", 0), ("default", 1)])
        self.settle()
        self.assertEqual(self.pictures(), [])

    def test_none_is_theirs_too(self):
        self.pack()
        self.run_node("none", steps=2)
        self.assertEqual((self.theirs, self.pictures()), ([("none", 0), ("none", 1)], []))

    def test_a_host_that_goes_within_a_run_gives_the_next_step_back(self):
        self.pack()

        def each(step):
            if step == 0:
                self.one_by_one(step)
                self.made.bridge.close()

        self.run_node(steps=3, each=each)
        self.assertEqual(self.theirs, [("default", 1), ("default", 2)])

    def test_a_function_of_another_shape_is_left_alone(self):
        self.pack()
        self.swarm.make_swarm_sampler_callback = lambda count, where, what, how: lambda *step: self.theirs.append(step[0])
        self.run_node(steps=2)
        self.assertEqual((self.theirs, self.pictures()), ([0, 1], []))


class FilmTests(SwarmTestCase):
    def test_a_video_is_a_still_until_its_film_is_whole(self):
        self.pack()
        self.module(f"{OURS}.swarm").FILM_SECONDS = 0.05

        def each(step):
            self.one_by_one(0)
            for picture in range(3):
                self.made._on_clip(clip_picture(self.made.sampling.run, picture, 3))
            until(lambda: len(self.pictures()) == 2)

        latents = self.run_node("animate", latents=[latent(1, 16, 3, 8, 8)], form=self.formats.Wan21, each=each)
        still, film = self.shown_at()
        self.assertEqual(still, ("image/png", 0, digest(latents[0])))
        self.assertEqual((film[:2], film[2][:4], film[2].count(b"ANMF")), (("image/webp", 0), b"RIFF", 3))
        begun = self.begun()[0]
        self.assertEqual((begun["clip"], begun["encoding"]), (True, "webp"))

    def test_of_a_new_step_it_waits_for_all_pictures_for_a_while(self):
        film = self.module("latentbridge.integrations.film").Film(1)
        for picture in range(2):
            whole = film.put(clip_picture(1, picture, 2))
        self.assertEqual((whole, film.is_of_one_step), (True, True))
        self.assertTrue(film.put(clip_picture(1, 0, 2, step=1)))
        self.assertFalse(film.is_of_one_step)
        film.put(clip_picture(1, 1, 2, step=1))
        self.assertTrue(film.is_of_one_step)

    def test_the_film_is_one_that_pillow_plays(self):
        try:
            from PIL import Image, features
        except ImportError:
            self.skipTest("Pillow is not installed")
        if not features.check("webp_anim"):
            self.skipTest("this Pillow reads no animated WebP")
        film = self.module("latentbridge.integrations.film").Film(1)
        for picture, colour in enumerate(((250, 10, 10), (10, 250, 10), (10, 10, 250))):
            file = io.BytesIO()
            Image.new("RGB", (33, 18), colour).save(file, "WEBP", quality=90)
            film.put(clip_picture(1, picture, 3, data=file.getvalue(), size=(33, 18), rate=6.0))
        image = Image.open(io.BytesIO(film.file()))
        self.assertEqual((image.n_frames, image.size, image.info["loop"]), (3, (33, 18), 0))
        durations = []
        for picture, channel in enumerate((0, 1, 2)):
            image.seek(picture)
            pixel = image.convert("RGB").getpixel((16, 9))
            durations.append(image.info["duration"])
            self.assertEqual(max(range(3), key=pixel.__getitem__), channel)
        self.assertEqual(sum(durations), 500)


def clip_picture(run, picture, pictures, *, step=0, data=b"RIFF\x16\x00\x00\x00WEBPVP8 \x0a\x00\x00\x000123456789", size=(16, 16), rate=4.0):
    return Preview(data, "webp", *size, run, 0, step, 1, 1, "tiny", 1.0, clip=ClipPlace(picture, pictures, 0, rate))


if __name__ == "__main__":
    unittest.main()
