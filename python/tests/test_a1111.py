"""The live-preview method in fakes of A1111, Forge and reForge, over a fake host."""

import importlib
import io
import json
import math
import os
import shutil
import signal
import sys
import tempfile
import threading
import types
import unittest
import unittest.mock
from pathlib import Path

from latentbridge import Bridge, host_locator
from latentbridge.integrations.last_resort import LastResort
from tests.bridges import QUICK, real_host, until

try:
    import numpy
    from PIL import Image, features

    from tests.fakes import a1111 as fakes
    MISSING = None
except ImportError as error:
    fakes, MISSING = None, f"{error}; the UIs always have it"

HOST = Path(__file__).parent / "fakes" / "a1111_host.py"


def batch(*reds, side=8):
    """A batch whose pictures have these reds."""
    found = numpy.zeros((len(reds), 4, side, side), numpy.float32)
    found[:, 0, 0, 0] = reds
    return found


class UiTestCase(unittest.TestCase):
    kind = "a1111"

    def setUp(self):
        if MISSING:
            self.skipTest(MISSING)
        self.ui = fakes.FakeUi(self.kind)
        context = self.ui.running()
        context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        self.a1111 = importlib.import_module("latentbridge.integrations.a1111")
        self.addCleanup(self.a1111.uninstall)
        looks = unittest.mock.patch("latentbridge.integrations.settings.DecoderList.look")
        looks.start()
        self.addCleanup(looks.stop)
        self.has_last_resort(False)

    def has_last_resort(self, is_there):
        """Whether Python could make previews, whatever else this process has imported."""
        there = unittest.mock.patch.object(LastResort, "is_there", is_there)
        there.start()
        self.addCleanup(there.stop)

    def load(self, *quirks, method="LatentBridge", looks=True, **options):
        """Installs the extension as the UI's script does, and chooses the method; somebody looks."""
        self.assertTrue(self.a1111.install(**{"host": [sys.executable, "-S", str(HOST), *quirks], **QUICK, **options}))
        self.extension = self.a1111._extension
        self.ui.opts.set(show_progress_type=method)
        if looks:
            self.ui.poll()
        return self.extension

    def job(self, latents, steps=None, name="task(1)", waits=True):
        """A job of one sampling, polled after each step (until its picture is there): the pictures' (size, red)."""
        self.ui.state.begin(name)
        self.ui.state.job_count = 1
        seen, last = [], 0
        for _ in self.ui.sample(latents, steps):
            if waits or self.ui.poll(last):
                last, image = self.next(last)
                seen.append((image.size, image.getpixel((0, 0))[0]))
        self.ui.state.nextjob()
        self.ui.state.end()
        return seen

    def go_off(self):
        """One host is tried, and dies; only a new job tries another."""
        self.load("die-at-start", back_off=1000.0, attempts=1)
        self.job([batch(10)] * 4, waits=False)
        until(lambda: self.extension.bridge.off_reason)

    def next(self, last=0, media="image/png"):
        number, found, data = until(lambda: self.ui.poll(last))
        self.assertEqual(found, media)
        return number, Image.open(io.BytesIO(data)).convert("RGB")


class Method:
    def test_the_method_is_offered_once_under_the_number_of_the_one_that_stands_in(self):
        for _ in range(3):
            self.load()
        choices = self.ui.opts.data_labels["show_progress_type"].component_args["choices"]
        self.assertEqual(choices.count("LatentBridge"), 1)
        self.assertEqual(self.ui.samplers.approximation_indexes["LatentBridge"], 2)

    def test_each_step_is_shown_and_the_ui_decodes_nothing(self):
        self.load()
        self.extension.bridge.start(20)
        self.assertEqual(self.job([batch(10 * step) for step in range(1, 9)]), [((8, 8), 10 * step) for step in range(1, 9)])
        self.assertEqual(self.ui.decodes, [])

    def test_other_methods_are_left_alone(self):
        self.load(method="Approx NN")
        seen = self.job([batch(10)] * 4, waits=False)
        self.assertEqual([red for _, red in seen], [0, 0])
        self.assertEqual(set(self.ui.decodes), {1})
        self.assertEqual(self.extension.bridge.status()["submitted"], 0)
        self.assertEqual(self.extension.bridge.host_pid, 0)

    def test_the_request_gets_the_hosts_own_bytes(self):
        self.load()
        self.ui.state.begin()
        for _ in self.ui.sample([batch(10)]):
            data = until(lambda: self.ui.poll(0))[2]
        self.assertEqual(data, self.extension.latest.data)

    def test_previews_switched_off_are_off(self):
        self.load()
        self.ui.opts.set(live_previews_enable=False)
        self.ui.state.begin()
        for _ in self.ui.sample([batch(10)] * 3):
            self.assertIsNone(self.ui.poll())
        self.assertEqual(self.extension.bridge.status()["submitted"], 0)

    def test_under_lowvram_nothing_is_decoded_in_the_sampler(self):
        self.load()
        self.extension.bridge.start(20)
        self.ui.modules["shared"].parallel_processing_allowed = False
        self.assertEqual([red for _, red in self.job([batch(10 * step) for step in range(6)])], [0, 10, 20, 30, 40, 50])
        self.assertEqual(self.ui.decodes, [])

    def test_the_section_of_settings_is_there_and_its_values_go_to_the_host(self):
        self.load()
        labels = {name: option.section for name, option in self.ui.opts.data_labels.items() if name.startswith("latentbridge_")}
        self.assertIn("latentbridge_decoder", labels)
        self.assertEqual(set(labels.values()), {("latentbridge", "LatentBridge")})
        self.ui.opts.set(latentbridge_decoder="taesd", latentbridge_size=512.0, latentbridge_threads=3)
        self.job([batch(1)])
        begun = self.extension.bridge.status(20)["host"]["begun"][-1]
        self.assertEqual((begun["decoder"], begun["size"], begun["threads"], begun["format"]), ("taesd", 512, 3, "SD15"))

    def test_nonsense_in_the_settings_file_means_the_default(self):
        self.load()
        self.ui.opts.set(latentbridge_decoder=7, latentbridge_size="big", latentbridge_threads=-5, latentbridge_batch=None,
                         latentbridge_every_milliseconds=[])
        self.assertEqual(len(self.job([batch(1), batch(2)])), 2)
        self.assertEqual(self.extension.bridge.status(20)["host"]["begun"][-1]["decoder"], "auto")


