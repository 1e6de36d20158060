"""The ComfyUI integration against the fake ComfyUI and the fake host."""

import array
import asyncio
import functools
import importlib
import importlib.util
import json
import subprocess
import sys
import tempfile
import threading
import time
import types
import unittest
from pathlib import Path
from unittest import mock

from tests.bridges import FAKE_HOST, QUICK, digest, latent, until

FAKES = Path(__file__).parent / "fakes" / "comfyui"
NAMES = ("latent_preview", "server", "protocol", "folder_paths", "comfy", "comfy_execution", "comfy_api")
OURS = "latentbridge.integrations.comfyui"


class ComfyUITestCase(unittest.TestCase):
    """A fresh fake ComfyUI with the pack's modules imported into it, and one connected page."""

    argv = ("main.py",)

    def setUp(self):
        self.forget()
        self.addCleanup(self.forget)
        sys.path.insert(0, str(FAKES))
        self.addCleanup(sys.path.remove, str(FAKES))
        arguments = mock.patch.object(sys, "argv", list(self.argv))
        arguments.start()
        self.addCleanup(arguments.stop)
        self.module = importlib.import_module
        self.latent_preview = self.module("latent_preview")
        self.args = self.module("comfy.cli_args").args
        self.method = self.module("comfy.cli_args").LatentPreviewMethod
        self.formats = self.module("comfy.latent_formats")
        self.progress = self.module("comfy_execution.progress")
        self.server = self.module("server").PromptServer()
        self.addCleanup(self.server.stop)
        self.page = self.connect("page")
        self.core = self.latent_preview.get_previewer

    def forget(self):
        for name in [name for name in sys.modules if name.split(".")[0] in NAMES or name.startswith(OURS)]:
            del sys.modules[name]

    def connect(self, client, flags=True, peer="127.0.0.1"):
        socket = self.module("server").Socket(peer)
        self.server.sockets[client] = socket
        self.server.sockets_metadata[client] = {"feature_flags": {"supports_preview_metadata": flags}}
        return socket

    def pack(self, *quirks, last_step=20.0, **settings):
        """Installs the hook over a fake host. ``last_step`` bounds the wait for the last picture, long, as it is not what is tested."""
        self.module(f"{OURS}.sampling").LAST_STEP_SECONDS = last_step
        hook, pack = self.module(f"{OURS}.hook"), self.module(f"{OURS}.pack")
        self.made = pack.Pack(host=[sys.executable, "-S", str(FAKE_HOST), *quirks], **QUICK)
        self.addCleanup(self.made.close)
        self.made.change(settings)
        self.hook = hook.Hook(self.made)
        self.hook.install()
        if not quirks:
            self.assertTrue(self.made.bridge.start(20))
        return self.made

    def sample(self, steps=3, latents=None, form=None, client="page", prompt="p1", node="7", total=None, output=None,
               each=lambda step: None, graph=None, **extra):
        """Runs a sampler node as core does; the latents it got."""
        server = self.server
        server.client_id = client
        server.prompt_queue.currently_running = {0: (0, prompt, graph or {}, dict(extra), [])}
        self.progress.reset_progress_state(prompt)
        registry = self.progress.get_progress_state()
        registry.register_handler(self.module("server").WebUIProgressHandler(server))
        latents = latents or [latent(1, 4, 8, 8, start=step) for step in range(steps)]
        model = types.SimpleNamespace(load_device="cpu", model=types.SimpleNamespace(latent_format=(form or self.formats.SDXL)()))
        with self.module("comfy_execution.utils").executing(prompt, node):
            registry.start_progress(node)
            callback = self.latent_preview.prepare_callback(model, steps, output)
            for step, x0 in enumerate(latents):
                callback(step, x0, x0, total or steps)
                each(step)
            registry.finish_progress(node)
        return latents

    def pictures(self, socket=None):
        return [message for message in (socket or self.page).messages if not isinstance(message[0], str)]

    def settle(self):
        """Waits until everything queued on the server's loop was sent."""
        for _ in range(3):
            done = threading.Event()
            self.server.loop.call_soon_threadsafe(self.server.loop.call_soon, done.set)
            self.assertTrue(done.wait(10))
        until(lambda: self.server.messages.empty())

    def shown(self, latents, socket=None):
        """Waits until the last latent's picture is there, and checks that it is."""
        until(lambda: any(message[2] == digest(latents[-1]) for message in self.pictures(socket)))

    def shown_as(self, expected, _):
        until(lambda: any(message[2] == digest(expected) for message in self.pictures()))

    def captions(self):
        return [message[2] for message in self.page.messages if message[0] == "latentbridge.preview"]

    def one_by_one(self, step):
        until(lambda: len(self.pictures()) > step)


