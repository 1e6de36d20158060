"""The live-preview method in a running A1111, Forge and Forge neo: ``LATENTBRIDGE_A1111``, ``LATENTBRIDGE_FORGE`` and ``LATENTBRIDGE_FORGE_NEO`` are their addresses.

    LATENTBRIDGE_A1111=http://127.0.0.1:7861 python -m unittest tests.test_a1111_real

The UI runs with ``--api`` on a machine of its own choice, this repository among its extensions, and any checkpoint. Run it once more for
``--medvram`` and ``--nowebui``. ``LATENTBRIDGE_PICTURES`` names a folder for the previews.
"""

import base64
import io
import json
import os
import signal
import threading
import unittest
import urllib.error
import urllib.request
import uuid
from pathlib import Path

from tests.bridges import until

try:
    from PIL import Image
except ImportError:
    Image = None


class UiTestCase(unittest.TestCase):
    variable = ""
    built_in = ("Approx cheap", "Approx NN", "TAESD")

    @classmethod
    def setUpClass(cls):
        cls.address = os.environ.get(cls.variable, "").rstrip("/")
        if not cls.address:
            raise unittest.SkipTest(f"{cls.variable} names no running UI")
        if Image is None:
            raise unittest.SkipTest("Pillow is not installed; it is needed to look at the pictures")
        cls.before = cls.call("/sdapi/v1/options")
        described = cls.call("/openapi.json")  # the page's way, where a job of the API can be given a name to ask for (not yet in 1.6)
        cls.has_page = "/internal/progress" in described["paths"] and "force_task_id" in json.dumps(described)

    @classmethod
    def tearDownClass(cls):
        names = ("show_progress_type", "show_progress_every_n_steps", "show_progress_grid", "live_previews_image_format",
                 "live_preview_fast_interrupt")
        cls.choose(latentbridge_decoder="auto", latentbridge_size=0, latentbridge_record=False, **{name: cls.before[name] for name in names})

    def setUp(self):
        self.choose(live_previews_enable=True, show_progress_type="LatentBridge", show_progress_every_n_steps=1, live_previews_image_format="png",
                    show_progress_grid=True, live_preview_fast_interrupt=False, latentbridge_decoder="auto", latentbridge_size=0)

    @classmethod
    def call(cls, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(cls.address + path, data, {"Content-Type": "application/json"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=600) as answer:
            return json.loads(answer.read() or b"null")

    @classmethod
    def choose(cls, **options):
        cls.call("/sdapi/v1/options", options)

    def status(self):
        return self.call("/latentbridge/status")

    def job(self, during=None, path="/sdapi/v1/txt2img", **more):
        """A job, polled as the page does: its previews as (media type, bytes), its pictures, and the UI's info."""
        task = more.setdefault("force_task_id", f"task({uuid.uuid4().hex[:15]})")
        body = {"prompt": "a lighthouse", "seed": 1, "steps": 8, "width": 128, "height": 128, "sampler_name": "Euler a", "cfg_scale": 7,
                "save_images": False, **more}
        result = {}

        def work():
            try:
                result.update(self.call(path, body))
            except urllib.error.HTTPError as error:
                result["error"] = error.read().decode(errors="replace")

        thread = threading.Thread(target=work)
        thread.start()
        previews, last = [], 0
        while thread.is_alive():
            if (found := self.poll(task, last)) is not None:
                last, media, data = found
                previews.append((media, data))
                if during is not None:
                    during(len(previews))
            thread.join(0.02)
        self.assertNotIn("error", result, result.get("error"))
        self.keep(previews)
        return previews, [self.open(base64.b64decode(image)) for image in result["images"]]

    def poll(self, task, last):
        if self.has_page:
            answer = self.call("/internal/progress", {"id_task": task, "id_live_preview": last, "live_preview": True})
            if not answer.get("live_preview"):
                return None
            media, _, data = answer["live_preview"].partition(";base64,")
            return answer["id_live_preview"], media.removeprefix("data:"), base64.b64decode(data)
        data = base64.b64decode(self.call("/sdapi/v1/progress").get("current_image") or b"")
        if not data or data == last:
            return None
        return data, Image.MIME[Image.open(io.BytesIO(data)).format], data

    def keep(self, previews):
        if folder := os.environ.get("LATENTBRIDGE_PICTURES"):
            test = Path(folder, self.variable.lower(), self._testMethodName)
            test.mkdir(parents=True, exist_ok=True)
            for number, (media, data) in enumerate(previews):
                (test / f"{number:03}.{media.partition('/')[2]}").write_bytes(data)

    def open(self, data):
        image = Image.open(io.BytesIO(data))
        image.load()
        return image

    def sizes(self, previews):
        return {self.open(data).size for _, data in previews}

    def pixels(self, images):
        return [image.convert("RGB").tobytes() for image in images]


class Method:
    def test_our_pictures_arrive_and_other_methods_still_work(self):
        before = self.status()["shown"]
        previews, pictures = self.job()
        self.assertGreaterEqual(len(previews), 2)
        self.assertEqual({media for media, _ in previews}, {"image/png"})
        self.assertGreater(self.status()["shown"], before)
        after = self.status()["submitted"]
        for method in self.built_in:
            with self.subTest(method):
                self.choose(show_progress_type=method)
                found, same = self.job()
                self.assertTrue(found)
                self.assertEqual(self.pixels(same), self.pixels(pictures))
        self.assertEqual(self.status()["submitted"], after)

    def test_pictures_are_identical_with_the_method_on_and_off(self):
        for sampler in ("Euler a", "DPM++ 2M", "Heun", "DDIM"):
            with self.subTest(sampler):
                _, on = self.job(sampler_name=sampler, batch_size=2)
                self.choose(live_previews_enable=False)
                try:
                    _, off = self.job(sampler_name=sampler, batch_size=2)
                finally:
                    self.choose(live_previews_enable=True)
                self.assertEqual(self.pixels(on), self.pixels(off))

    def test_each_image_format(self):
        for name in ("png", "jpeg", "webp"):
            with self.subTest(name):
                self.choose(live_previews_image_format=name)
                previews, _ = self.job()
                self.assertEqual({media for media, _ in previews}, {f"image/{name if self.has_page else 'png'}"})

    def test_a_chosen_decoder_and_size(self):
        for decoder, size in (("latent2rgb", 0), ("tiny", 0), ("estimated", 0), ("tiny", 320)):
            with self.subTest(f"{decoder} {size}"):
                self.choose(latentbridge_decoder=decoder, latentbridge_size=size)
                previews, _ = self.job(width=256, height=128)
                latest = self.status()["latest"]
                self.assertEqual(latest["decoder"], decoder)
                self.assertTrue(previews)
                if size:
                    self.assertEqual(latest["size"], [320, 160])

    def test_a_batch_is_a_grid_or_its_first_picture(self):
        self.choose(latentbridge_decoder="latent2rgb")
        for grid, size in ((True, (32, 32)), (False, (16, 16))):
            self.choose(show_progress_grid=grid)
            previews, pictures = self.job(batch_size=3)
            self.assertEqual(self.sizes(previews), {size})

    def test_hires_fix_shows_both_passes(self):
        self.choose(latentbridge_decoder="latent2rgb")
        previews, _ = self.job(enable_hr=True, hr_scale=1.5, denoising_strength=0.7, hr_upscaler="Latent", hr_additional_modules=["Use same choices"])
        self.assertEqual(self.sizes(previews), {(16, 16), (24, 24)})

    def test_hires_fix_shows_the_first_step_of_both_passes(self):
        self.choose(show_progress_every_n_steps=5)
        for upscaler, scale in (("Latent", 1.5), ("Latent", 1.0), ("Lanczos", 1.5)):
            with self.subTest(f"{upscaler} {scale}"):
                before = self.status()["submitted"]
                self.job(enable_hr=True, hr_scale=scale, denoising_strength=1.0, hr_upscaler=upscaler, hr_additional_modules=["Use same choices"])
                self.assertEqual(self.status()["submitted"] - before, 6)  # 0, 5, 7 of eight

    def test_the_api_lists_our_options(self):
        listed = self.call("/sdapi/v1/options")
        self.assertLessEqual({"latentbridge_decoder", "latentbridge_size", "latentbridge_record"}, set(listed))
        self.choose(latentbridge_size=320)
        self.assertEqual(self.call("/sdapi/v1/options")["latentbridge_size"], 320)

    def test_the_page_says_that_another_decoder_stands_in(self):
        if not self.has_page:
            self.skipTest("without its page the UI has no /internal/progress")
        task, said = f"task({uuid.uuid4().hex[:15]})", set()

        def look(_):
            said.add(self.call("/internal/progress", {"id_task": task, "live_preview": False})["textinfo"])

        self.choose(latentbridge_decoder="no-such-decoder")
        self.job(look, force_task_id=task, steps=20)
        self.assertTrue([text for text in said if text and text.startswith("LatentBridge: ") and "no-such-decoder" in text], said)

    def test_several_batches(self):
        previews, pictures = self.job(n_iter=3, steps=4)
        self.assertGreaterEqual(len(previews), 3)
        self.assertGreaterEqual(len(pictures), 3)

    def test_img2img_and_inpainting(self):
        file = io.BytesIO()
        Image.radial_gradient("L").resize((128, 128)).convert("RGB").save(file, "PNG")
        image = base64.b64encode(file.getvalue()).decode()
        for more in ({}, {"mask": image, "inpainting_fill": 1}):
            with self.subTest(sorted(more)):
                previews, pictures = self.job(path="/sdapi/v1/img2img", init_images=[image], denoising_strength=0.8, steps=30, **more)
                self.assertTrue(previews)
                self.assertTrue(pictures)

    def test_only_after_each_batch(self):
        self.choose(show_progress_every_n_steps=-1)
        before = self.status()["submitted"]
        self.job(n_iter=2, steps=6)
        self.assertEqual(self.status()["submitted"] - before, 2)

    def test_every_third_step_with_the_first_and_the_last(self):
        self.choose(show_progress_every_n_steps=3)
        before = self.status()["submitted"]
        self.job(steps=9)
        self.assertEqual(self.status()["submitted"] - before, 4)  # 0, 3, 6, 8

    def test_interrupt_and_fast_interrupt(self):
        def interrupt(count):
            if count == 2:
                self.call("/sdapi/v1/interrupt", {})

        for fast in (False, True):
            with self.subTest(fast=fast):
                self.choose(live_preview_fast_interrupt=fast)
                _, pictures = self.job(interrupt, steps=60)
                self.assertEqual(len(pictures), 1)
                self.assertEqual(pictures[0].size, (128, 128))
        self.assertTrue(self.job()[0])

    def test_a_fast_interrupts_picture_is_that_of_the_previews(self):
        def interrupt(count):
            if count == 3:
                self.call("/sdapi/v1/interrupt", {})

        self.choose(live_preview_fast_interrupt=True)
        for decoder in ("tiny", "latent2rgb"):
            with self.subTest(decoder):
                self.choose(latentbridge_decoder=decoder)
                _, pictures = self.job(interrupt, steps=60, batch_size=2)
                self.assertEqual([picture.size for picture in pictures[-2:]], [(128, 128)] * 2)
                self.keep([("image/png", self.png(picture)) for picture in pictures])

    def test_skip(self):
        def skip(count):
            if count == 2:
                self.call("/sdapi/v1/skip", {})

        _, pictures = self.job(skip, steps=30, n_iter=2)
        self.assertTrue(pictures)

    def test_a_host_killed_in_the_middle_costs_nothing(self):
        self.job(steps=2)
        hosts = self.status()["hosts"]

        def kill(count):
            if count == 2:
                os.kill(self.status()["process"], signal.SIGKILL)

        previews, pictures = self.job(kill, steps=40)
        self.assertGreater(len(previews), 3)
        until(lambda: self.status()["process"])
        self.assertEqual(self.status()["hosts"], hosts + 1)
        self.assertIsNone(self.status()["off"])
        _, same = self.job(steps=40)
        self.assertEqual(self.pixels(same), self.pixels(pictures))

    def test_the_chosen_decoder_is_back_after_a_kill(self):
        seen = []

        def kill(count):
            status = self.status()
            seen.append(status["latest"]["decoder"])
            if count == 4:
                os.kill(status["process"], signal.SIGKILL)

        self.choose(latentbridge_decoder="tiny")
        self.job(steps=2)
        for _ in range(5):
            seen.clear()
            self.job(kill, steps=25, width=256, height=256)
            self.assertEqual(seen[-3:], ["tiny"] * 3, seen)

    def test_the_progress_of_the_api_gives_our_picture(self):
        seen = []

        def look(_):
            seen.append(self.call("/sdapi/v1/progress")["current_image"])

        self.choose(latentbridge_decoder="latent2rgb")
        self.job(look)
        sizes = {self.open(base64.b64decode(image)).size for image in seen if image}
        self.assertEqual(sizes, {(16, 16)})

    def test_several_browsers_get_the_same_picture(self):
        if not self.has_page:
            self.skipTest("without its page the UI has no /internal/progress")
        task, others = f"task({uuid.uuid4().hex[:15]})", []

        def look(_):
            others.append([self.poll(task, 0) for _ in range(3)])

        previews, _ = self.job(look, force_task_id=task, steps=20)
        found = [poll for polls in others for poll in polls if poll is not None]
        self.assertGreater(len(found), len(previews))
        pictures = {}
        for number, _, data in found:
            self.assertEqual(pictures.setdefault(number, data), data)

    def test_a_hundred_jobs(self):
        hosts = self.status()["hosts"]
        for number in range(100):
            self.job(steps=2, width=64, height=64, seed=number)
        status = self.status()
        self.assertIsNone(status["off"])
        self.assertEqual(status["hosts"], max(1, hosts))

    def test_corrections_change_the_picture_and_only_where_they_are_switched_on(self):
        if not any("corrections" in name for name in self.call("/sdapi/v1/scripts")["txt2img"]):
            self.skipTest("the setting latentbridge_corrections is off, or was not on when the UI was loaded")
        _, (plain, *_) = self.job()
        for arguments, same in (([], True), ([False], True), ([True], False), ([], True)):
            with self.subTest(arguments):
                more = {"LatentBridge: corrections": {"args": arguments}} if arguments else {}
                _, (picture, *_) = self.job(alwayson_scripts=more)
                self.assertEqual(self.pixels([picture]) == self.pixels([plain]), same)

    def test_a_recorded_run_changes_no_picture(self):
        _, off = self.job()
        self.choose(latentbridge_record=True)
        try:
            _, on = self.job()
        finally:
            self.choose(latentbridge_record=False)
        self.assertEqual(self.pixels(on), self.pixels(off))

    def test_the_compare_script_adds_its_sheet(self):
        for decoder in ("latent2rgb", "taesd"):
            with self.subTest(decoder):
                _, pictures = self.job(script_name="LatentBridge: compare", script_args=[decoder, 32])
                sheet = pictures[-1]
                self.assertEqual(sheet.width, 3 * sheet.height)
                third = sheet.width // 3
                csharp, python, difference = (sheet.convert("RGB").crop((i * third, 0, (i + 1) * third, third)) for i in range(3))
                self.assertLessEqual(max(high for _, high in difference.getextrema()), 64)  # amplified by 32: two levels
                self.assertNotEqual(csharp.getextrema(), ((0, 0),) * 3)
                self.keep([("image/png", self.png(sheet))])

    def png(self, image):
        file = io.BytesIO()
        image.save(file, "PNG")
        return file.getvalue()


class InA1111(Method, UiTestCase):
    variable = "LATENTBRIDGE_A1111"


class InForge(Method, UiTestCase):
    variable = "LATENTBRIDGE_FORGE"


class InForgeNeo(Method, UiTestCase):
    variable = "LATENTBRIDGE_FORGE_NEO"
    built_in = ("RGB", "Approx NN", "TAESD")


if __name__ == "__main__":
    unittest.main()