class Steps(UiTestCase):
    def test_every_n_steps_with_the_first_and_the_last(self):
        self.load()
        self.extension.bridge.start(20)
        self.ui.opts.set(show_progress_every_n_steps=4)
        self.ui.state.begin()
        shown = []
        for step in self.ui.sample([batch(step) for step in range(11)]):
            before = len(shown)
            if step in (0, 4, 8, 10):
                until(lambda: self.ui.state.id_live_preview > before)
                shown.append(step)
            self.assertEqual(self.ui.state.id_live_preview, len(shown), step)

    def test_the_last_picture_has_a_steps_time_as_those_before_it(self):
        self.load()
        self.extension.bridge.start(20)
        self.job([batch(10 * step) for step in range(1, 5)])
        latest = self.extension.latest
        self.assertEqual((latest.step, latest.total, latest.is_last_step), (3, 5, False))  # the fifth is the VAE's

    def test_minus_one_shows_each_batch_when_it_is_done(self):
        self.load()
        self.extension.bridge.start(20)
        self.ui.opts.set(show_progress_every_n_steps=-1)
        self.ui.state.begin()
        self.ui.state.job_count = 3
        for number in range(3):
            for _ in self.ui.sample([batch(number * 10 + step) for step in range(4)]):
                self.assertEqual(self.ui.state.id_live_preview, number)
            self.ui.state.nextjob()
            until(lambda: self.ui.state.id_live_preview == number + 1)
            self.assertEqual(self.ui.state.current_image.getpixel((0, 0))[0], number * 10 + 3)
        self.assertEqual(self.ui.decodes, [])

    def test_zero_means_every_step(self):
        self.load()
        self.ui.opts.set(show_progress_every_n_steps=0)
        self.assertEqual(len(self.job([batch(step) for step in range(5)])), 5)

    def test_a_pause_between_pictures_spares_the_steps_between_first_and_last(self):
        self.load()
        self.ui.opts.set(latentbridge_every_milliseconds=5000)
        self.ui.state.begin()
        for _ in self.ui.sample([batch(step) for step in range(9)]):
            pass
        until(lambda: self.extension.bridge.status()["submitted"] == 2)

    def test_a_sampler_that_calls_twice_a_step_or_runs_past_the_total_is_followed(self):
        self.load()
        self.assertEqual(len(self.job([batch(step) for step in range(14)], steps=6)), 14)


class Batches(UiTestCase):
    def picture(self, *reds, **settings):
        self.load()
        self.ui.opts.set(**settings)
        (size, _), = self.job([batch(*reds)])
        image = self.ui.state.current_image.convert("RGB")
        return size, [image.getpixel((x, y))[0] for y in range(0, size[1], 8) for x in range(0, size[0], 8)]

    def test_a_grid_as_the_ui_arranges_it(self):
        for count, size in ((1, (8, 8)), (2, (16, 8)), (3, (16, 16)), (5, (24, 16)), (6, (24, 16)), (8, (24, 24))):
            with self.subTest(count):
                reds = range(1, count + 1)
                found, pixels = self.picture(*reds)
                self.assertEqual((found, [red for red in pixels if red]), (size, list(reds)))

    def test_the_settings_of_grids_hold(self):
        for settings, count, size in (({"n_rows": 1}, 4, (32, 8)), ({"n_rows": 0}, 3, (24, 8)), ({"n_rows": 4}, 4, (8, 32)),
                                      ({"grid_prevent_empty_spots": True, "n_rows": -1}, 8, (32, 16))):
            with self.subTest(settings):
                reds = range(1, count + 1)
                self.assertEqual(self.picture(*reds, **settings), (size, list(reds)))

    def test_without_a_grid_the_first_picture(self):
        self.assertEqual(self.picture(7, 8, 9, show_progress_grid=False), ((8, 8), [7]))

    def test_first_and_turn_by_our_own_setting(self):
        self.assertEqual(self.picture(7, 8, latentbridge_batch="first"), ((8, 8), [7]))
        self.ui.opts.set(latentbridge_batch="turn")
        self.assertEqual([red for _, red in self.job([batch(1, 2, 3)] * 5)], [1, 2, 3, 1, 2])