def latent_of_frame(video, frame, before=0):
    """What the shim sends of a video ``[1,C,T,H,W]``: a frame, and as many ``before`` it."""
    _, channels, frames, height, width = video.shape
    plane = height * width
    flat = video.cast("B").cast("f")
    values = [value for channel in range(channels) for value in flat[(channel * frames + frame - before) * plane:][:(before + 1) * plane]]
    return array.array("f", values)


class PreviewTests(ComfyUITestCase):
    def test_each_step_is_shown_with_the_metadata_of_its_node(self):
        self.pack()
        latents = self.sample(each=self.one_by_one)
        self.settle()
        self.assertEqual([data for _, _, data in self.pictures()], [digest(x0) for x0 in latents])
        event, metadata, _ = self.pictures()[0]
        self.assertEqual(event, 4)
        self.assertEqual(metadata, {"node_id": "7", "prompt_id": "p1", "display_node_id": "shown 7", "parent_node_id": None,
                                    "real_node_id": "real 7", "image_type": "image/png"})

    def test_the_last_picture_comes_before_the_node_ends(self):
        self.pack()
        for prompt in range(20):
            latents = self.sample(steps=2, prompt=f"p{prompt}", latents=[latent(1, 4, 8, 8, start=prompt * 2 + i) for i in (0, 1)],
                                  each=lambda step: until(lambda: self.made.latest is not None))
            self.shown(latents)

    def test_a_picture_that_is_late_is_not_shown(self):
        self.pack("slow=300", last_step=0.0)
        self.assertTrue(self.made.bridge.start(20))
        self.sample(steps=1)
        until(lambda: self.made.bridge.status()["stale"] or self.made.outbox.late)
        self.settle()
        self.assertEqual(self.pictures(), [])

    def test_the_latent_is_left_as_it_was_and_handed_on(self):
        self.pack()
        output = {}
        latents = self.sample(each=self.one_by_one, output=output)
        self.assertIs(output["x0"], latents[-1])
        self.assertEqual([bytes(x0) for x0 in latents], [bytes(latent(1, 4, 8, 8, start=step)) for step in range(3)])

    def test_the_format_is_named_as_core_names_it_also_for_a_subclass(self):
        class Mine(self.formats.SDXL):
            pass

        self.pack()
        self.sample(form=Mine, each=self.one_by_one)
        self.assertEqual(self.made.bridge.status()["host"]["begun"][0]["format"], "SDXL")

    def test_steps_beyond_the_total_are_shown_and_only_one_of_them_is_waited_for(self):
        self.pack()
        latents = self.sample(steps=5, total=2, each=self.one_by_one)
        self.shown(latents)

    def test_a_latent_leaves_only_when_core_is_done_with_the_step(self):
        self.pack()
        utils = self.module("comfy.utils")
        inner, order = utils.PROGRESS_BAR_HOOK, []

        def hook(*arguments):
            order.append("core")
            inner(*arguments)

        with mock.patch.object(utils, "PROGRESS_BAR_HOOK", hook), mock.patch.object(
                self.made.bridge, "submit", side_effect=lambda *_, **named: order.append(named["step"])):
            self.sample(steps=3)
        self.assertEqual(order, ["core", 0, "core", 1, 2, "core"])  # the last one is waited for

    def test_a_step_that_is_cancelled_sends_nothing(self):
        class Cancelled(Exception):
            pass

        self.pack()
        with mock.patch.object(self.module("comfy.utils"), "PROGRESS_BAR_HOOK", side_effect=Cancelled), self.assertRaises(Cancelled):
            self.sample()
        self.assertEqual(self.made.bridge.status()["submitted"], 0)

    def test_captions_come_with_the_first_and_the_last_picture_and_now_and_then_between(self):
        for pause, steps in ((1000, [1, 6]), (0, [1, 2, 3, 4, 5, 6])):
            self.pack()
            self.module(f"{OURS}.delivery").CAPTION_EVERY_SECONDS = pause
            self.page.messages.clear()
            self.sample(steps=6, each=self.one_by_one)
            self.settle()
            self.assertEqual([(told["node"], told["prompt"], told["caption"]["step"]) for told in self.captions()],
                             [("shown 7", "p1", step) for step in steps])
            self.made.close()
            self.hook.uninstall()
        self.pack()
        self.made.change({"caption": False})
        self.page.messages.clear()
        self.sample(prompt="p2", each=lambda step: None)
        self.settle()
        self.assertEqual(self.captions(), [])

    def test_the_caption_says_that_the_picture_is_not_ours_any_more(self):
        self.args.preview_method = self.method.Latent2RGB
        self.pack()

        def each(step):
            self.one_by_one(step)
            if step == 1:
                self.made.change({"enabled": False})

        self.sample(steps=4, each=each)
        self.settle()
        self.assertEqual([told["caption"] and told["caption"]["step"] for told in self.captions()], [1, None])

    def test_why_a_chosen_decoder_is_not_used_stands_in_the_caption_and_what_lasts_is_logged_once(self):
        with self.assertLogs("latentbridge", "WARNING") as log:
            self.pack("note=no tinny here", "warning=the decoder tinny was chosen")
            self.made.bridge.start(20)
            self.sample(each=self.one_by_one)
            self.settle()
        self.assertEqual(self.captions()[-1]["caption"]["note"], "no tinny here")
        self.assertEqual([line for line in log.output if "tinny" in line], ["WARNING:latentbridge:LatentBridge: the decoder tinny was chosen"])

    def test_a_run_that_goes_wrong_is_told_at_once_and_ended_only_where_the_settings_say_so(self):
        management = self.module("comfy.model_management")
        for is_wanted, alarm, ended in ((False, "flat", False), (True, "flat", True), (True, "of-a-newer-host", False)):
            with self.subTest(is_wanted=is_wanted, alarm=alarm):
                management.interrupt_processing = False
                self.pack(f"alarm={alarm}", "warning=the picture is one flat colour", interrupt=is_wanted)
                self.made.bridge.start(20)
                self.page.messages.clear()
                seen = []

                def each(step):
                    seen.append(management.interrupt_processing)
                    self.one_by_one(step)

                with self.assertLogs("latentbridge", "WARNING") as log:
                    self.sample(steps=3, each=each)
                    self.settle()
                self.assertEqual(seen, [False, ended, ended])  # before the next step, on the sampler's thread
                self.assertEqual(sum("interrupted at step 2: the picture is one flat colour" in line for line in log.output), ended)
                known = alarm == "flat"
                self.assertEqual([(told["caption"]["alarm"], told["caption"]["warning"]) for told in self.captions()[:1]],
                                 [("flat", "the picture is one flat colour") if known else (None, None)])
                self.made.close()
                self.hook.uninstall()

    def test_of_a_causal_video_the_first_frame_is_shown_unless_somebody_chose_another(self):
        self.pack()
        frames = [latent(1, 16, 5, 8, 8)]
        first, middle = latent_of_frame(frames[0], 0), latent_of_frame(frames[0], 2, before=2)
        self.shown_as(first, self.sample(steps=1, latents=frames, form=self.formats.Wan21))
        self.made.change({"frame": "middle"})
        self.shown_as(middle, self.sample(steps=1, latents=frames, form=self.formats.Wan21, prompt="p2"))

    def test_the_last_step_is_waited_for_longer_after_a_long_sampling_and_a_later_picture_is_sent_while_the_node_runs(self):
        self.pack()
        sampling = self.module(f"{OURS}.sampling")
        with mock.patch.object(sampling, "LAST_STEP_SECONDS", 0.05):
            patience = []
            with mock.patch.object(self.made.bridge, "wait", side_effect=lambda **named: patience.append(named["timeout"])):
                for began in (0.0, 20.0, 500.0):
                    def each(step, began=began):
                        self.made.sampling._began_at -= began

                    self.sample(steps=2, prompt=f"p{began}", each=each)
        self.assertAlmostEqual(patience[0], 0.05)
        self.assertAlmostEqual(patience[1], 0.2, delta=0.05)
        self.assertAlmostEqual(patience[2], 0.5)

    def test_a_last_picture_that_is_late_is_sent_while_the_node_still_runs(self):
        self.pack("slow=300", last_step=0.0)
        self.assertTrue(self.made.bridge.start(20))
        latents = self.sample(steps=1, each=lambda step: until(lambda: self.pictures()))
        self.shown(latents)

    def test_a_nested_latent_shows_its_first_stream(self):
        self.pack()
        nested = types.SimpleNamespace(is_nested=True, tensors=[latent(1, 4, 8, 8), latent(1, 8, 50)])
        self.sample(steps=1, latents=[nested])
        self.shown([nested.tensors[0]])

    def test_a_latent_that_is_none_leaves_the_run_alone(self):
        self.pack()
        self.sample(latents=["no latent", None, latent(3)])
        self.settle()
        self.assertEqual(self.pictures(), [])

    def test_several_samplings_of_one_node(self):
        self.pack()
        latents = self.sample(each=self.one_by_one)
        more = self.sample(steps=1, latents=[latent(1, 4, 8, 8, start=9)])
        self.shown(latents)
        self.shown(more)


