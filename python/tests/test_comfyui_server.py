"""Against a real ComfyUI on this machine, with real hosts.

    LATENTBRIDGE_COMFYUI=http://127.0.0.1:8188 python3 -m unittest tests.test_comfyui_server

In its custom_nodes: this repository with a host, and benchmarks/comfyui/latentbridge_probe. LATENTBRIDGE_COMFYUI_PROMPTS is the number of
prompts during which the host is killed again and again (200).
"""

import json
import os
import random
import signal
import sys
import threading
import time
import unittest
import urllib.request
from pathlib import Path

from tests.bridges import until

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks" / "comfyui"))
from client import Page, call, probe  # noqa: E402

URL = os.environ.get("LATENTBRIDGE_COMFYUI", "").rstrip("/")
PROMPTS = int(os.environ.get("LATENTBRIDGE_COMFYUI_PROMPTS", "200"))
PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
SHAPE = "1,4,64,64"


@unittest.skipUnless(URL, "LATENTBRIDGE_COMFYUI is not the URL of a ComfyUI")
class ServerTestCase(unittest.TestCase):
    def setUp(self):
        self.page = self.connect()
        self.settings(enabled=True, decoder="auto", size=0, batch="grid", frame="auto", every_steps=1, every_milliseconds=0,
                      format="auto", threads=0, caption=True)

    def connect(self, flags=True):
        page = Page(URL, flags)
        self.addCleanup(page.__exit__, None, None, None)
        return page.__enter__()

    def settings(self, **values):
        return call(f"{URL}/latentbridge/settings", values)

    def status(self):
        return call(f"{URL}/latentbridge/status")

    def run_probe(self, form="SD15", shape=SHAPE, steps=4, milliseconds=60, **more):
        run = self.page.run(probe(form, shape, steps, milliseconds), **{"preview_method": "auto", **more})
        if run.error is not None and "has no attribute" in run.error:
            self.skipTest(f"a format newer than this ComfyUI: {run.error.strip()}")
        self.assertEqual((run.ended, run.error), ("execution_success", None))
        return run

    def shown(self, form="SD15", shape=SHAPE):
        """Pictures of a latent, after as many runs as it takes: how fast this machine is now is not what is tested."""
        return until(lambda: self.run_probe(form, shape).pictures, 60)

    def warm_up(self):
        """Until a host runs and has decoded, also after one was killed so often that the bridge gave up."""
        until(lambda: self.settings(enabled=True) and self.run_probe().pictures and self.host(), 60)

    def host(self):
        return self.status()["bridge"]["process"]