class Formats(UiTestCase):
    def test_each_image_format_has_its_media_type(self):
        self.load()
        for format in ("png", "jpeg", "webp"):
            if format == "webp" and not features.check("webp"):
                continue
            with self.subTest(format):
                self.ui.opts.set(live_previews_image_format=format)
                self.ui.state.begin()
                for _ in self.ui.sample([batch(100)]):
                    _, image = self.next(media=f"image/{format}")
                self.assertEqual(image.size, (8, 8))
                self.assertAlmostEqual(image.getpixel((4, 4))[0], 100, delta=4)
                self.ui.state.end()

    def test_a_request_in_another_format_is_served_too(self):
        self.load()
        self.job([batch(100)])
        for format in ("PNG", "JPEG", "BMP"):
            file = io.BytesIO()
            self.ui.state.current_image.save(file, format=format)
            self.assertEqual(Image.open(file).format, format)
        self.assertEqual((self.ui.state.current_image.mode, self.ui.state.current_image.info), ("RGB", {}))

    def test_the_format_id_follows_the_checkpoint(self):
        ui = importlib.import_module("latentbridge.integrations.a1111.ui").Ui()

        class Flux:
            pass

        marks = dict.fromkeys(("is_sd1", "is_sd2", "is_sdxl", "is_sd3"), False)
        for model, expected in (({"is_sd1": True}, "SD15"), ({"is_sd2": True}, "SD15"), ({"is_sdxl": True}, "SDXL"), ({"is_sd3": True}, "SD3"),
                                ({**marks, "model_config": types.SimpleNamespace(latent_format=Flux())}, "Flux"), (marks, None), ({}, None)):
            self.ui.modules["shared"].sd_model = types.SimpleNamespace(**model)
            self.assertEqual(ui.latent_format(), expected)

    def test_format_ids_are_those_of_the_catalogue(self):
        folder = host_locator.ROOT / "models" / "formats"
        for latent_format in ("SD15", "SDXL", "SD3", "Flux"):
            self.assertEqual(json.loads((folder / f"{latent_format}.json").read_text(encoding="utf-8"))["id"], latent_format)


class Jobs(UiTestCase):
    def test_a_second_sampling_in_a_job_shows_its_first_step_though_nothing_but_the_steps_number_tells_it(self):
        self.load()
        self.extension.bridge.start(20)
        self.ui.opts.set(show_progress_every_n_steps=5)
        self.ui.state.begin()
        last, shown = 0, []
        for number in range(2):
            for step in self.ui.sample([batch(100 * number + step) for step in range(8)]):
                if step in (0, 5, 7):
                    last, image = self.next(last)
                    shown.append(image.getpixel((0, 0))[0])
        self.assertEqual(shown, [0, 5, 7, 100, 105, 107])
        self.assertEqual(len(self.extension.bridge.status(20)["host"]["begun"]), 2)

    def test_a_look_between_two_batches_costs_the_second_no_first_step(self):
        self.load()
        self.extension.bridge.start(20)
        self.ui.opts.set(show_progress_every_n_steps=5)
        self.ui.state.begin()
        for number in range(2):
            for step in self.ui.sample([batch(100 * number + step) for step in range(8)]):
                if number == 1 and step == 0:
                    until(lambda: self.ui.state.current_image is not None and self.ui.state.current_image.getpixel((0, 0))[0] == 100)
            self.ui.state.nextjob()
            self.extension._looked_at = -math.inf  # nobody did for a minute; now somebody does, and the newest latent is the first batch's
            self.ui.poll()

    def test_hires_fix_shows_both_sizes_and_a_new_checkpoint_its_format(self):
        self.load()
        self.ui.state.begin()
        self.ui.state.job_count = 2
        last, sizes = 0, []
        for side in (8, 12):
            for _ in self.ui.sample([batch(side, side=side)] * 2):
                last, image = self.next(last)
                sizes.append(image.size)
            self.ui.modules["shared"].sd_model = types.SimpleNamespace(is_sdxl=True)
            self.ui.state.nextjob()
        self.assertEqual(sizes, [(8, 8), (8, 8), (12, 12), (12, 12)])
        self.assertEqual([begun["format"] for begun in self.extension.bridge.status(20)["host"]["begun"]], ["SD15", "SDXL"])

    def test_a_late_picture_of_the_last_job_is_not_shown(self):
        self.load("slow=300")
        self.extension.bridge.start(20)
        self.ui.state.begin()
        next(self.ui.sample([batch(99)]))
        self.ui.state.end()
        self.ui.state.begin()
        seen = self.job([batch(5)])
        self.assertEqual(seen, [((8, 8), 5)])

    def test_a_picture_that_comes_while_a_job_begins_waits_for_the_lock_and_is_dropped(self):
        self.load()
        self.ui.state.begin()
        for _ in self.ui.sample([batch(99)]):
            self.next()
        preview = self.extension.latest
        with self.extension._lock:
            thread = threading.Thread(target=self.extension._publish, args=(preview,))
            thread.start()
            self.extension._job += 1
        thread.join()
        self.assertEqual(self.ui.state.id_live_preview, 1)

    def test_interrupted_jobs_and_the_next_one(self):
        self.load()
        for number in range(5):
            self.ui.state.begin()
            sampling = self.ui.sample([batch(number)] * 10)
            for _ in range(number):
                next(sampling)
            self.ui.state.interrupted = True
            self.ui.state.end()
        self.assertEqual(self.job([batch(50)] * 2), [((8, 8), 50)] * 2)

    def test_a_hundred_jobs(self):
        self.load()
        for number in range(100):
            self.assertEqual(self.job([batch(number)], name=f"task({number})"), [((8, 8), number)])
        self.assertEqual(self.extension.bridge.status()["hosts"], 1)


