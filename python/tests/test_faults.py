"""What goes wrong: hosts that die, hang, lie and refuse; memory that is not to be had; a UI that is killed."""

import errno
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
import unittest
import unittest.mock
from pathlib import Path

from latentbridge import Bridge, BridgeError
from tests.bridges import FAKE_HOST, BridgeTestCase, alive, digest, latent, real_host, temporary_files, traces, until

POSIX = os.name == "posix"


class HostsThatFail(BridgeTestCase):
    def go_down(self, *quirks, **options):
        """Lets a bridge fail until it waits for the next run; its one log line, and the bridge."""
        bridge = self.bridge(*quirks, strict=False, **options)
        with self.assertLogs("latentbridge", "WARNING") as logs:
            self.assertTrue(bridge.submit(latent(1, 4, 8, 8), run=1, step=0))
            step = 0
            while bridge.off_reason is None:
                step += 1
                bridge.submit(latent(1, 4, 8, 8), run=1, step=step)
                time.sleep(0.01)
            bridge.end(run=1)
        self.assertEqual(len(logs.output), 1, logs.output)
        self.assertIsNone(bridge.wait(run=1, step=0, timeout=60))
        self.assertEqual(bridge.host_pid, 0)
        return logs.output[0], bridge

    def mend(self, bridge):
        """From now on the bridge's hosts behave."""
        bridge._settings.host = [sys.executable, "-S", str(FAKE_HOST)]

    def test_a_host_that_never_lives_is_said_with_one_line(self):
        line, bridge = self.go_down("die-at-start", "say-on-stderr=the cat sat on it", back_off=1.0, attempts=1)
        self.assertRegex(line, "no previews: the host failed 1 times in a row .*the cat sat on it.*doctor.*Each new run tries again")
        self.assertIn("the cat sat on it", bridge.status()["off"])
        with self.assertRaisesRegex(BridgeError, "the cat sat on it"):
            bridge.decode(latent(1, 4, 8, 8))

    def test_a_host_that_is_not_there_is_said(self):
        line, _ = self.go_down(host=["/nonexistent/latentbridge"])
        self.assertRegex(line, "No such file|cannot find")

    def test_no_host_anywhere_says_what_helps(self):
        with unittest.mock.patch("latentbridge.host_locator.find", return_value=None):
            line, bridge = self.go_down(host=None)
            self.assertRegex(line, "no host was found; install it with .*run.sh")
            self.assertEqual(bridge.status()["hosts"], 0)
        self.mend(bridge)
        self.show(bridge, run=2)

    def test_a_host_that_says_nothing_is_said(self):
        line, _ = self.go_down("mute", start_patience=0.6, attempts=2)
        self.assertIn("did not answer", line)

    def test_a_refusal_is_said_and_tried_again_at_the_next_run_only(self):
        for quirk, said in (("refuse", "this host protocol 3: update the shim, or install both from one release. Each new run"), ("refuse-by-exit", "versions do not meet"),
                            ("protocol=3", "chose protocol 3"), ("protocol=1", "chose protocol 1, this shim speaks protocol 2; install host and shim from one release")):
            with self.subTest(quirk):
                line, bridge = self.go_down(quirk)
                self.assertIn(said, line)
                self.assertEqual(bridge.status()["hosts"], 1)
                self.mend(bridge)
                self.show(bridge, run=2)

    def test_whatever_failed_each_new_run_tries_again_at_once(self):
        _, bridge = self.go_down("die-at-start", back_off=1000.0, attempts=1)
        bridge.submit(latent(1, 4, 8, 8), run=2, step=0)
        until(lambda: bridge.status()["hosts"] == 2)
        self.mend(bridge)
        self.show(bridge, run=3)
        self.assertIsNone(bridge.off_reason)

    def test_a_passing_fault_is_got_over_within_a_run(self):
        _, bridge = self.go_down("die-at-start", back_off=0.05, attempts=2)
        bridge.begin(run=2)
        until(lambda: bridge.status()["failures"] >= 4)
        self.mend(bridge)
        until(lambda: bridge.off_reason is None)
        self.show(bridge, run=2, step=5)

    def test_a_bridge_without_a_host_can_be_restarted(self):
        _, bridge = self.go_down("die-at-start")
        self.mend(bridge)
        bridge.restart()
        self.show(bridge, run=2)

    def test_without_a_host_a_runs_steps_touch_nothing(self):
        _, bridge = self.go_down("refuse")
        bridge.begin(run=2)
        until(lambda: bridge.status()["hosts"] == 2 and bridge.off_reason)

        class Untouchable:
            def __getattribute__(self, name):
                raise AssertionError(f"{name} was touched")

        self.assertFalse(bridge.submit(Untouchable(), run=2, step=0))

    def test_a_host_that_dies_now_and_then_is_replaced_without_end(self):
        bridge = self.bridge("die-after-ready=2")
        pids = set()
        for step in range(12):
            # the latent that the dying host took with it is lost; the next one shows
            until(lambda: bridge.submit(latent(1, 4, 8, 8, start=step), run=step, step=0)
                  and bridge.wait(run=step, step=0, timeout=0.3))
            pids.add(bridge.host_pid)
        self.assertIsNone(bridge.off_reason)
        self.assertGreater(len(pids), 3)
        until(lambda: sum(map(alive, pids - {0})) <= 1)

    def test_a_decoder_that_ends_two_hosts_is_left_out_of_the_next(self):
        bridge = self.bridge("load=bad", strict=False)
        with self.assertLogs("latentbridge", "WARNING") as logs:
            until(lambda: bridge.submit(latent(1, 4, 8, 8), run=1, step=0) and bridge.wait(run=1, step=0, timeout=0.3))
        self.assertEqual(bridge.status()["avoided"], [{"decoder": "bad", "file": "/models/it.onnx"}])
        self.assertEqual(bridge.status()["hosts"], 3)
        self.assertIn("bad", "".join(logs.output))

    def test_a_decoder_that_was_loaded_before_hosts_ended_is_not_blamed(self):
        bridge = self.bridge("load=good", "die-loaded", strict=False)
        until(lambda: bridge.submit(latent(1, 4, 8, 8), run=1, step=0) and bridge.status()["hosts"] >= 3)
        self.assertEqual(bridge.status()["avoided"], [])

    def test_a_host_that_dies_on_every_latent_is_said(self):
        line, _ = self.go_down("die-on-submit=1")
        self.assertIn("exit code 9", line)

    def test_a_host_that_hangs_is_replaced(self):
        bridge = self.bridge("hang-on-submit=3")
        self.show(bridge, run=1, step=0)
        first = bridge.host_pid
        until(lambda: bridge.submit(latent(1, 4, 8, 8), run=1, step=1) and bridge.host_pid not in (0, first))
        until(lambda: not alive(first))
        until(lambda: bridge.submit(latent(1, 4, 8, 8), run=2, step=0) and bridge.wait(run=2, step=0, timeout=0.5))

    def test_a_host_that_hangs_with_a_latent_is_replaced_whatever_else_it_said_meanwhile(self):
        bridge = self.bridge("hang-on-submit=2", "mumble")
        self.show(bridge, run=1, step=0)
        pid = bridge.host_pid
        bridge.submit(latent(1, 4, 8, 8), run=1, step=1)
        until(lambda: not alive(pid))

    def test_a_latent_that_waits_for_a_slot_is_shown_by_the_next_host(self):
        bridge = self.bridge("keep-slots")
        for step in range(4):
            self.show(bridge, run=1, step=step)
        bridge.submit(latent(1, 4, 8, 8), run=1, step=4)  # there are four slots, and none came back
        until(lambda: bridge._streams[0].held)
        bridge._thread.connection.kill()
        self.assertIsNotNone(bridge.wait(run=1, step=4, timeout=20))

    def once(self):
        """A file's name that the first host which misbehaves makes."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return os.path.join(folder.name, "done")

    def test_a_host_that_dies_between_two_steps_is_replaced_before_the_next(self):
        bridge = self.bridge(back_off=1000.0)
        self.show(bridge, run=1)
        first = bridge.host_pid
        bridge._thread.connection.kill()
        until(lambda: bridge.host_pid not in (0, first) and bridge._thread.mapping)
        self.show(bridge, run=1, step=1)
        bridge.end(run=1)
        bridge._thread.connection.kill()
        until(lambda: bridge.host_pid == 0)  # nobody samples: no host is needed
        self.assertEqual(bridge.status()["hosts"], 2)

    def test_the_latent_that_a_dead_host_had_is_shown_by_the_next(self):
        for quirks in (("die-on-submit=1", f"die-on-submit-once={self.once()}"),
                       ("slow=300", "die-on-submit=2", f"die-on-submit-once={self.once()}")):
            with self.subTest(quirks):
                bridge = self.bridge(*quirks)
                bridge.start(20)
                for step in range(3):
                    bridge.submit(latent(1, 4, 8, 8, start=step), run=1, step=step, total=3)
                preview = bridge.wait(run=1, step=2, timeout=20)  # the last step: nothing else is submitted
                self.assertEqual(preview.data, digest(latent(1, 4, 8, 8, start=2)))
                self.assertEqual(bridge.status()["hosts"], 2)

    def test_a_latent_that_ends_every_host_is_sent_twice_and_no_more(self):
        bridge = self.bridge("die-on-submit=1", attempts=1000)
        bridge.submit(latent(1, 4, 8, 8), run=1, step=0)
        until(lambda: bridge.status()["hosts"] == 3 and bridge._thread.mapping)
        time.sleep(0.2)
        self.assertEqual(bridge.status()["hosts"], 3)  # the third one was given nothing, and lives

    def test_a_latent_that_was_shown_makes_the_next_host_ready_and_is_not_shown_again(self):
        shown = []
        bridge = self.bridge("die-after-ready=1", f"die-after-ready-once={self.once()}", on_preview=shown.append)
        bridge.submit(latent(1, 4, 8, 8), run=1, step=0, total=2)
        until(lambda: bridge.status()["stale"] == 1)  # the next host's picture of it
        bridge.submit(latent(1, 4, 8, 8, start=1), run=1, step=1, total=2)
        self.assertEqual(bridge.wait(run=1, step=1, timeout=20).data, digest(latent(1, 4, 8, 8, start=1)))
        self.assertEqual(([preview.step for preview in shown], bridge.status()["hosts"]), ([0, 1], 2))

    def test_a_latent_that_ends_each_host_after_its_picture_is_sent_to_three_more(self):
        bridge = self.bridge("die-after-ready=1", attempts=1000)
        bridge.submit(latent(1, 4, 8, 8), run=1, step=0)
        until(lambda: bridge.status()["hosts"] == 5 and bridge._thread.mapping)
        time.sleep(0.2)
        self.assertEqual((bridge.status()["hosts"], bridge.status()["stale"]), (5, 3))

    def test_a_slot_with_other_values_in_it_is_not_sent_again(self):
        bridge = self.bridge()
        self.show(bridge, run=1)
        state, mapping = bridge._streams[0], bridge._thread.mapping
        slot = state.newest[1]
        while mapping.free[0] != slot:
            mapping.free.rotate(1)  # the next one is written there
        bridge.decode(latent(1, 4, 8, 8, start=9))
        self.assertIsNone(state.newest)

    def test_a_picture_waited_for_is_made_by_the_next_host(self):
        bridge = self.bridge(f"die-on-decode={self.once()}")
        buffer = latent(1, 4, 8, 8)
        self.assertEqual(bridge.decode(buffer).data, digest(buffer))
        self.assertEqual(bridge.status()["hosts"], 2)
        bridge = self.bridge("die-on-decode=")
        with self.assertRaisesRegex(BridgeError, "ended"):
            bridge.decode(buffer)
        self.assertEqual(bridge.status()["hosts"], 2)

    def test_a_decoder_that_ends_two_hosts_is_left_out_and_named(self):
        bridge = self.bridge("killer")
        with self.assertLogs("latentbridge", "WARNING") as logs:
            for step in range(30):
                bridge.submit(latent(1, 4, 8, 8, start=step), run=1, step=step)
                bridge.wait(run=1, step=step, timeout=20)
                until(lambda: bridge._thread.mapping)
        self.assertEqual(len(logs.output), 1)
        self.assertRegex(logs.output[0], r"the decoder killer \(/k.onnx\) ended the host twice and is left out")
        self.assertEqual((bridge.status()["hosts"], bridge.status()["avoided"]), (3, [{"decoder": "killer", "file": "/k.onnx"}]))
        bridge.close()
        bridge.restart()
        self.assertEqual(bridge.status()["avoided"], [])

    def test_a_starved_host_is_waited_for(self):
        bridge = self.bridge("starve-on-submit=2", "for=2500", patience=1.0)
        self.show(bridge, run=1)
        self.show(bridge, run=1, step=1)
        self.assertEqual(bridge.status(20)["hosts"], 1)

    def test_the_last_words_of_a_host_are_heard(self):
        for _ in range(10):
            bridge = self.bridge("die-on-submit=1", "say-before-dying=farewell", strict=False, attempts=1)
            with self.assertLogs("latentbridge", "WARNING") as logs:
                bridge.submit(latent(1, 4, 8, 8), run=1, step=0)
                until(lambda: bridge.off_reason)
            self.assertIn("farewell", logs.output[0])
            bridge.close()

    def test_a_line_without_an_end_on_stderr_takes_no_memory(self):
        bridge = self.bridge("endless-stderr=64", "die-at-start", strict=False, attempts=1, start_patience=60)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        with self.assertLogs("latentbridge", "WARNING") as logs:
            bridge.start(60)
        self.assertIn("begun xxx", logs.output[0])
        self.assertLess(len(logs.output[0]), 2000)
        self.assertLess(tracemalloc.get_traced_memory()[1], 16 << 20)

    def test_lines_with_members_of_the_wrong_type_are_left_aside_by_intent(self):
        with self.assertLogs("latentbridge", "WARNING") as logs:
            bridge = self.bridge("odd", strict=False)
            for run in range(3):
                buffer, preview = self.show(bridge, run=run)
                self.assertEqual(preview.data, digest(buffer))
        self.assertEqual(bridge.status()["hosts"], 1)
        self.assertEqual([line for line in logs.output if "Error" in line], [])

    def test_a_latent_beyond_the_limit_is_refused_before_it_is_copied(self):
        bridge = self.bridge(strict=False, largest=1 << 20)
        with self.assertLogs("latentbridge", "WARNING") as logs, unittest.mock.patch(
                "latentbridge.tensors.Contiguous.copy_into", side_effect=AssertionError("copied")):
            for step in range(3):
                self.assertFalse(bridge.submit(latent(1, 4, 300, 300), run=1, step=step))
        self.assertEqual(len(logs.output), 1)
        self.assertIn("the latent has 1.4 MB, and at most 1.0 MB are sent", logs.output[0])
        self.assertEqual(Bridge()._thread.latent_limit, 256 << 20)
        self.show(bridge, run=2)

    def test_a_slow_callback_is_not_taken_for_a_hung_host(self):
        bridge = self.bridge(on_preview=lambda preview: time.sleep(0.8), patience=0.3)
        self.show(bridge, run=1)
        pid = bridge.host_pid
        for step in range(1, 3):
            bridge.submit(latent(1, 4, 8, 8), run=1, step=step)
        bridge.wait(run=1, step=2, timeout=20)
        self.assertEqual((bridge.host_pid, bridge.status()["hosts"]), (pid, 1))

    def test_a_callback_that_raises_is_said_once(self):
        def broken(preview):
            raise KeyError("mine")

        bridge = self.bridge(on_preview=broken)
        with self.assertLogs("latentbridge", "WARNING") as logs:
            for run in range(5):
                self.show(bridge, run=run)
        self.assertEqual(len(logs.output), 1)
        self.assertIn("KeyError('mine')", logs.output[0])

    def test_garbage_and_lies_about_slots_are_left_aside(self):
        for quirk in ("garbage", "lie-released"):
            with self.subTest(quirk):
                logging.disable(logging.WARNING)
                self.addCleanup(logging.disable, logging.NOTSET)
                bridge = self.bridge(quirk)
                for run in range(30):
                    buffer, preview = self.show(bridge, run=run)
                    self.assertEqual(preview.data, digest(buffer))
                self.assertEqual(bridge.status()["hosts"], 1)

    def test_an_image_slot_that_lies_is_not_shown_and_given_back(self):
        seen = []
        bridge = self.bridge("lie-image", on_preview=seen.append)
        with self.assertLogs("latentbridge", "WARNING") as logs:
            for step in range(12):
                bridge.submit(latent(1, 4, 8, 8), run=1, step=step)
                bridge.wait(run=1, step=step, timeout=0.02)
            until(lambda: logs.output and (bridge.status(20)["host"] or {}).get("freeImages") == 4)
        self.assertEqual(seen, [])
        self.assertIn("generation is 2; expected 1", logs.output[0])

    def test_what_is_no_latent_is_said_once_and_nothing_raises(self):
        bridge = self.bridge(strict=False)
        with self.assertLogs("latentbridge", "WARNING") as logs:
            for step in range(5):
                self.assertFalse(bridge.submit("no latent", run=1, step=step))
                self.assertFalse(bridge.submit(latent(1, 4, 8, 8), run=1, step=-1))
        self.assertEqual(len(logs.output), 2)
        self.show(bridge, run=2)

    def test_the_users_cancel_goes_through(self):
        bridge = self.bridge(strict=False)
        self.show(bridge, run=1)
        with unittest.mock.patch("latentbridge.tensors.Contiguous.copy_into", side_effect=KeyboardInterrupt):
            with self.assertRaises(KeyboardInterrupt):
                bridge.submit(latent(1, 4, 8, 8), run=1, step=1)
        self.show(bridge, run=1, step=2)
        until(lambda: len(bridge._thread.mapping.free) == 4)  # the slot's release may come just behind its picture

    def test_a_host_that_cannot_be_started_for_an_unforeseen_reason_is_not_tried_without_a_pause(self):
        for strict in (False, True):
            with self.subTest(strict=strict), unittest.mock.patch(
                    "latentbridge.bridge_thread.Connection", side_effect=ValueError("unforeseen")) as connection, self.assertLogs("latentbridge"):
                bridge = self.bridge(strict=strict, back_off=1000.0)
                for step in range(50):
                    bridge.submit(latent(1, 4, 8, 8), run=1, step=step)
                    time.sleep(0.001)
                bridge.status(20)
                self.assertEqual(connection.call_count, 1)


@unittest.skipUnless(hasattr(os, "posix_fallocate"), "this system has no posix_fallocate")
class Memory(BridgeTestCase):
    def test_no_memory_for_the_mapping_is_said_with_one_line(self):
        bridge = self.bridge(strict=False)
        before = temporary_files()
        with self.assertLogs("latentbridge", "WARNING") as logs, unittest.mock.patch(
                "os.posix_fallocate", side_effect=OSError(errno.ENOSPC, "No space left on device")):
            while bridge.off_reason is None:
                bridge.submit(latent(1, 4, 8, 8), run=1, step=0)
                time.sleep(0.01)
        self.assertEqual(len(logs.output), 1)
        self.assertIn("no shared memory for", logs.output[0])
        self.assertLessEqual(traces(), before)

    def test_no_memory_to_grow_leaves_the_small_ones_working(self):
        bridge = self.bridge(strict=False)
        self.show(bridge, run=1)
        with self.assertLogs("latentbridge", "WARNING") as logs, unittest.mock.patch(
                "os.posix_fallocate", side_effect=OSError(errno.ENOSPC, "No space left on device")):
            for step in range(5):
                bridge.submit(latent(1, 4, 600, 600), run=2, step=step)
                bridge.wait(run=2, step=step, timeout=0.05)
        self.assertIn("get no preview", logs.output[0])
        self.show(bridge, run=3)
        self.assertEqual(bridge.status()["hosts"], 1)

    def test_where_dev_shm_is_small_the_temporary_folder_carries_the_latents(self):
        real, small = os.posix_fallocate, os.stat("/dev/shm").st_dev

        def fallocate(descriptor, offset, length):
            if os.fstat(descriptor).st_dev == small and length > self.room:
                raise OSError(errno.ENOSPC, "No space left on device")
            real(descriptor, offset, length)

        if os.stat(tempfile.gettempdir()).st_dev == small:
            self.skipTest("the temporary folder is /dev/shm's file system")
        before = temporary_files()
        with unittest.mock.patch("os.memfd_create", side_effect=PermissionError(errno.EPERM, "not permitted")), \
                unittest.mock.patch("os.posix_fallocate", fallocate):
            for self.room in (0, 32 << 20):  # too small from the start, or for a bigger latent
                with self.subTest(self.room):
                    bridge = self.bridge()
                    for run, side in enumerate((8, 1200)):
                        buffer, preview = self.show(bridge, run=run, axes=(1, 4, side, side))
                        self.assertEqual(preview.data, digest(buffer))
        self.assertLessEqual(traces(), before)

    def test_where_memfd_is_refused_a_file_carries_the_latents(self):
        before = temporary_files()
        with unittest.mock.patch("os.memfd_create", side_effect=PermissionError(errno.EPERM, "not permitted")):
            buffer, preview = self.show(self.bridge(), run=1)
        self.assertEqual(preview.data, digest(buffer))
        self.assertLessEqual(traces(), before)


class Signals:
    """Killed and stopped hosts before, during and after a step. Runs with the fake host and with the real one."""

    def command(self):
        raise NotImplementedError

    def shown(self, bridge, run):
        """Shows one latent, however many tries it takes (one may be lost with a host)."""
        return until(lambda: bridge.submit(latent(1, 4, 8, 8), run=run, step=0, latent_format="SDXL")
                     and bridge.wait(run=run, step=0, timeout=0.5), 60)

    def test_killed_or_stopped_before_during_and_after_a_step(self):
        for number in (signal.SIGKILL, signal.SIGSTOP):
            for when in ("before", "during", "after"):
                with self.subTest(f"{number.name} {when}"):
                    before = temporary_files()
                    bridge = self.bridge(host=self.command(), start_patience=4.0, patience=1.0)
                    if when != "before":
                        self.shown(bridge, 1)
                    else:
                        until(lambda: bridge.start(0.001) or bridge.host_pid)
                    pid = bridge.host_pid
                    if when == "during":
                        for step in range(1, 9):
                            bridge.submit(latent(1, 4, 64, 64), run=1, step=step, latent_format="SDXL")
                    os.kill(pid, number)
                    # a burst into the dead or stopped host, more than its pipe takes as messages
                    for step in range(10, 500):
                        bridge.submit(latent(1, 4, 8, 8), run=1, step=step)
                        bridge.configure(size=step)
                    self.shown(bridge, 2)
                    self.assertNotEqual(bridge.host_pid, pid)
                    until(lambda: not alive(pid))
                    second = bridge.host_pid
                    bridge.close()
                    until(lambda: not alive(second))
                    self.assertLessEqual(traces(pid, second), before)

    def test_two_bridges_do_not_disturb_each_other(self):
        one, two = (self.bridge(host=self.command(), start_patience=20) for _ in range(2))
        self.shown(one, 1)
        self.shown(two, 1)
        self.assertNotEqual(one.host_pid, two.host_pid)
        os.kill(one.host_pid, signal.SIGKILL)
        kept = two.host_pid
        self.shown(two, 2)
        self.shown(one, 2)
        self.assertEqual(two.host_pid, kept)

    def test_a_killed_ui_leaves_no_process_and_no_file(self):
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
            self.end_a_ui(number)

    def end_a_ui(self, number, stops_host=False):
        with self.subTest(number.name):
            before = temporary_files()
            program = (
                "import sys, json; from tests.bridges import *\n"
                f"b = Bridge(host=json.loads(sys.argv[1]))\n"
                "for s in range(10**6):\n"
                "    b.submit(latent(1, 4, 8, 8), run=1, step=s)\n"
                "    if b.wait(run=1, step=s, timeout=0.5) and s == 9: print(b.host_pid, flush=True)\n")
            ui = subprocess.Popen([sys.executable, "-c", program, json.dumps(self.command())], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, text=True, cwd=Path(__file__).parents[1])
            pid = int(ui.stdout.readline())
            if stops_host:
                os.kill(pid, signal.SIGSTOP)
            ui.send_signal(number)
            ui.wait(20)
            ui.stdout.close()
            until(lambda: not alive(pid))
            self.assertLessEqual(traces(pid), before)


@unittest.skipUnless(sys.platform.startswith("linux"), "signals and /proc as on Linux")
class SignalsToTheFakeHost(Signals, BridgeTestCase):
    def command(self):
        return [sys.executable, "-S", str(FAKE_HOST)]


@unittest.skipUnless(sys.platform.startswith("linux"), "signals and /proc as on Linux")
class SignalsToTheRealHost(Signals, BridgeTestCase):
    def command(self):
        return real_host()

    def test_a_stopped_host_does_not_survive_its_ui(self):
        self.end_a_ui(signal.SIGKILL, stops_host=True)


class Samplers(BridgeTestCase):
    def test_many_threads_may_submit(self):
        bridge = self.bridge()
        wrong = []

        def sample(stream):
            for step in range(200):
                if not bridge.submit(latent(1, 4, 8, 8, start=stream), run=1, step=step, stream=stream):
                    wrong.append((stream, step))
            preview = bridge.wait(run=1, step=199, stream=stream, timeout=20)
            if preview is None or preview.data != digest(latent(1, 4, 8, 8, start=stream)):
                wrong.append(stream)

        threads = [threading.Thread(target=sample, args=(stream,)) for stream in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])