class PreviewTests(ServerTestCase):
    def test_each_step_is_shown_as_png_with_metadata(self):
        self.warm_up()
        run = self.run_probe(steps=5, milliseconds=300)
        self.assertEqual(len(run.pictures), 5)
        for event, metadata, data in run.pictures:
            self.assertEqual(event, 4)
            self.assertEqual(metadata, {"node_id": "1", "display_node_id": "1", "parent_node_id": None, "real_node_id": "1",
                                        "prompt_id": run.prompt, "image_type": "image/png"})
            self.assertEqual(data[:8], PNG)
            self.assertEqual(size(data), (512, 512))

    def test_jpeg_and_webp(self):
        self.warm_up()
        for form, kind, start in (("jpeg", "image/jpeg", JPEG), ("webp", "image/jpeg", b"RIFF")):
            with self.subTest(form):
                self.settings(format=form)
                _, metadata, data = self.shown()[-1]
                self.assertEqual((metadata["image_type"], data[:len(start)]), (kind, start))

    def test_a_raw_client_beside_a_page_gets_jpeg_that_was_asked_for_and_nothing_else(self):
        self.warm_up()
        if any(word.startswith("--preview-method") for word in call(f"{URL}/system_stats")["system"]["argv"]):
            self.skipTest("this ComfyUI was started with --preview-method; what nobody asked for is only seen without it")
        raw = self.connect(flags=False)
        seen = {"raw": [], "page": []}
        threads = [threading.Thread(target=self.listen, args=(client, seen[name]), daemon=True)
                   for name, client in (("raw", raw), ("page", self.page))]
        for thread in threads:
            thread.start()
        cases = (  # whose prompt, what it asks for, what the raw client and the page get
            (raw, {}, set(), set()),
            (raw, {"preview_method": "none"}, set(), set()),
            (raw, {"preview_method": "auto"}, {(1, 1, JPEG)}, set()),
            (raw, {"preview_method": "auto", "client": False}, {(1, 1, JPEG)}, set()),
            (raw, {"client": False}, set(), set()),
            (self.page, {}, set(), {(4, "image/png", PNG[:3])}))
        for form in ("auto", "png", "webp"):
            self.settings(format=form)
            for number, (client, asked, by_raw, by_page) in enumerate(cases):
                if form != "auto" and client is self.page:
                    continue
                with self.subTest(format=form, case=number):
                    for pictures in seen.values():
                        pictures.clear()
                    prompt = client.queue(probe("SD15", SHAPE, 5, 250), **asked)
                    until(lambda prompt=prompt: call(f"{URL}/history/{prompt}"), 60)
                    time.sleep(0.3)
                    self.assertEqual((set(seen["raw"]), set(seen["page"])), (by_raw, by_page))

    def listen(self, client, pictures):
        """Every picture that a client gets: event, image type, first bytes."""
        try:
            while True:
                opcode, data = client._receive()
                if opcode == 8:
                    return
                if opcode == 2:
                    event, length = int.from_bytes(data[:4], "big"), int.from_bytes(data[4:8], "big")
                    kind = json.loads(data[8:8 + length])["image_type"] if event == 4 else length
                    pictures.append((event, kind, data[8 + (length if event == 4 else 0):][:3]))
        except (OSError, ValueError):
            pass

    def test_the_last_picture_is_no_coarser_than_those_just_before(self):
        self.warm_up()
        for _ in range(5):
            shown = []

            def seen(event, data, shown=shown):
                if event == "latentbridge.preview" and data["caption"]:
                    shown.append(data["caption"]["decoder"])

            run = self.page.run(probe("SDXL", "1,4,128,128", 8, 400), seen, preview_method="auto")
            self.assertEqual(run.error, None)
            self.assertIn(shown[-1], shown[-3:-1], shown)

    def test_pictures_of_a_run_have_one_size(self):
        self.warm_up()
        run = self.run_probe("SDXL", "1,4,128,128", steps=8, milliseconds=300)
        self.assertEqual({size(data) for _, _, data in run.pictures}, {(512, 512)})

    def test_a_decoder_that_is_not_there_is_named_in_the_caption(self):
        self.warm_up()
        self.settings(decoder="of-another-machine")
        notes = []

        def seen(event, data):
            if event == "latentbridge.preview" and data["caption"]:
                notes.append(data["caption"]["note"])

        self.page.run(probe("SD15", SHAPE, 4, 200), seen, preview_method="auto")
        self.assertIn("no of-another-machine here", notes)

    def test_an_explicit_none_shows_nothing_and_comfyuis_own_go_on_when_switched_off(self):
        self.warm_up()
        if int(call(f"{URL}/system_stats")["system"]["comfyui_version"].split(".")[1]) < 4:
            self.skipTest("this ComfyUI knows no preview method of a prompt")
        self.assertEqual(self.run_probe(preview_method="none").pictures, [])
        self.settings(enabled=False)
        run = self.run_probe(preview_method="latent2rgb")
        self.assertEqual([data[:3] for _, _, data in run.pictures], [JPEG] * 4)

    def test_every_format_of_this_comfyui(self):
        self.warm_up()
        for path in sorted((ROOT / "models" / "formats").glob("*.json")):
            numbers = json.loads(path.read_text(encoding="utf-8"))
            channels = numbers.get("streamChannels", numbers["channels"])
            axes = {1: [64], 2: [32, 32], 3: [3, 16, 16]}[numbers["dimensions"]]
            with self.subTest(path.stem):
                self.shown(path.stem, ",".join(map(str, [1, channels, *axes])))

    def test_batches_videos_packed_and_nested_latents(self):
        self.warm_up()
        for form, shape, expected in (("SD15", "4,4,64,64", (512, 512)), ("SD15", "2,4,32,32", (512, 256)), ("Wan21", "1,16,5,60,104", (512, 295)),
                                      ("Flux2", "1,128,64,64", (512, 512)), ("ChromaRadiance", "1,3,256,256", (512, 512)),
                                      ("LTXAV", "1,128,5,16,24;1,8,26,16", (512, 341))):
            with self.subTest(form, shape=shape):
                self.assertEqual(size(self.shown(form, shape)[-1][2]), expected)

    def test_a_shape_that_no_format_has_fails_no_run(self):
        for form, shape in (("SD15", "1,4,3,8,8"), ("SDXL", "1,7,9,9"), ("Flux2", "1,4,8,8"), ("SD15", "1,4,1,1")):
            with self.subTest(form, shape=shape):
                self.run_probe(form, shape)