class Watched(UiTestCase):
    def test_nothing_is_sent_while_nobody_looks_and_the_first_to_look_sees_the_newest(self):
        self.load(looks=False)
        self.extension.bridge.start(20)
        self.ui.state.begin()
        for step in self.ui.sample([batch(10 * step) for step in range(8)]):
            if step < 4:
                self.assertEqual(self.extension.bridge.status()["submitted"], 0)
            else:
                last, image = self.next(0 if step == 4 else last)
                self.assertEqual(image.getpixel((0, 0))[0], 10 * step)
        self.assertEqual(self.extension.bridge.status()["submitted"], 4)
        self.assertEqual(self.ui.decodes, [])

    def test_a_minute_after_the_last_look_no_more_is_sent(self):
        self.load()
        self.ui.state.begin()
        sampling = self.ui.sample([batch(10 * step) for step in range(8)])
        for _ in range(3):
            next(sampling)
        self.extension._looked_at -= self.a1111.extension.WATCHED
        for _ in range(3):
            next(sampling)
        self.assertEqual(self.extension.bridge.status()["submitted"], 3)
        until(lambda: self.ui.poll() and self.ui.state.current_image.getpixel((0, 0))[0] == 50)

    def test_only_the_first_of_many_that_look_at_once_sends(self):
        self.load(looks=False)
        self.extension.bridge.start(20)
        self.ui.state.begin()
        next(self.ui.sample([batch(10)] * 4))
        for thread in (threads := [threading.Thread(target=self.ui.poll) for _ in range(16)]):
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.extension.bridge.status()["submitted"], 1)

    def test_with_minus_one_a_look_within_a_batch_sends_nothing(self):
        self.load(looks=False)
        self.extension.bridge.start(20)
        self.ui.opts.set(show_progress_every_n_steps=-1)
        self.ui.state.begin()
        for _ in self.ui.sample([batch(10)] * 4):
            self.ui.poll()
        self.assertEqual(self.extension.bridge.status()["submitted"], 0)
        self.ui.state.nextjob()
        self.assertEqual(self.extension.bridge.status()["submitted"], 1)


class FastInterrupt(UiTestCase):
    """"Return image with chosen live preview method on interrupt": never less than the previews were."""

    kind = "forge"

    def setUp(self):
        super().setUp()
        try:
            import torch
        except ImportError as error:
            self.skipTest(str(error))
        self.torch = torch
        self.ui.opts.set(live_preview_fast_interrupt=True)
        self.fake = self.ui.modules["processing"]

    def final(self, method=0):
        """What the UI makes of two latents after an interrupt."""
        self.ui.state.begin()
        sampling = self.ui.sample([batch(50)] * 9)
        next(sampling)
        self.next()
        self.ui.state.interrupted = True
        return self.ui.samplers.samples_to_images_tensor(self.torch.full((2, 4, 8, 8), 100.0), method)

    def test_a_decoder_that_gives_the_whole_size_makes_it(self):
        self.fake.opt_f = 1  # the fake host gives a pixel for a cell
        self.load()
        pictures = self.final()
        self.assertEqual((tuple(pictures.shape), pictures.dtype), ((2, 3, 8, 8), self.torch.float32))
        self.assertAlmostEqual(pictures[1, 0, 0, 0].item(), 100 / 127.5 - 1, places=5)
        self.assertEqual(pictures[1, 1].unique().tolist(), [-1.0])

    def test_else_the_vae_does_or_the_method_for_final_pictures(self):
        self.load()
        for method, found in ((0, fakes.VAE), (3, 3)):
            self.assertIs(self.final(method), found)
        self.assertEqual(self.ui.samplers.approximation_indexes["LatentBridge"], 2)

    def test_a_broken_latent_is_left_to_the_ui(self):
        self.fake.opt_f = 1
        self.load()
        self.final()
        broken = self.torch.zeros(1, 4, 8, 8)
        broken[0, 2, 3, 3] = float("nan")
        self.assertIs(self.ui.samplers.samples_to_images_tensor(broken, 0), fakes.VAE)

    def test_without_a_host_the_vae_does(self):
        self.fake.opt_f = 1
        self.load()
        self.final()
        self.extension.bridge.close()
        self.assertIs(self.ui.samplers.samples_to_images_tensor(self.torch.zeros(1, 4, 8, 8), 0), fakes.VAE)

    def test_nothing_else_is_touched(self):
        self.load()
        make = self.ui.samplers.samples_to_images_tensor
        self.ui.state.begin()
        self.assertEqual((make([1]), make([1], 0), make([1], 1)), (2, fakes.VAE, 1))
        self.ui.state.interrupted = True
        self.ui.opts.set(live_preview_fast_interrupt=False)
        self.assertEqual((make([1]), make([1], 0), make([1], 1)), (2, fakes.VAE, 1))
        self.ui.opts.set(live_preview_fast_interrupt=True, show_progress_type="TAESD")
        self.assertEqual(make([1], 0), 3)
        self.assertEqual(self.extension.bridge.host_pid, 0)