class ClientTests(ComfyUITestCase):
    def test_an_old_client_gets_the_old_event(self):
        self.args.preview_method = self.method.Auto
        self.pack()
        old = self.connect("old", flags=False)
        latents = self.sample(client="old")
        self.shown(latents, old)
        self.assertEqual({message[0] for message in self.pictures(old)}, {2})
        self.assertEqual(self.pictures(self.page), [])

    def test_an_old_client_gets_jpeg_and_nothing_that_nobody_asked_for(self):
        self.pack("encodings=png,jpeg,rgb24")
        self.assertTrue(self.made.bridge.start(20))
        old = self.connect("old", flags=False)
        for chosen in ("auto", "png", "webp"):
            self.made.change({"format": chosen})
            self.args.preview_method = self.method.NoPreviews
            self.sample(client="old", prompt=f"none {chosen}")
            self.settle()
            self.assertEqual(self.pictures(old), [])
            self.args.preview_method = self.method.Auto
            self.shown(self.sample(client="old", prompt=f"auto {chosen}"), old)
            old.messages.clear()
        self.assertEqual({run["encoding"] for run in self.made.bridge.status()["host"]["begun"]}, {"jpeg"})

    def test_without_a_client_those_get_it_that_can_show_it_and_no_page(self):
        self.args.preview_method = self.method.Auto
        self.pack()
        self.sample(client=None)
        self.assertEqual(self.made.bridge.status()["submitted"], 0)
        old, other = self.connect("old", flags=False), self.connect("other", flags=False)
        latents = self.sample(client=None, prompt="p2")
        for socket in (old, other):
            self.shown(latents, socket)
            self.assertEqual({message[0] for message in self.pictures(socket)}, {2})
        self.args.preview_method = self.method.NoPreviews
        old.messages.clear()
        self.sample(client=None, prompt="p3")
        self.settle()
        self.assertEqual((self.pictures(self.page), self.pictures(old)), ([], []))

    def test_nobody_looks_nothing_is_sent_to_the_host(self):
        self.pack()
        self.sample(client="gone")
        self.assertEqual(self.made.bridge.status()["submitted"], 0)

    def test_a_client_far_away_gets_jpeg(self):
        self.pack()
        self.connect("far", peer="192.0.2.7")
        self.sample(client="far")
        self.assertEqual(self.made.bridge.status()["host"]["begun"][0]["encoding"], "jpeg")