class SwarmTests(ServerTestCase):
    """SwarmUI's own nodes (its ExtraNodes/SwarmComfyCommon) beside the pack."""

    def setUp(self):
        super().setUp()
        if not call(f"{URL}/object_info/SwarmKSampler"):
            self.skipTest("SwarmUI's nodes are not in this ComfyUI")
        self.warm_up()

    def run_swarm(self, previews, form="SD15", shape=SHAPE, steps=4, milliseconds=300):
        run = self.page.run(probe(form, shape, steps, milliseconds, swarm=previews))
        self.assertEqual((run.ended, run.error), ("execution_success", None))
        for event, metadata, _ in run.pictures:
            self.assertEqual((event, metadata["node_id"], metadata["prompt_id"]), (4, "1", run.prompt))
        return run.pictures

    def test_pictures_come_as_its_server_reads_them(self):
        pictures = until(lambda: self.run_swarm("default"), 60)
        self.assertEqual({(metadata["mime_type"], metadata["id"], data[:3]) for _, metadata, data in pictures}, {("image/jpeg", 0, JPEG)})
        self.assertEqual(self.status()["latest"]["size"], [512, 512])

    def test_each_picture_of_a_batch_comes_with_its_place(self):
        until(lambda: {metadata["id"] for _, metadata, _ in self.run_swarm("default", shape="3,4,64,64", milliseconds=500)} == {0, 1, 2}, 60)
        self.assertEqual({metadata["id"] for _, metadata, _ in self.run_swarm("iterate", shape="3,4,64,64")}, {0})

    def test_a_video_is_a_film_of_all_its_frames(self):
        films = until(lambda: [data for _, metadata, data in self.run_swarm("animate", "Wan21", "1,16,5,30,52", 3, 1500) if metadata["mime_type"] == "image/webp"
                               and data.count(b"ANMF") == 5], 60)
        self.assertEqual((films[-1][:4], films[-1][8:16]), (b"RIFF", b"WEBPVP8X"))

    def test_its_own_goes_on_where_ours_are_off(self):
        self.settings(enabled=False)
        pictures = until(lambda: self.run_swarm("default"), 60)  # which have no "image_type", as core's way gives it
        self.assertEqual({(metadata["mime_type"], metadata.get("image_type"), data[:3]) for _, metadata, data in pictures}, {("image/jpeg", None, JPEG)})