class Words(UiTestCase):
    """What the page says."""

    def line(self):
        return self.ui.opts.latentbridge_status

    def start_page(self):
        for callback in self.ui.callbacks["app_started"]:
            callback(None, unittest.mock.Mock())

    def test_beside_the_progress_bar_why_it_is_off_and_what_shows_instead(self):
        with self.assertLogs("latentbridge", "WARNING"):
            self.go_off()
        self.ui.state.begin()
        until(lambda: self.ui.poll() or self.ui.state.textinfo)
        self.assertRegex(self.ui.state.textinfo, "^LatentBridge is off, Approx cheap shows the previews: [^\\n]+$")
        self.start_page()
        until(lambda: self.line().startswith("LatentBridge is off: "))  # the job above tries a host first

    def test_beside_the_progress_bar_that_a_latent_is_broken_until_one_is_not(self):
        self.load("warn=2")
        self.ui.state.begin()
        said = []
        for _ in self.ui.sample([batch(10)] * 3):
            before = self.ui.state.id_live_preview
            until(lambda: self.ui.poll() and self.ui.state.id_live_preview > before)
            self.ui.poll()
            said.append(self.ui.state.textinfo)
        self.assertEqual(said, ["LatentBridge: 7 values were NaN or infinite"] * 2 + [None])

    def test_a_run_that_goes_wrong_is_interrupted_where_the_settings_say_so(self):
        for is_wanted, alarm, stopped in ((False, "flat", 0), (True, "flat", 1), (True, "of-a-newer-host", 0)):
            with self.subTest(is_wanted=is_wanted, alarm=alarm):
                self.load("warn=1", f"alarm={alarm}")
                self.ui.opts.data["latentbridge_interrupt"] = is_wanted
                self.ui.state.begin()
                interrupts = []
                with unittest.mock.patch.object(self.ui.state, "interrupt", lambda: interrupts.append(self.ui.state.sampling_step)), \
                        unittest.mock.patch("latentbridge.integrations.a1111.extension.log") as log:
                    for _ in self.ui.sample([batch(10)] * 4):
                        before = self.ui.state.id_live_preview
                        until(lambda: self.ui.poll() and self.ui.state.id_live_preview > before)
                self.assertEqual(len(interrupts), stopped)
                self.assertEqual([call.args[2] for call in log.warning.call_args_list if "interrupted at" in call.args[0]], ["the picture is one flat colour"] * stopped)

    def test_beside_the_progress_bar_why_another_decoder_stands_in(self):
        for quirks, text in ((("note=taesd is being loaded",), "LatentBridge: fake (taesd is being loaded)"), ((), None)):
            self.load(*quirks)
            self.ui.state.begin()
            for _ in self.ui.sample([batch(10)]):
                self.next()
                self.ui.poll()
            self.assertEqual(self.ui.state.textinfo, text)

    def test_what_the_ui_says_there_stays(self):
        self.load("warn")
        self.ui.state.begin()
        self.ui.state.textinfo = "Finishing profile..."
        for _ in self.ui.sample([batch(10)]):
            self.next()
            self.ui.poll()
        self.assertEqual(self.ui.state.textinfo, "Finishing profile...")

    @unittest.mock.patch("latentbridge.host_locator.find", return_value=["a host"])
    def test_the_settings_page_says_how_it_stands_each_time_that_it_is_loaded(self, _):
        self.load(method="TAESD")
        first = next(name for name in self.ui.opts.data_labels if name.startswith("latentbridge_"))
        self.assertEqual(first, "latentbridge_status")
        self.assertEqual(self.line(), "")
        self.start_page()
        self.assertIn("once it is chosen", self.line())
        self.ui.opts.set(show_progress_type="LatentBridge")
        self.assertEqual(self.line(), "LatentBridge is on.")
        self.job([batch(1)])
        self.assertEqual(self.line(), "LatentBridge is on. The last preview: fake, 8 x 8, 1 ms.")
        self.assertNotIn("latentbridge_status", self.ui.opts.data)

    def test_the_settings_page_says_that_there_is_no_host_before_one_is_needed(self):
        self.load(method="TAESD")
        self.start_page()
        with unittest.mock.patch("latentbridge.host_locator.find", return_value=None), \
                unittest.mock.patch("latentbridge.inprocess.problem", return_value="no"):
            self.assertIn("LatentBridge is off: no host was found; ", self.line())

    def test_the_settings_page_names_what_the_ui_lacks(self):
        with unittest.mock.patch.object(self.ui.modules["sd_samplers_common"], "store_latent", None), self.assertLogs("latentbridge", "WARNING") as logs:
            self.assertFalse(self.a1111.install())
        self.assertIn("It needs modules.sd_samplers_common.store_latent, which this UI does not have.", logs.output[0])
        self.assertIn("It needs modules.sd_samplers_common.store_latent", self.line())


class ListOfOptions(UiTestCase):
    kind = "forge"

    def test_the_api_lists_ours_though_its_list_was_made_before_we_came(self):
        models = self.ui.modules["api.models"]
        self.load()
        listed = models.OptionsModel
        self.assertLessEqual({f"latentbridge_{name}" for name in ("decoder", "size", "record", "calibrate")}, set(listed.__fields__))
        self.assertIn("show_progress_type", listed.__fields__)
        self.load()
        self.assertIs(models.OptionsModel, listed)


