"""Latents kept in memory: which steps, how many, what goes first."""

import tempfile
import unittest
from pathlib import Path

from latentbridge import history, safetensors
from latentbridge.history import History
from latentbridge.protocol import F32, LatentHeader
from tests.bridges import BridgeTestCase, until


def header(run, step, axes=(1, 1, 2, 2), stream=0):
    return LatentHeader(1, run, stream, step, 3, 0, F32, axes, 16)


class HistoryTests(unittest.TestCase):
    def keys(self, kept):
        return [(run.key[1], list(run.steps)) for run in kept.runs()]

    def test_steps_are_kept_as_they_came_and_outlive_their_bytes(self):
        kept, payload = History(), bytearray(b"a" * 16)
        kept.add(header(1, 0), memoryview(payload))
        payload[:] = b"b" * 16
        kept.add(header(1, 1), memoryview(payload))
        self.assertEqual([bytes(step.latent.data) for step in kept.run(1).steps.values()], [b"a" * 16, b"b" * 16])
        self.assertEqual(kept.run(1).steps[1].latent.axes, (1, 1, 2, 2))
        self.assertIsNone(kept.run(1, stream=5))

    def test_the_oldest_run_goes_first_and_a_run_alone_loses_its_oldest_steps(self):
        kept = History(room=64)
        for run, steps in ((1, 2), (2, 1), (3, 2)):
            for step in range(steps):
                kept.add(header(run, step), memoryview(bytes(16)))
        self.assertEqual(self.keys(kept), [(2, [0]), (3, [0, 1])])
        for step in range(2, 7):
            kept.add(header(3, step), memoryview(bytes(16)))
        self.assertEqual(self.keys(kept), [(3, [3, 4, 5, 6])])

    def test_a_step_that_comes_again_replaces_itself(self):
        kept = History(room=32)
        for _ in range(5):
            kept.add(header(1, 0), memoryview(bytes(16)))
        kept.add(header(1, 1), memoryview(bytes(16)))
        self.assertEqual(self.keys(kept), [(1, [0, 1])])

    def test_only_so_many_runs_are_kept(self):
        kept = History(runs=2)
        for run in range(4):
            kept.add(header(run, 0), memoryview(bytes(16)))
        self.assertEqual(self.keys(kept), [(2, [0]), (3, [0])])

    def test_a_run_becomes_a_recording(self):
        kept = History()
        kept.describe(1, latent_format="SDXL")
        for step in range(2):
            kept.add(header(1, step, (1, 1, 2, 2)), memoryview(bytes(16)))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "run.safetensors")
            history.save(kept.run(1), str(path))
            metadata, tensors = safetensors.read(path)
        self.assertEqual((metadata["latent_format"], tensors["latents"].axes), ("SDXL", (2, 1, 2, 2)))


class OfABridge(BridgeTestCase):
    def test_a_bridge_hands_over_each_latent_that_goes_to_the_host(self):
        kept = History()
        bridge = self.bridge(on_latent=kept.add)
        sent = [self.show(bridge, run=1, step=step)[0] for step in range(3)]
        self.assertEqual([bytes(step.latent.data) for step in kept.run(1).steps.values()], [bytes(one) for one in sent])

    def test_one_that_raises_is_said_once_and_pictures_go_on(self):
        def fail(header, payload):
            raise RuntimeError("no room")

        bridge = self.bridge(on_latent=fail)
        with self.assertLogs("latentbridge", "WARNING") as said:
            for step in range(3):
                self.show(bridge, run=1, step=step)
        self.assertEqual([line for line in said.output if "no room" in line].__len__(), 1)
        until(lambda: bridge.status()["shown"] == 3)


if __name__ == "__main__":
    unittest.main()
