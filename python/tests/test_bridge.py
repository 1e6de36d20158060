"""The bridge over a host that behaves."""

import array
import concurrent.futures
import gc
import os
import subprocess
import sys
import threading
import time
import unittest
import unittest.mock
import weakref
from queue import Empty, SimpleQueue

from latentbridge import Bridge, BridgeError
from latentbridge._version import VERSION
from tests.bridges import BridgeTestCase, alive, digest, latent, temporary_files, traces, until

try:
    import torch
except ImportError:
    torch = None


class Submitting(BridgeTestCase):
    def test_of_a_causal_video_the_first_frame_is_sent_unless_somebody_chose_another(self):
        bridge = self.bridge()
        video = latent(1, 16, 3, 4, 4)
        flat = video.cast("B").cast("f")
        def sent(first, last):
            return array.array("f", [v for c in range(16) for v in flat[(c * 3 + first) * 16:(c * 3 + last + 1) * 16]])

        for run, (latent_format, options, first, last) in enumerate([  # a chosen frame of a causal video comes with those just before
                ("Wan21", {}, 0, 0), ("Wan21", {"frame": "middle"}, 0, 1), ("Wan21", {"frame": 2}, 0, 2), ("SeedVR2", {}, 1, 1), (None, {}, 1, 1)], 1):
            with self.subTest(latent_format, options=options):
                bridge.begin(run=run, latent_format=latent_format, **options)
                self.assertTrue(bridge.submit(video, run=run, step=0))
                self.assertEqual(bridge.wait(run=run, step=0, timeout=20).data, digest(sent(first, last)))

    def test_a_latent_comes_back_as_a_preview(self):
        bridge = self.bridge()
        buffer, preview = self.show(bridge, run=7, step=19, total=20, stream=2)
        self.assertEqual(preview.data, digest(buffer))
        self.assertEqual((preview.run, preview.stream, preview.step, preview.total), (7, 2, 19, 20))
        self.assertEqual((preview.encoding, preview.media_type, preview.width, preview.height), ("png", "image/png", 1, 1))
        self.assertEqual((preview.decoder, preview.decode_milliseconds, preview.encode_milliseconds), ("sha256", 1.5, 0.5))
        self.assertTrue(preview.is_last_step)
        self.assertGreater(preview.milliseconds, 0)
        self.assertIs(bridge.latest(2), preview)
        self.assertIsNone(bridge.latest(0))

    def test_previews_reach_the_callback_in_order(self):
        seen = []
        bridge = self.bridge(on_preview=seen.append)
        for step in range(50):
            self.show(bridge, run=1, step=step, total=50)
        self.assertEqual([preview.step for preview in seen], list(range(50)))

    def test_submit_takes_a_snapshot(self):
        bridge = self.bridge("slow=20")
        bridge.start(20)
        for run in range(8):  # more than there are slots: some wait in private memory
            buffer = bytearray(latent(1, 4, 8, 8, start=run))
            bridge.submit(memoryview(buffer).cast("f", (1, 4, 8, 8)), run=run, step=0)
            expected = digest(buffer)
            buffer[:] = bytes(len(buffer))
        self.assertEqual(bridge.wait(run=7, step=0, timeout=20).data, expected)

    def test_the_newest_wins_when_no_slot_is_free(self):
        bridge = self.bridge("slow=30")
        bridge.start(20)
        for step in range(40):
            bridge.submit(latent(1, 4, 8, 8, start=step), run=1, step=step, total=40)
        last = bridge.wait(run=1, step=39, timeout=20)
        self.assertEqual(last.data, digest(latent(1, 4, 8, 8, start=39)))
        self.assertGreater(bridge.status()["replaced"], 20)

    def test_several_streams_are_kept_apart(self):
        bridge = self.bridge()
        shown = {stream: self.show(bridge, run=stream, stream=stream) for stream in range(6)}
        for stream, (buffer, preview) in shown.items():
            self.assertEqual(bridge.latest(stream), preview)
            self.assertEqual(preview.data, digest(buffer))

    def test_whole_numbers_are_taken_however_they_come(self):
        class Scalar:  # what a tensor or an array without axes has of a number
            ndim = 0

            def __init__(self, value):
                self.value = value

            def item(self):
                return self.value

        numbers = [float, Scalar, lambda value: Scalar(float(value))]
        if torch is not None:
            numbers += [torch.tensor, lambda value: torch.tensor(float(value))]
        for run, number in enumerate(numbers, 1):
            with self.subTest(run):
                bridge = self.bridge()
                buffer = latent(1, 4, 8, 8)
                self.assertTrue(bridge.submit(buffer, run=number(run), step=number(3), total=number(20), stream=number(2)))
                preview = bridge.wait(run=number(run), step=number(3), stream=number(2), timeout=20)
                self.assertEqual((preview.run, preview.step, preview.total, preview.stream), (run, 3, 20, 2))
                bridge.end(run=number(run), stream=number(2))
                self.assertFalse(bridge.submit(buffer, run=run, step=4, stream=2))
                bridge.begin(run=number(run + 1), stream=number(2))
                self.assertTrue(bridge.submit(buffer, run=run + 1, step=0, total=None, stream=2))

    def test_what_is_no_count_is_said_and_the_stream_goes_on(self):
        class OnDevice:
            is_cpu, ndim, device = False, 0, "cuda:0"

            def item(self):
                raise AssertionError("the sampler would wait for the device")

        for name in ("run", "step", "total", "stream"):
            for odd in (0.5, float("nan"), float("inf"), -1, 1 << 60, "3", [3], b"3", object(), OnDevice(), *([None] if name != "total" else [])):
                with self.subTest(name=name, odd=odd):
                    bridge = self.bridge(strict=False)
                    with self.assertLogs("latentbridge", "WARNING") as logs:
                        arguments = {"run": 1, "step": 0, "total": 20, "stream": 0, name: odd}
                        self.assertFalse(bridge.submit(latent(1, 4, 8, 8), **arguments))
                    self.assertRegex(logs.output[0], f"{name}.* is .*; expected a whole number from 0 to")
                    bridge.close()
        bridge = self.bridge(strict=False)
        self.show(bridge, run=1)
        with self.assertLogs("latentbridge", "WARNING"):
            self.assertFalse(bridge.submit(latent(1, 4, 8, 8), run=1, step=0.5))
            self.assertFalse(bridge.submit(latent(1, 4, 8, 8), run=1, step=1 << 40))
        self.show(bridge, run=1, step=1)
        until(lambda: len(bridge._thread.mapping.free) == 4)

    def test_a_new_run_puts_the_old_one_away(self):
        bridge = self.bridge()
        self.show(bridge, run=1)
        bridge.begin(run=2, latent_format="SDXL")
        self.assertIsNone(bridge.latest())
        self.assertFalse(bridge.submit(latent(1, 4, 8, 8), run=1, step=1))
        self.show(bridge, run=2)

    def test_nothing_of_an_ended_or_cancelled_run_is_shown(self):
        seen = []
        bridge = self.bridge("slow=50", on_preview=seen.append)
        self.show(bridge, run=1)
        for run, leave in ((2, bridge.end), (3, bridge.cancel)):
            bridge.submit(latent(1, 4, 8, 8), run=run, step=0)
            leave(run=run)
            self.assertFalse(bridge.submit(latent(1, 4, 8, 8), run=run, step=1))
            self.assertIsNone(bridge.wait(run=run, step=0, timeout=20))
        self.show(bridge, run=4)
        self.assertEqual([preview.run for preview in seen], [1, 4])

    def test_bigger_latents_make_the_mapping_grow(self):
        bridge = self.bridge()
        process = None
        for run, side in enumerate((8, 600, 16, 1024)):
            buffer, preview = self.show(bridge, run=run, axes=(1, 4, side, side))
            self.assertEqual(preview.data, digest(buffer))
            process = process or bridge.host_pid
        self.assertEqual(bridge.host_pid, process)
        self.assertEqual(bridge.status(20)["host"]["generation"], 3)

    def test_the_mapping_grows_while_samplers_write(self):
        bridge = self.bridge()
        bridge.start(20)
        failures = []

        def sample(stream):
            for run in range(15):
                side = 16 if run % 3 else 16 + 64 * run
                buffer = latent(1, 4, side, side, start=run)
                bridge.submit(buffer, run=run, step=0, stream=stream)
                preview = bridge.wait(run=run, step=0, stream=stream, timeout=20)
                if preview is None or preview.data != digest(buffer):
                    failures.append((stream, run))

        threads = [threading.Thread(target=sample, args=(stream,)) for stream in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(bridge.status()["hosts"], 1)

    def test_an_image_slot_too_small_grows(self):
        bridge = self.bridge("needed=9000000")
        bridge.submit(latent(1, 4, 8, 8), run=1, step=0)
        self.assertIsNone(bridge.wait(run=1, step=0, timeout=20))
        until(lambda: bridge.status(20)["host"]["generation"] == 2)
        self.show(bridge, run=1, step=1)
        self.assertGreaterEqual(bridge.status()["imageCapacity"], 9_000_000)

    def test_waiting_is_bounded_and_ends_early_for_a_dropped_latent(self):
        bridge = self.bridge("drop=failed")
        started = time.monotonic()
        with self.assertLogs("latentbridge", "WARNING") as logs:
            bridge.submit(latent(1, 4, 8, 8), run=1, step=0)
            self.assertIsNone(bridge.wait(run=1, step=0, timeout=60))
        self.assertLess(time.monotonic() - started, 30)
        self.assertIn("because", logs.output[0])
        self.assertIsNone(bridge.wait(run=1, step=5, timeout=0.01))
        self.assertIsNone(bridge.wait(run=9, step=0, timeout=60))

    @unittest.skipUnless(torch, "torch is not installed")
    def test_torch_tensors_of_any_kind_go_through(self):
        bridge = self.bridge()
        base = torch.randn(2, 4, 16, 16)
        for run, tensor in enumerate((base, base.half(), base.bfloat16(), base.double(), base.transpose(2, 3), base.int())):
            bridge.submit(tensor, run=run, step=0)
            expected = tensor[:1].contiguous()
            expected = expected if expected.dtype in (torch.float32, torch.float16, torch.bfloat16) else expected.float()
            words = expected.view(torch.int16 if expected.element_size() == 2 else torch.int32)
            self.assertEqual(bridge.wait(run=run, step=0, timeout=20).data, digest(words.numpy()))

    def test_a_device_that_is_still_writing_is_waited_for_by_the_bridge(self):
        class Slow:
            element_type, axes, length, on_device, has_past = 0, (1, 1, 2, 2), 16, True, False
            asked = 0

            def ready(self):
                self.asked += 1
                return self.asked > 5

            def copy_into(self, target, address):
                target[:16] = b"0123456789abcdef"

        bridge = self.bridge()
        with unittest.mock.patch("latentbridge.tensors.read", side_effect=lambda *_: Slow()):
            for step in range(20):  # a sampler that is ahead of its device: none may starve
                bridge.submit(object(), run=1, step=step, total=20)
            self.assertEqual(bridge.wait(run=1, step=19, timeout=20).data, digest(b"0123456789abcdef"))

    def test_a_latent_that_is_there_is_not_left_out_for_a_newer_one_on_its_way(self):
        class OnItsWay:
            element_type, axes, length, on_device, has_past = 0, (1, 1, 2, 2), 16, True, False

            def __init__(self, letter):
                self.letter, self.is_there, self.asked = letter, False, threading.Event()

            def ready(self):
                self.asked.set()
                return self.is_there

            def copy_into(self, target, address):
                target[:16] = self.letter * 16

        bridge = self.bridge()
        bridge.start(20)
        first, second = OnItsWay(b"1"), OnItsWay(b"2")
        with unittest.mock.patch("latentbridge.tensors.read", side_effect=[first, second]):
            bridge.submit(object(), run=1, step=0, total=20)
            self.assertTrue(first.asked.wait(20))
            bridge.submit(object(), run=1, step=1, total=20)
        first.is_there = True
        self.assertEqual(bridge.wait(run=1, step=0, timeout=20).data, digest(b"1" * 16))
        second.is_there = True
        self.assertEqual(bridge.wait(run=1, step=1, timeout=20).data, digest(b"2" * 16))
        self.assertEqual(bridge.status()["replaced"], 0)


class Asking(BridgeTestCase):
    def test_options_reach_the_host_and_item_and_frame_are_chosen_here(self):
        bridge = self.bridge(size=256, batch="item", item=1, frame="last")
        buffer = latent(2, 4, 3, 2, 2)
        bridge.begin(run=1, latent_format="Wan21", decoder="tiny")
        bridge.submit(buffer, run=1, step=0)
        preview = bridge.wait(run=1, step=0, timeout=20)
        values = buffer.cast("B").cast("f").tolist()
        chosen = values[4 * 3 * 4:]  # the last frame of the second item, and those before it
        self.assertEqual(preview.data, digest(array.array("f", chosen)))
        status = bridge.status(20)["host"]
        self.assertEqual(status["options"], {"size": 256, "batch": "first"})
        self.assertEqual(status["begun"], [{"stream": 0, "run": 1, "format": "Wan21", "space": "sampler", "decoder": "tiny"}])

    def test_configure_holds_at_once_and_checks(self):
        bridge = self.bridge()
        self.show(bridge, run=1)
        bridge.configure(size=512)
        self.assertEqual(bridge.status(20)["host"]["options"], {"size": 512})
        with self.assertRaisesRegex(ValueError, "unknown option 'sise'"):
            bridge.configure(sise=3)

    def test_a_host_of_another_version_is_named_once_and_used(self):
        with self.assertLogs("latentbridge", "WARNING") as logs:
            bridge = self.bridge("version=0.0.9")
            self.show(bridge, run=1)
            bridge._thread.connection.kill()
            until(lambda: bridge.submit(latent(1, 4, 8, 8), run=1, step=1) and bridge.wait(run=1, step=1, timeout=0.3))
        said = [line for line in logs.output if "LatentBridge 0.0.9" in line]
        self.assertEqual(len(said), 1, logs.output)
        self.assertIn(f"the shim is {VERSION}", said[0])
        self.assertIn(f"pip install latentbridge=={VERSION}", said[0])

    def test_a_host_started_anew_hears_of_options_and_runs_again(self):
        bridge = self.bridge(size=100)
        bridge.begin(run=1, latent_format="SDXL", decoder="tiny")
        self.show(bridge, run=1)
        bridge.configure(size=200)
        bridge._thread.connection.kill()
        until(lambda: bridge.submit(latent(1, 4, 8, 8), run=1, step=1) and bridge.wait(run=1, step=1, timeout=0.3))
        status = bridge.status(20)
        self.assertEqual(status["hosts"], 2)
        self.assertEqual(status["host"]["options"], {"size": 200})
        begin = {"stream": 0, "run": 1, "format": "SDXL", "space": "sampler", "decoder": "tiny"}
        self.assertEqual(status["host"]["begun"], [begin])

    def test_a_runs_first_latent_never_overtakes_its_begin(self):
        bridge = self.bridge("slow=2")
        for run in range(60):
            bridge.begin(run=run, latent_format="SDXL")
            for step in range(6):
                bridge.submit(latent(1, 4, 8, 8), run=run, step=step)
        bridge.wait(run=59, step=5, timeout=20)
        seen = bridge.status(20)["host"]["runs"]
        self.assertEqual(seen, sorted(seen))

    def test_decode_waits_for_its_picture(self):
        bridge = self.bridge()
        for axes in ((1, 4, 8, 8), (1, 4, 1024, 1024)):
            buffer = latent(*axes)
            preview = bridge.decode(buffer, latent_format="SDXL", timeout=20)
            self.assertEqual(preview.data, digest(buffer))

    def test_decode_makes_room_for_its_picture(self):
        bridge = self.bridge("needed=9000000")
        buffer = latent(1, 4, 8, 8)
        with concurrent.futures.ThreadPoolExecutor(3) as pool:  # room is made once
            for preview in pool.map(lambda _: bridge.decode(buffer, timeout=20), range(3)):
                self.assertEqual(preview.data, digest(buffer))
        self.assertGreaterEqual(bridge.status()["imageCapacity"], 9_000_000)
        with self.assertRaisesRegex(BridgeError, "too-small"):  # more than there may ever be
            self.bridge(f"needed={1 << 31}").decode(buffer, timeout=20)

    def test_a_decode_that_a_new_mapping_cancelled_is_asked_for_again(self):
        buffer = latent(1, 4, 8, 8)
        self.assertEqual(self.bridge("cancel-first").decode(buffer, timeout=20).data, digest(buffer))

    def test_decode_says_why_there_is_no_picture(self):
        with self.assertRaisesRegex(BridgeError, "because"):
            self.bridge("drop=failed").decode(latent(1, 4, 8, 8), timeout=20)
        with self.assertRaisesRegex(BridgeError, "no picture within"):
            self.bridge("mute").decode(latent(1, 4, 8, 8), timeout=0.2)

    def test_status_of_a_host_that_is_just_starting_is_answered(self):
        bridge = self.bridge()
        bridge.start(0)
        until(lambda: bridge.host_pid)  # not attached yet
        self.assertIn(bridge.status(20)["host"]["generation"], (0, 1))
        self.assertTrue(bridge.start(20))
        self.assertEqual(bridge.status(20)["failures"], 0)

    def test_status_without_a_host_is_still_an_answer(self):
        status = self.bridge().status(timeout=1)
        self.assertEqual((status["host"], status["submitted"], status["off"]), (None, 0, None))


class Ending(BridgeTestCase):
    def test_close_ends_host_threads_and_everything_named(self):
        before = temporary_files()
        bridge = self.bridge()
        self.show(bridge)
        pid = bridge.host_pid
        bridge.close()
        bridge.close()
        until(lambda: not alive(pid))
        until(lambda: not [t for t in threading.enumerate() if t is bridge._thread._thread])
        self.assertFalse(bridge.submit(latent(1, 4, 8, 8), run=9, step=0))
        self.assertEqual(bridge.off_reason, "closed")
        self.assertLessEqual(traces(pid), before)

    def test_memory_of_an_old_mapping_and_of_a_closed_bridge_is_given_back_at_once(self):
        gc.disable()  # nothing waits for the garbage collector
        self.addCleanup(gc.enable)
        bridge = self.bridge()
        self.show(bridge, stream=1)
        first = weakref.ref(bridge._thread.mapping)
        self.show(bridge, axes=(1, 4, 300, 300), stream=2)
        until(lambda: first() is None)
        second = weakref.ref(bridge._thread.mapping)
        bridge.close()
        until(lambda: second() is None)

    def test_a_bridge_used_as_a_context_is_closed(self):
        with self.bridge() as bridge:
            self.show(bridge)
        self.assertEqual(bridge.off_reason, "closed")

    def test_a_wait_for_actions_whose_time_is_over_at_once_ends(self):
        thread = self.bridge()._thread

        def wait():
            for _ in range(300_000):
                thread._actions = SimpleQueue()  # the first wait of a queue is the one that Python 3.10 may not end
                try:
                    thread._next_action(0.0)
                except Empty:
                    pass

        waiter = threading.Thread(target=wait, daemon=True)
        waiter.start()
        waiter.join(60)
        self.assertFalse(waiter.is_alive())

    def test_an_unused_bridge_starts_nothing(self):
        count = threading.active_count()
        with Bridge(host=["/nonexistent"]):
            self.assertEqual(threading.active_count(), count)

    def test_the_interpreter_ends_with_the_bridge_open(self):
        for quirk in ("", "hang-on-submit=2", "mute"):
            with self.subTest(quirk):
                program = (
                    "import sys; from tests.bridges import *\n"
                    f"b = Bridge(host=[sys.executable, '-S', str(FAKE_HOST), {quirk!r}])\n"
                    "[b.submit(latent(1, 4, 8, 8), run=1, step=s) for s in range(9)]\n"
                    "b.wait(run=1, step=0, timeout=5 if 'mute' not in sys.argv else 0.3)\n"
                    "print(b.host_pid, flush=True)\n")
                done = subprocess.run([sys.executable, "-c", program, quirk], capture_output=True, text=True, timeout=30,
                                      cwd=os.path.dirname(os.path.dirname(__file__)))
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                until(lambda: not alive(int(done.stdout)))

    @unittest.skipUnless(hasattr(os, "fork"), "this system has no fork")
    def test_a_forked_childs_bridge_is_inert_and_the_parents_goes_on(self):
        bridge = self.bridge()
        self.show(bridge, run=1)
        child = os.fork()
        if child == 0:
            code = 0 if not bridge.submit(latent(1, 4, 8, 8), run=2, step=0) and "forked" in bridge.off_reason else 1
            bridge.close()
            os._exit(code)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)
        self.show(bridge, run=2)