class Neo(UiTestCase):
    kind = "neo"

    def test_the_page_gets_the_bytes_that_lie_there_in_each_format(self):
        self.load()
        for format in ("png", "jpeg"):
            self.ui.opts.set(live_previews_image_format=format)
            self.ui.state.begin()
            for _ in self.ui.sample([batch(100)]):
                data = until(lambda: self.ui.poll(0))[2]
            self.assertEqual(data, self.ui.state.current_image.data)

    def test_choices_that_are_made_when_asked_for_get_ours_too(self):
        info = self.ui.opts.data_labels["show_progress_type"]
        choices = info.component_args["choices"]
        info.component_args = lambda: {"choices": choices}
        for _ in range(2):
            self.load()
            self.assertEqual(info.component_args()["choices"], [*choices, "LatentBridge"])


class Faults(UiTestCase):
    def test_a_host_that_is_killed_is_stood_in_for_and_comes_back(self):
        self.load(back_off=0.3)
        self.ui.state.begin()
        sampling = self.ui.sample([batch(10 * step) for step in range(20)])
        for _ in range(4):
            next(sampling)
        self.assertEqual(self.wait_for_red(30), [])
        killed = self.extension.bridge.host_pid
        os.kill(killed, signal.SIGKILL)
        os.kill(until(lambda: {0, killed}.isdisjoint({self.extension.bridge.host_pid}) and self.extension.bridge.host_pid), signal.SIGKILL)
        until(lambda: self.extension.bridge.host_pid == 0)  # the first one comes back at once, the second one later
        next(sampling)
        self.ui.state.set_current_image()
        self.assertEqual(self.ui.decodes, [2])
        until(lambda: self.extension.bridge.host_pid)
        for step in sampling:
            self.wait_for_red(10 * step)
        self.assertEqual(self.extension.bridge.status()["hosts"], 3)

    def wait_for_red(self, red):
        """Waits for our picture with this red; what the UI has decoded itself by then."""
        until(lambda: self.ui.state.current_image is not None and self.ui.state.current_image.getpixel((0, 0))[0] == red)
        return self.ui.decodes

    def test_a_host_that_never_starts_means_the_uis_own_method_and_one_line(self):
        with self.assertLogs("latentbridge", "WARNING") as logs:
            self.go_off()
            self.ui.decodes.clear()
            self.ui.state.begin()
            for _ in self.ui.sample([batch(10)] * 4):
                pass
            until(lambda: self.ui.poll() and self.ui.decodes)
            until(lambda: self.extension.bridge.off_reason)
        self.assertEqual(set(self.ui.decodes), {2})
        self.assertEqual(len(logs.output), 1)

    def test_without_a_host_python_makes_the_pictures_and_says_so(self):
        try:
            import torch
        except ImportError as error:
            self.skipTest(f"{error}; the UIs always have it")
        self.has_last_resort(True)
        with (self.assertLogs("latentbridge", "WARNING"), unittest.mock.patch("latentbridge.integrations.last_resort.REST_BESIDE_CPU", 0),
              unittest.mock.patch("latentbridge.host_locator.find", return_value=None)):
            self.load(host="process")
            self.extension.bridge.start()
            until(lambda: self.extension.bridge.off_reason)
            self.ui.decodes.clear()
            self.extension.bridge.start = lambda: None  # which a job does, and until it has failed previews count on it
            seen = self.job([torch.full((1, 4, 8, 8), 0.5 * step) for step in range(4)])
        self.assertEqual([size for size, _ in seen], [(32, 32)] * 4)
        self.assertEqual(len({red for _, red in seen}), 4)
        self.assertEqual(self.ui.decodes, [])
        self.assertEqual(self.extension.latest.decoder, "tiny")
        self.assertRegex(self.ui.state.textinfo, "^LatentBridge is off, Python shows the previews: no host was found; ")
        self.extension._app_started(None, unittest.mock.Mock())
        self.assertRegex(self.ui.opts.latentbridge_status, "^Python makes simple previews: no host was found; ")

    def test_a_host_that_drops_everything_is_stood_in_for(self):
        patience = unittest.mock.patch.object(self.a1111.extension, "PATIENCE", 0.1)
        patience.start()
        self.addCleanup(patience.stop)
        with self.assertLogs("latentbridge", "WARNING") as logs:
            self.load("drop=bad-latent")
            self.ui.state.begin()
            for _ in self.ui.sample([batch(10)] * 3):
                self.ui.poll()
            until(lambda: self.extension.bridge.status()["dropped"])
            until(lambda: self.ui.poll() and self.ui.decodes)
        self.assertEqual(set(self.ui.decodes), {2})
        self.assertEqual(len(logs.output), 1)

    def test_a_latent_that_cannot_be_read_costs_no_step(self):
        self.load()
        self.ui.state.begin()
        with self.assertLogs("latentbridge", "WARNING") as logs:
            for odd in (None, object(), "latent", None):
                self.ui.samplers.store_latent(odd)
        self.assertIs(self.ui.state.current_latent, None)
        self.assertLessEqual(len(logs.output), 3)

    def test_what_is_no_exception_is_not_swallowed(self):
        self.load()
        extension = self.extension

        class Interrupted(BaseException):
            pass

        def interrupt(*_):
            raise Interrupted

        extension._capture = interrupt
        with self.assertRaises(Interrupted):
            self.ui.samplers.store_latent(batch(1))

    def test_an_exception_of_the_ui_itself_passes(self):
        self.load(method="Approx NN")

        def broken(*_):
            raise RuntimeError("the UI's own")

        self.ui.state.assign_current_image = broken
        self.ui.modules["shared"].parallel_processing_allowed = False
        with self.assertRaisesRegex(RuntimeError, "the UI's own"):
            self.ui.samplers.store_latent(batch(1))

    def test_each_missing_hook_point_switches_off_with_one_line_that_names_it(self):
        for place, name in (("sd_samplers_common", "store_latent"), ("shared_state", "State"), ("script_callbacks", "on_app_started"),
                            ("sd_samplers_common", "approximation_indexes")):
            with self.subTest(name), unittest.mock.patch.object(self.ui.modules[place], name), \
                    self.assertLogs("latentbridge", "WARNING") as logs:
                delattr(self.ui.modules[place], name)
                self.assertFalse(self.a1111.install())
                self.assertEqual(len(logs.output), 1)
                self.assertIn(name, logs.output[0])
        with self.assertLogs("latentbridge", "WARNING"), unittest.mock.patch.dict(self.ui.opts.data_labels, clear=True):
            self.assertFalse(self.a1111.install())