class WordsTests(ComfyUITestCase):
    def begun(self):
        return (self.made.bridge.status()["host"] or {"begun": []})["begun"]

    def test_none_by_default_shows_and_a_none_in_the_prompt_does_not(self):
        self.pack()
        self.shown(self.sample(each=self.one_by_one))
        self.page.messages.clear()
        self.sample(prompt="p2", preview_method="none")
        self.settle()
        self.assertEqual(self.pictures(), [])

    def test_a_none_in_the_node_that_samples_shows_nothing(self):
        self.pack()
        for method, shows in (("none", False), ("vae_decoded_only", False), ("auto", True), (["4", 0], True)):
            with self.subTest(method):
                graph = {"7": {"class_type": "KSampler (Efficient)", "inputs": {"preview_method": method}}}
                self.page.messages.clear()
                self.sample(prompt=f"p{method}", graph=graph)
                self.settle()
                self.assertEqual(bool(self.pictures()), shows)

    def test_a_switch_on_the_page_gives_comfyuis_own_previews_back_at_the_next_step(self):
        self.args.preview_method = self.method.Latent2RGB
        self.pack()

        def each(step):
            self.one_by_one(step)
            self.made.change({"enabled": False})

        self.sample(each=each)
        self.settle()
        self.assertEqual([data == b"core" for _, _, data in self.pictures()], [False, True, True])

    def test_another_host_mode_holds_at_the_next_step(self):
        self.pack()
        before = self.made.bridge

        def each(step):
            self.one_by_one(step)
            if step == 1:
                self.made.change({"host_mode": "process"})

        latents = self.sample(steps=4, each=each)
        self.shown(latents)
        self.assertIsNot(self.made.bridge, before)
        until(lambda: before.off_reason is not None)

    def test_taesd_means_that_decoder_unless_the_page_names_another(self):
        self.args.preview_method = self.method.TAESD
        self.pack()
        self.sample(each=self.one_by_one, preview_method="taesd")
        self.made.change({"decoder": "tiny"})
        self.sample(prompt="p2")
        self.assertEqual([run["decoder"] for run in self.begun()], ["taesd", "tiny"])
        self.assertEqual(self.latent_preview.built, 0, "core's TAESD was loaded though nobody asked for it")

    def test_a_settings_node_in_the_workflow_goes_before_the_page(self):
        self.pack(size=256)
        node = {"class_type": "LatentBridgePreviewSettings", "inputs": {"size": 128, "decoder": "tiny", "batch": ["4", 0], "frame": "?"}}
        self.sample(each=self.one_by_one, graph={"9": node})
        self.sample(prompt="p2", graph={"9": {**node, "inputs": {"enabled": False}}})
        self.sample(prompt="p3")
        self.assertEqual([(run["size"], run["decoder"]) for run in self.begun()], [(128, "tiny"), (256, "auto")])

    def test_size_is_that_of_the_command_line_until_the_page_sets_one(self):
        self.args.preview_size = 640
        self.pack()
        self.sample(each=self.one_by_one)
        self.made.change({"size": 256, "every_steps": 0, "nonsense": 1})
        self.sample(prompt="p2")
        self.assertEqual([run["size"] for run in self.begun()], [640, 256])

    def test_every_nth_step_and_always_the_first_and_the_last(self):
        self.pack(every_steps=3)
        self.shown(self.sample(steps=6))
        self.assertEqual(self.made.bridge.status()["submitted"], 3)

    def test_stored_settings_hold_without_a_page_and_nonsense_does_not(self):
        with tempfile.TemporaryDirectory() as folder:
            stored = Path(folder, "default", "comfy.settings.json")
            stored.parent.mkdir()
            self.module("folder_paths").user_directory = folder
            settings = self.module(f"{OURS}.settings").Settings
            stored.write_text(json.dumps({"LatentBridge.size": 128, "LatentBridge.batch": 7, "Comfy.Other": 1}))
            self.assertEqual((settings.load().size, settings.load().batch), (128, settings().batch))
            for nonsense in ("", "[]", '{"LatentBridge.size": "x"}', "\x00", '{"LatentBridge.decoder": ["a"]}'):
                stored.write_text(nonsense)
                self.assertEqual(settings.load(), settings())