class SettingsTests(ServerTestCase):
    def test_hold_from_the_next_step_on(self):
        self.warm_up()
        sizes = []

        def seen(event, data):
            if event == "binary 4":
                sizes.append(size(data[8 + int.from_bytes(data[4:8], "big"):]))
                self.settings(size=128)

        self.page.run(probe("SD15", SHAPE, 6, 300), seen, preview_method="auto")
        self.assertEqual((sizes[0], sizes[-1]), ((512, 512), (128, 128)))

    def test_a_node_in_the_workflow_goes_before_them(self):
        self.warm_up()
        graph = probe("SD15", SHAPE, 3, 100)
        graph["2"] = {"class_type": "LatentBridgePreviewSettings", "inputs": {
            "enabled": True, "decoder": "latent2rgb", "size": 64, "batch": "first", "frame": "first", "every_steps": 1,
            "every_milliseconds": 0, "format": "jpeg", "threads": 1}}
        run = self.page.run(graph, preview_method="auto")
        self.assertEqual(run.error, None)
        self.assertEqual(run.pictures[-1][2][:3], JPEG)
        self.assertEqual(self.status()["latest"]["size"], [64, 64])

    def test_that_node_offers_the_decoders_of_the_page_and_takes_old_workflows_with_others(self):
        self.warm_up()
        controls = {control["id"]: control for control in call(f"{URL}/latentbridge/settings")["controls"]}  # a page asks for these first
        offered = call(f"{URL}/object_info/LatentBridgePreviewSettings")["LatentBridgePreviewSettings"]["input"]["optional"]["decoder"][0]
        self.assertEqual(offered, controls["LatentBridge.decoder"]["options"])
        graph = probe("SD15", SHAPE, 3, 200)
        graph["2"] = {"class_type": "LatentBridgePreviewSettings", "inputs": {"decoder": "of-another-machine", "size": 64}}
        run = self.page.run(graph, preview_method="auto")
        self.assertEqual(run.error, None)
        self.assertEqual(self.status()["latest"]["size"], [64, 64])


class NodeTests(ServerTestCase):
    def test_decode_gives_pictures_of_a_batch_and_of_a_video(self):
        self.warm_up()
        for form, shape, count in (("SD15", "2,4,32,32", 2), ("Wan21", "1,16,3,16,16", 3)):
            with self.subTest(form):
                graph = probe(form, shape, 1)
                graph["2"] = {"class_type": "LatentBridgeDecode", "inputs": {"samples": ["1", 0], "latent_format": form, "decoder": "latent2rgb"}}
                graph["3"] = {"class_type": "PreviewImage", "inputs": {"images": ["2", 0]}}
                run = self.page.run(graph)
                self.assertEqual(run.error, None)
                self.assertEqual(len(run.outputs["3"]["images"]), count)

    def test_a_batch_is_decoded_in_one_size_by_a_fresh_host_too(self):
        self.warm_up()
        victim = self.host()
        os.kill(victim, signal.SIGKILL)
        until(lambda: self.run_probe("Flux", "1,16,8,8").ended and self.host() not in (0, victim), 60)
        graph = probe("SD15", "6,4,128,100", 1)  # no decoder of SD15 is loaded there
        graph["2"] = {"class_type": "LatentBridgeDecode", "inputs": {"samples": ["1", 0], "latent_format": "SD15", "decoder": "auto"}}
        graph["3"] = {"class_type": "PreviewImage", "inputs": {"images": ["2", 0]}}
        run = self.page.run(graph, preview_method="none")
        self.assertEqual(run.error, None)
        self.assertEqual(len(run.outputs["3"]["images"]), 6)

    def test_compare_agrees_with_pytorch(self):
        self.warm_up()
        for form, channels, decoder in (("SD15", 4, "latent2rgb"), ("Flux2", 128, "latent2rgb"), ("SD15", 4, "taesd"), ("Flux2", 128, "taesd")):
            with self.subTest(form, decoder=decoder):
                graph = probe(form, f"1,{channels},16,16", 1)
                graph["2"] = {"class_type": "LatentBridgeCompare", "inputs": {
                    "samples": ["1", 0], "latent_format": form, "decoder": decoder, "amplify": 32}}
                graph["3"] = {"class_type": "PreviewAny", "inputs": {"source": ["2", 3]}}
                run = self.page.run(graph)
                if run.error is not None and ("models/vae_approx has no file" in run.error or "has no attribute" in run.error):
                    self.skipTest(run.error)
                self.assertEqual(run.error, None)
                text = run.outputs["3"]["text"][0]
                self.assertIn(f"{form}, {decoder}", text)
                self.assertLessEqual(int(text.split("largest difference ")[1].split()[0]), 1, text)


    def test_compare_takes_a_whole_batch_and_says_what_is_wrong_with_a_format(self):
        self.warm_up()
        for shape, form, expected in (("3,4,16,16", "SD15", "picture 3 of 3: SD15, latent2rgb"),
                                      ("1,4,16,16", "Flux", "Flux has [B,C,H,W] with 16 channels"),
                                      ("1,4,16,16", "Wan21", "Wan21 has [B,C,T,H,W] with 16 channels")):
            with self.subTest(form, shape=shape):
                graph = probe("SD15", shape, 1)
                graph["2"] = {"class_type": "LatentBridgeCompare", "inputs": {
                    "samples": ["1", 0], "latent_format": form, "decoder": "latent2rgb", "amplify": 32}}
                graph["3"] = {"class_type": "PreviewAny", "inputs": {"source": ["2", 3]}}
                graph["4"] = {"class_type": "PreviewImage", "inputs": {"images": ["2", 2]}}
                run = self.page.run(graph)
                if run.error is None:
                    self.assertEqual(len(run.outputs["4"]["images"]), 3)
                    self.assertIn(expected, run.outputs["3"]["text"][0])
                else:
                    self.assertIn(expected, run.error)