class Reload(UiTestCase):
    def threads(self):
        return [thread for thread in threading.enumerate() if thread.name.startswith("latentbridge")]

    def test_reload_leaves_no_thread_no_wrapper_and_no_second_entry(self):
        store, begin = self.ui.samplers.store_latent, self.ui.modules["shared_state"].State.begin
        for _ in range(3):
            self.load()
            self.job([batch(1)])
            self.assertIsNot(self.ui.samplers.store_latent, store)
            self.a1111.uninstall()
            until(lambda: not self.threads())
            self.assertIs(self.ui.samplers.store_latent, store)
            self.assertIs(self.ui.modules["shared_state"].State.begin, begin)

    def test_inside_another_extensions_wrapper_ours_lets_everything_through(self):
        self.load()
        ours, seen = self.ui.samplers.store_latent, []

        def theirs(decoded):
            seen.append(decoded)
            ours(decoded)

        self.ui.samplers.store_latent = theirs
        self.a1111.uninstall()
        self.ui.samplers.store_latent(batch(1))
        self.assertEqual(len(seen), 1)
        self.assertIsNotNone(self.ui.state.current_latent)
        self.load()
        self.assertEqual(self.job([batch(3)]), [((8, 8), 3)])

    def test_the_script_loads_a_fresh_package_each_time(self):
        script = host_locator.ROOT / "scripts" / "latentbridge.py"
        if not script.is_file():
            self.skipTest("the package is not in its repository")
        before = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "latentbridge"}
        self.addCleanup(sys.modules.update, before)
        path = list(sys.path)
        modules = []
        for _ in range(2):
            for name in before:
                sys.modules.pop(name, None)
            exec(compile(script.read_text(), str(script), "exec"), {"__file__": str(script), "__name__": "latentbridge.py"})
            modules.append(sys.modules["latentbridge.integrations.a1111"])
            self.assertEqual(sys.path, path)
            self.ui.unload()
            self.assertNotIn("latentbridge", sys.modules)
        self.assertIsNot(modules[0], modules[1])


class Compare(UiTestCase):
    def test_the_sheet_shows_csharp_python_and_no_difference_worth_the_name(self):
        try:
            import torch
        except ImportError as error:
            self.skipTest(str(error))
        compare = importlib.import_module("latentbridge.integrations.a1111.compare")
        torch.manual_seed(1)
        with Bridge(host=real_host()) as bridge:
            picture, figures = compare.sheet(bridge, torch.randn(1, 4, 16, 24), "SD15", "latent2rgb", 255, [])
        self.assertEqual(picture.size, (72, 16))
        self.assertRegex(figures, r"^SD15, latent2rgb, 24 x 16: .* largest difference [01] of 255")
        with self.assertRaisesRegex(FileNotFoundError, "taesd_decoder.safetensors"):
            compare.sheet(bridge, torch.randn(1, 4, 16, 24), "SD15", "taesd", 255, ["nowhere"])