class NoneOnCommandLineTests(ComfyUITestCase):
    argv = ("main.py", "--preview-method", "none")

    def test_shows_nothing(self):
        self.pack()
        self.sample()
        self.settle()
        self.assertEqual(self.pictures(), [])


class FaultTests(ComfyUITestCase):
    def test_a_host_that_cannot_start_leaves_core_its_previews(self):
        self.args.preview_method = self.method.Latent2RGB
        self.pack("die-at-start", last_step=0.01)
        self.sample(steps=200, each=lambda step: time.sleep(0.01))
        until(lambda: self.made.bridge.off_reason)
        self.page.messages.clear()
        self.sample(prompt="p2")
        self.settle()
        self.assertEqual([data for _, _, data in self.pictures()], [b"core"] * 3)

    def test_without_a_host_the_page_sees_latent2rgb_where_nobody_said_none(self):
        self.args.preview_method = self.method.NoPreviews
        self.pack("die-at-start", last_step=0.01)
        self.sample(steps=200, each=lambda step: time.sleep(0.01))
        until(lambda: self.made.bridge.off_reason)
        self.page.messages.clear()
        self.sample(prompt="p2")
        self.settle()
        self.assertEqual([data for _, _, data in self.pictures()], [b"core"] * 3)
        self.assertEqual([caption["caption"] for caption in self.captions()],
                         [{"decoder": "latent2rgb", "note": "by ComfyUI: LatentBridge has no host, see its settings"}])
        self.assertIn("times in a row", self.made.state())
        self.page.messages.clear()
        self.sample(prompt="p3", preview_method="none")
        self.made.change({"enabled": False})
        self.sample(prompt="p4")
        self.settle()
        self.assertEqual(self.pictures(), [])

    def test_a_host_that_hangs_or_dies_fails_no_run(self):
        for quirk in ("hang-on-submit=1", "die-on-submit=2", "mute", "garbage", "drop=failed", "lie-released"):
            with self.subTest(quirk):
                self.pack(quirk, last_step=0.05)
                self.assertEqual(len(self.sample(steps=5, each=lambda step: self.settle())), 5)
                self.hook.uninstall()

    def test_another_packs_wrapper_that_raises_is_stepped_over(self):
        core = self.core

        @functools.wraps(core)
        def broken(device, latent_format):
            raise RuntimeError("not today")

        self.latent_preview.get_previewer = broken
        self.pack()
        self.shown(self.sample(each=self.one_by_one))