class PageTests(ServerTestCase):
    def get(self, path):
        with urllib.request.urlopen(URL + path, timeout=60) as answer:
            return answer.read().decode()

    def test_help_pages_templates_and_translations_are_served(self):
        folder = next(name for name in call(f"{URL}/extensions") if name.endswith("latentbridge.js")).rsplit("/", 1)[0]
        self.assertIn("# LatentBridge Compare", self.get(f"{folder}/docs/LatentBridgeCompare.md"))
        self.assertIn("preview_settings", call(f"{URL}/workflow_templates")[folder.rsplit("/", 1)[1]])
        for language, texts in call(f"{URL}/i18n").items():
            if language in ("zh", "fr"):
                self.assertIn("LatentBridge_decoder", texts["settings"])
                self.assertIn("LatentBridgeCompare", texts["nodeDefs"])


class FaultTests(ServerTestCase):
    def test_a_killed_host_is_replaced_and_the_run_goes_on(self):
        self.warm_up()
        victim = self.host()

        def seen(event, data):
            if event == "binary 4" and self.victim:
                os.kill(self.victim, signal.SIGKILL)
                self.victim = 0

        self.victim = victim
        run = self.page.run(probe("SD15", SHAPE, 60, 100), seen, preview_method="auto")
        self.assertEqual((run.ended, self.victim), ("execution_success", 0))
        until(lambda: self.run_probe().pictures and self.host() not in (0, victim), 60)

    def test_a_stopped_host_holds_up_nothing(self):
        self.warm_up()
        victim = self.host()
        os.kill(victim, signal.SIGSTOP)
        try:
            self.run_probe(steps=50, milliseconds=20)
        finally:
            try:
                os.kill(victim, signal.SIGCONT)
            except ProcessLookupError:
                pass
        until(lambda: self.run_probe().pictures, 60)

    def test_an_interrupt_ends_the_run_and_the_next_one_shows(self):
        self.warm_up()

        def seen(event, data):
            if event == "binary 4":
                call(f"{URL}/interrupt", {})

        run = self.page.run(probe("SD15", SHAPE, 100, 50), seen, preview_method="auto")
        self.assertEqual(run.ended, "execution_interrupted")
        self.assertTrue(self.run_probe().pictures)

    def test_many_prompts_with_the_host_killed_at_random_steps_all_end_well_and_with_the_same_bits(self):
        generator = random.Random(5)
        cases = [(form, f"1,{channels},{generator.randrange(8, 80)},{generator.randrange(8, 80)}", generator.randrange(1, 8), seed)
                 for seed, (form, channels) in enumerate([("SD15", 4), ("SDXL", 4), ("Flux", 16), ("Flux2", 128)] * 4)]
        if self.page.run(probe("Flux2", "1,128,8,8", 1)).error is not None:  # a format newer than this ComfyUI
            cases = [case for case in cases if case[0] != "Flux2"]
        self.settings(enabled=False)
        expected = [self.digest(case) for case in cases]
        self.settings(enabled=True)
        kills, last = 0, -1
        for number in range(PROMPTS):
            with self.subTest(number):
                case = generator.choice([index for index in range(len(cases)) if index != last])  # the last one's result is cached
                last = case
                if number % 20 == 0:
                    self.settings(enabled=True)  # takes up work again should five kills in a row have ended it
                victim = self.host() if generator.random() < 0.5 else 0
                self.assertEqual(self.digest(cases[case], victim, generator.randrange(1, cases[case][2] + 1)), expected[case])
                kills += victim != 0
        self.assertGreater(kills, 0)

    def digest(self, case, victim=0, kill_at=0):
        """Of the final latent of a run, during which the host is killed as soon as step ``kill_at`` was reported."""
        form, shape, steps, seed = case
        graph = probe(form, shape, steps, 10)
        graph["1"]["inputs"]["seed"] = seed
        graph["2"] = {"class_type": "LatentBridgeDigest", "inputs": {"samples": ["1", 0]}}

        def seen(event, data):
            nonlocal victim
            if victim and event == "progress" and data["value"] >= min(kill_at, steps):
                try:
                    os.kill(victim, signal.SIGKILL)
                except ProcessLookupError:
                    pass
                victim = 0

        run = self.page.run(graph, seen, preview_method="auto")
        self.assertEqual((run.ended, run.error, victim), ("execution_success", None, 0))
        return run.outputs["2"]["sha256"][0]