class Corrections(UiTestCase):
    def setUp(self):
        super().setUp()
        try:
            import torch
        except ImportError as error:
            self.skipTest(str(error))
        self.x0 = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(3)) * 3
        sys.modules.pop("latentbridge.integrations.a1111.corrections", None)
        self.module = importlib.import_module("latentbridge.integrations.a1111.corrections")
        self.module.install()
        self.ui.opts.set(latentbridge_corrections=True)
        self.script = self.module.CorrectionScript()
        self.p = types.SimpleNamespace(extra_generation_params={}, sampler_name="Euler", sampler=types.SimpleNamespace(
            model_wrap_cfg=types.SimpleNamespace(step=0, total_steps=20)))

    def at(self, step):
        self.p.sampler.model_wrap_cfg.step = step
        return self.ui.after_cfg(self.x0)

    def test_the_accordion_is_there_for_those_only_who_switched_it_on(self):
        self.assertIs(self.script.show(False), self.ui.modules["scripts"].AlwaysVisible)
        for value in (False, None, "yes"):
            self.ui.opts.set(latentbridge_corrections=value)
            self.assertIs(self.script.show(False), False)
        del self.ui.opts.data["latentbridge_corrections"]
        self.assertIs(self.script.show(False), False)

    def test_off_is_the_same_tensor_at_every_step(self):
        self.assertIs(self.script.show(False), self.ui.modules["scripts"].AlwaysVisible)
        for arguments in ((), (False,), (False, 1.0, 1.0)):
            self.script.process(self.p, *arguments)
            self.assertTrue(all(self.at(step) is self.x0 for step in range(20)))
        self.assertEqual(self.p.extra_generation_params, {})

    def test_on_is_what_the_corrections_say_and_over_with_the_job(self):
        import torch

        from latentbridge.corrections import Corrections as Sdxl

        self.script.process(self.p, True)
        self.assertIn("LatentBridge corrections", self.p.extra_generation_params)
        for step in (0, 4, 12, 19):
            self.assertTrue(torch.equal(self.at(step), Sdxl.sdxl().apply(self.x0, step, 20)), step)
        self.assertIs(self.at(12), self.x0)
        self.script.postprocess(self.p, None)
        self.assertIs(self.at(0), self.x0)

    def test_noise_is_left_alone_and_that_is_said(self):
        class CompVisSampler:
            model_wrap_cfg = self.p.sampler.model_wrap_cfg

        self.p.sampler, self.p.sampler_name = CompVisSampler(), "DDIM"
        self.script.process(self.p, True)
        with self.assertLogs("latentbridge", "WARNING") as logs:
            self.assertIs(self.at(0), self.x0)
        self.assertIn("DDIM", logs.output[0])
        CompVisSampler.model_wrap_cfg.classic_ddim_eps_estimation = True  # Forge hands out x0 there too
        self.assertIsNot(self.at(0), self.x0)

    def test_what_cannot_be_is_said_before_the_job_and_changes_nothing(self):
        with self.assertRaisesRegex(ValueError, "limit"):
            self.script.process(self.p, True, 0.8, 0.3, 5.0, 4.0)
        self.assertIs(self.at(0), self.x0)


class Recordings(UiTestCase):
    def setUp(self):
        super().setUp()
        try:
            import torch
        except ImportError as error:
            self.skipTest(str(error))
        self.torch = torch
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.ui.modules["paths"].data_path = self.folder

    def record(self, jobs, looks=True):
        self.load(looks=looks)
        for latents in jobs:
            self.ui.state.begin()
            for _ in self.ui.sample(latents):
                pass
            self.ui.state.end()
        return Path(self.folder, "outputs", "latentbridge")

    def test_a_run_is_kept_whole_whether_or_not_somebody_looks(self):
        from latentbridge import safetensors

        self.ui.opts.set(latentbridge_record=True)
        latents = [self.torch.full((2, 4, 8, 8), float(step)) for step in range(6)]
        latents[2][0, 0, 0, 0] = 1e9
        folder = self.record([latents], looks=False)
        file, = until(lambda: list(folder.glob("*.safetensors")))
        metadata, tensors = safetensors.read(file)
        self.assertEqual(tensors["latents"].axes, (6, 4, 8, 8))
        self.assertEqual(metadata["latent_format"], "SD15")
        values = self.torch.frombuffer(bytearray(tensors["latents"].data), dtype=self.torch.float16).reshape(6, 4, 8, 8)
        self.assertEqual(values[:, 1, 1, 1].tolist(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
        self.assertEqual(values[2, 0, 0, 0].item(), 65504.0)

    def test_the_newest_runs_stay_and_other_files_are_left_alone(self):
        self.ui.opts.set(latentbridge_record=True)
        folder = Path(self.folder, "outputs", "latentbridge")
        folder.mkdir(parents=True)
        for number in range(25):
            (folder / f"20200101-000000-{number:06}.safetensors").touch()
        (folder / "mine.safetensors").touch()
        self.record([[self.torch.zeros(1, 4, 8, 8)]])
        until(lambda: len(list(folder.iterdir())) == 21)
        self.assertTrue((folder / "mine.safetensors").exists())
        self.assertFalse((folder / "20200101-000000-000005.safetensors").exists())
        self.assertTrue((folder / "20200101-000000-000006.safetensors").exists())

    def test_off_and_where_nothing_can_be_written_the_job_goes_on(self):
        folder = self.record([[self.torch.zeros(1, 4, 8, 8)]])
        self.assertFalse(folder.exists())
        self.ui.opts.set(latentbridge_record=True)
        Path(self.folder, "outputs").touch()
        with self.assertLogs("latentbridge", "WARNING") as logs:
            self.record([[self.torch.zeros(1, 4, 8, 8)]] * 2)
            until(lambda: logs.output)
        self.assertIn("was not recorded", logs.output[0])

    def test_latents_that_cannot_be_kept_are_not_held_on_to(self):
        from latentbridge.integrations.recorder import Recorder

        Path(self.folder, "outputs").touch()
        said = []
        recorder = Recorder(str(Path(self.folder, "outputs", "latentbridge")), said.append)
        for _ in range(3):
            recorder.add("run", self.torch.zeros(1, 4, 8, 8), None)
        until(recorder._steps.empty)
        recorder.end()
        until(lambda: said)


for _kind in fakes.KINDS if fakes else ():
    _name = "Method_in_" + _kind.replace("-", "_").replace(".", "_")
    globals()[_name] = type(_name, (Method, UiTestCase), {"kind": _kind})


if __name__ == "__main__":
    unittest.main()