class NeighbourTests(ComfyUITestCase):
    def theirs(self):
        class Theirs(self.latent_preview.LatentPreviewer):
            def __init__(self, inner):
                self.inner = inner

            def decode_latent_to_preview_image(self, preview_format, x0):
                return None

        return Theirs

    def wrap(self, choose):
        """Wraps get_previewer as another pack does."""
        inner = self.latent_preview.get_previewer

        @functools.wraps(inner)
        def get_previewer(*arguments):
            return choose(inner(*arguments))

        self.latent_preview.get_previewer = get_previewer

    def test_a_previewer_of_another_pack_inside_is_left_as_it_is(self):
        self.args.preview_method = self.method.Auto
        theirs = self.theirs()
        self.wrap(theirs)
        self.pack()
        self.sample()
        self.settle()
        self.assertEqual(self.pictures(), [])
        self.assertEqual(self.made.bridge.status()["submitted"], 0)

    def test_a_pack_inside_that_hides_core_is_left_as_it_is_too(self):
        theirs = self.theirs()
        self.latent_preview.get_previewer = lambda device, latent_format: theirs(None)
        self.pack()
        self.sample()
        self.assertEqual(self.made.bridge.status()["submitted"], 0)

    def test_a_pack_outside_finds_cores_attributes(self):
        for method, name in ((self.method.NoPreviews, "latent_rgb_factors"), (self.method.Latent2RGB, "latent_rgb_factors_bias"),
                             (self.method.TAESD, "taesd")):
            with self.subTest(method):
                self.args.preview_method = method
                self.pack()
                seen = []
                self.wrap(lambda previewer, seen=seen: seen.append(previewer) or previewer)
                self.sample()
                self.assertTrue(hasattr(seen[0], name))
                self.assertEqual(hasattr(seen[0], "taesd"), name == "taesd")
                self.assertIsInstance(seen[0], self.latent_preview.LatentPreviewer)
                self.latent_preview.get_previewer = self.core
                self.hook.uninstall()

    def test_a_pack_outside_that_lets_ours_through_costs_a_format_without_factors_nothing(self):
        self.pack()
        self.wrap(lambda previewer: previewer)
        self.shown(self.sample(form=self.formats.StableAudio1))
        self.prompt()
        self.shown(self.sample(form=self.formats.StableAudio1, prompt="p2", steps=1, latents=[latent(1, 4, 8, 8, start=5)]))

    def test_a_pack_outside_that_cannot_use_ours_is_stepped_over(self):
        self.pack()
        self.wrap(lambda previewer: previewer.latent_rgb_factors)
        self.prompt()
        self.shown(self.sample(form=self.formats.StableAudio1))

    def test_a_pack_outside_that_gives_its_own_or_none_decides(self):
        self.args.preview_method = self.method.Auto
        theirs = self.theirs()
        for choose in (theirs, lambda previewer: None):
            self.pack()
            self.wrap(choose)
            self.prompt()
            self.sample()
            self.assertEqual(self.made.bridge.status()["submitted"], 0)
            self.latent_preview.get_previewer = self.core
            self.hook.uninstall()

    def test_videohelpersuite_shows_clips_and_we_show_pictures_in_either_order(self):
        class Animated(self.theirs()):
            __module__ = "custom_nodes.ComfyUI-VideoHelperSuite.videohelpersuite.latent_preview"
            seen = 0

            def decode_latent_to_preview_image(self, preview_format, x0):
                Animated.seen += 1

        def choose(previewer):  # as VideoHelperSuite: core's or anybody's, and its own round it
            return Animated(previewer) if previewer is not None else None

        for method, order in ((self.method.Latent2RGB, "inside"), (self.method.Latent2RGB, "outside"), (self.method.NoPreviews, "outside")):
            with self.subTest(method, order=order):
                self.args.preview_method = method
                self.latent_preview.get_previewer = self.core
                if order == "inside":
                    self.wrap(choose)
                self.pack()
                if order == "outside":
                    self.wrap(choose)
                self.prompt()
                Animated.seen = 0
                self.page.messages.clear()
                self.shown(self.sample(latents=[latent(1, 4, 8, 8, start=step) for step in (1, 2, 3)]))
                self.assertEqual(Animated.seen, 0)
                self.page.messages.clear()
                for number, axes in enumerate([(4, 4, 8, 8), (1, 4, 5, 8, 8)]):
                    self.sample(latents=[latent(*axes)] * 3, prompt=f"clip {number}")
                    self.settle()
                    self.assertEqual((Animated.seen, self.pictures()), (3 * number + 3, []))
                self.latent_preview.get_previewer = self.core
                self.hook.uninstall()

    def prompt(self):
        for handler in self.server.on_prompt_handlers:
            handler({"prompt": {}})

    def guest(self, each=lambda previewer: None, **more):
        """What a sampler with a callback of its own gets, used by ``each`` while it runs."""
        got = []
        latents = [latent(1, 4, 8, 8)]
        prepare = self.latent_preview.prepare_callback

        def own(model, steps, output=None):
            previewer = self.latent_preview.get_previewer("cpu", model.model.latent_format)
            got.append(previewer)

            def callback(step, x0, x, total):
                if previewer is not None:
                    each(previewer)
            return callback

        self.latent_preview.prepare_callback = own
        try:
            self.sample(latents=latents, **more)
        finally:
            self.latent_preview.prepare_callback = prepare
        return got[0]

    def test_a_sampler_with_its_own_callback_gets_pictures_of_cores_kind_where_nobody_asked_for_any(self):
        self.pack()
        image = types.SimpleNamespace(frombytes=lambda mode, size, data: (mode, size, data))
        x0 = latent(1, 4, 8, 8, start=3)
        with mock.patch.dict(sys.modules, {"PIL": types.SimpleNamespace(Image=image)}):
            seen = []

            def each(previewer):
                seen.append(previewer.decode_latent_to_preview_image("JPEG", x0))
                until(lambda: self.made.bridge.status()["shown"])
                until(lambda: previewer._image)
                seen.append(previewer.decode_latent_to_preview_image("JPEG", x0))
                self.latent_preview.preview_to_image = lambda latent_image, do_scale=True: "a tensor"
                seen.append(previewer.decode_latent_to_preview_image("JPEG", x0))

            previewer = self.guest(each)
        self.assertIsInstance(previewer, self.latent_preview.Latent2RGBPreviewer)
        self.assertIsInstance(seen[0][1], self.latent_preview.Picture)
        self.assertEqual([picture[1] for picture in seen[1:]], [("RGB", (1, 1), digest(x0)), "a tensor"])

    def test_a_sampler_with_its_own_callback_gets_nothing_where_somebody_said_none_or_there_are_no_colours(self):
        self.pack()
        self.assertIsNone(self.guest(form=self.formats.StableAudio1))
        self.assertIsNone(self.guest(preview_method="none", prompt="p2"))
        self.made.change({"enabled": False})
        self.assertIsNone(self.guest(prompt="p3"))

    def test_a_format_without_factors_is_shown_otherwise(self):
        self.pack()
        self.shown(self.sample(form=self.formats.StableAudio1))

    def test_a_sampler_with_its_own_callback_gets_what_core_gives(self):
        self.args.preview_method = self.method.Latent2RGB
        self.pack()
        previewer = self.latent_preview.get_previewer("cpu", self.formats.SDXL())
        self.assertIs(type(previewer), self.latent_preview.Latent2RGBPreviewer)

    def test_a_previewer_used_outside_of_cores_callback_gives_a_picture_at_once(self):
        self.pack()
        seen = []
        self.wrap(lambda previewer: seen.append(previewer) or previewer)
        self.sample()
        picture = seen[0].decode_latent_to_preview_image("JPEG", latent(1, 4, 8, 8))
        self.assertIsInstance(picture[1], self.latent_preview.Picture)

    def test_an_undone_hook_comes_back_at_the_next_prompt(self):
        self.pack()
        self.latent_preview.get_previewer = self.core
        for handler in self.server.on_prompt_handlers:
            self.assertEqual(handler({"prompt": {}}), {"prompt": {}})
        self.shown(self.sample())

    def test_wrapped_leads_down_to_cores_own_function(self):
        self.pack()
        self.assertIs(self.latent_preview.get_previewer.__wrapped__, self.core)
        self.hook.uninstall()
        self.assertIs(self.latent_preview.get_previewer, self.core)