class SamplerTests(ServerTestCase):
    def sample(self, on_message=None, kj_override=None):
        info = call(f"{URL}/object_info")
        if "LBTinySD15" not in info:
            self.skipTest("this ComfyUI has no model to sample with (the rig's LBTinySD15)")
        override = {"6": {"class_type": "ModelPreviewOverrideKJ", "inputs": {"model": ["1", 0], **kj_override}}} if kj_override else {}
        return self.page.run({
            **override,
            "1": {"class_type": "LBTinySD15", "inputs": {"channels": 32}},
            "2": {"class_type": "EmptyLatentImage", "inputs": {"width": 256, "height": 256, "batch_size": 1}},
            "3": {"class_type": "KSampler", "inputs": {
                "model": ["6" if override else "1", 0], "positive": ["1", 1], "negative": ["1", 1], "latent_image": ["2", 0],
                "seed": random.randrange(1 << 30) if kj_override is not None else 7, "steps": 8,
                "cfg": 1.0, "sampler_name": "euler_ancestral", "scheduler": "normal", "denoise": 1.0}},
            "4": {"class_type": "LatentBridgeDigest", "inputs": {"samples": ["3", 0]}},
            "5": {"class_type": "LatentBridgeProbe", "inputs": probe("SD15", SHAPE, 1)["1"]["inputs"]},
        }, on_message, preview_method="auto")

    def test_kjnodes_override_shows_its_own_picture_and_silences_ours_only_where_it_says_so(self):
        if "ModelPreviewOverrideKJ" not in call(f"{URL}/object_info"):
            self.skipTest("this ComfyUI has no KJNodes")
        self.warm_up()
        for silences in (True, False, None):  # None: the workflow without its node
            theirs = []
            override = {} if silences is None else {"max_resolution": 256, "jpeg_quality": 80, "suppress_default_preview": silences,
                                                    "preview_frames": 1, "preview_fps": 12}
            run = self.sample(lambda event, data, theirs=theirs: theirs.append(data) if event == "kj_preview_override" else None, override)
            with self.subTest(silences=silences):
                self.assertEqual(run.error, None)
                ours = [picture for _, metadata, picture in run.pictures if metadata["node_id"] == "3"]
                self.assertEqual((bool(theirs), bool(ours)), (silences is not None, silences is not True))

    def test_the_final_latent_is_the_same_bit_by_bit_on_off_and_with_the_host_killed(self):
        self.warm_up()
        digests = []
        for way in ("off", "on", "killed"):
            self.settings(enabled=way != "off")
            call(f"{URL}/free", {"free_memory": True})  # or ComfyUI would answer from its cache
            kill = [self.host()] if way == "killed" else []

            def seen(event, data, kill=kill):
                if event == "binary 4" and kill:
                    os.kill(kill.pop(), signal.SIGKILL)

            run = self.sample(seen)
            self.assertEqual(run.error, None)
            digests.append(run.outputs["4"]["sha256"][0])
        self.assertEqual(len(set(digests)), 1, digests)


def size(data):
    """Width and height of a PNG."""
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


if __name__ == "__main__":
    unittest.main()