class RouteTests(ComfyUITestCase):
    def call(self, method, path, body=None):
        async def json_of_request():
            if body is None:
                raise ValueError
            return body

        handler = self.server.routes.handlers[method, path]
        return asyncio.run(handler(types.SimpleNamespace(json=json_of_request)))

    def setUp(self):
        super().setUp()
        self.pack()
        self.module(f"{OURS}.routes").add(self.made, self.hook)

    def test_status_tells_hook_settings_and_the_latest_picture(self):
        self.shown(self.sample(each=self.one_by_one))
        status = self.call("GET", "/latentbridge/status")["data"]
        self.assertEqual(status["hook"], ["latentbridge", "latent_preview"])
        self.assertEqual(status["latest"]["step"], 2)
        self.assertEqual(status["bridge"]["host"]["host"], "fake")

    def test_settings_are_taken_under_the_pages_names(self):
        answer = self.call("POST", "/latentbridge/settings", {"LatentBridge.size": 256})
        self.assertEqual((answer["status"], answer["data"]["size"]), (200, 256))
        for nonsense in (None, [], 3, "x"):
            self.assertEqual(self.call("POST", "/latentbridge/settings", nonsense)["status"], 400)
        controls = self.call("GET", "/latentbridge/settings")["data"]["controls"]
        self.assertEqual({control["type"] for control in controls}, {"boolean", "combo", "slider"})


@unittest.skipIf(importlib.util.find_spec("torch") is None, "torch is not installed")
class ImportTests(unittest.TestCase):
    def test_the_pack_as_comfyui_loads_it_imports_nothing_twice_and_starts_nothing(self):
        program = """if True:
            import importlib.util, sys, threading
            root, fakes = sys.argv.pop(), sys.argv.pop()
            sys.path.insert(0, fakes)
            import latent_preview, torch
            from server import PromptServer
            PromptServer()
            threads = threading.active_count()
            name = (root + "/custom_nodes/LatentBridge").replace(".", "_x_")
            spec = importlib.util.spec_from_file_location(name, root + "/__init__.py", submodule_search_locations=[root])
            sys.modules[name] = module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            assert "LatentBridgeDecode" in module.NODE_CLASS_MAPPINGS
            assert set(module.NODE_CLASS_MAPPINGS) == set(module.NODE_DISPLAY_NAME_MAPPINGS), module.NODE_CLASS_MAPPINGS
            ours = [path for m in list(sys.modules.values()) if (path := getattr(m, "__file__", None) or "").startswith(root + "/python/latentbridge")]
            assert len(ours) > 10 and len(ours) == len(set(ours)), sorted(ours)
            assert threading.active_count() == threads, threading.enumerate()
            print("good", flush=True)
            import os
            os._exit(0)
        """
        root = Path(__file__).parents[2]
        done = subprocess.run([sys.executable, "-c", program, str(FAKES), str(root)], capture_output=True, text=True, timeout=120)
        self.assertEqual((done.stdout.strip(), done.stderr.strip() if done.returncode else ""), ("good", ""))


class RegistryTests(unittest.TestCase):
    """Rules of docs.comfy.org/registry/specifications."""

    def test_the_packs_description_has_no_empty_field_and_the_one_version(self):
        try:
            import tomllib
        except ImportError:
            self.skipTest("tomllib came with Python 3.11")
        root = Path(__file__).parents[2]
        found = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
        project, comfy = found["project"], found["tool"]["comfy"]
        self.assertEqual(project["version"], (root / "python" / "version.txt").read_text(encoding="utf-8").strip())
        self.assertRegex(project["version"], r"^\d+\.\d+\.\d+$")
        self.assertRegex(project["name"], r"^[a-z][a-z0-9]*([-_.][a-z0-9]+)*$")
        self.assertTrue((root / project["license"]["file"]).is_file())
        self.assertEqual([name for table in (project, comfy) for name, value in table.items() if value == ""], [])


if __name__ == "__main__":
    unittest.main()
