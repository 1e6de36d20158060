"""What only a real CUDA device shows: order of streams, waiting, graphs, memory."""

import hashlib
import threading
import unittest

from latentbridge.tensors import Choice, Staging, read
from tests.bridges import BridgeTestCase, until

try:
    import torch
    HAS_CUDA = torch.cuda.is_available()
except ImportError:
    HAS_CUDA = False

LONG = 2_000_000_000
"""Clock ticks of the device: about a second."""


def digest(tensor):
    return hashlib.sha256(tensor.cpu().contiguous().view(torch.uint8).numpy().tobytes()).digest()


@unittest.skipUnless(HAS_CUDA, "no CUDA device")
class BridgeOnCuda(BridgeTestCase):
    def setUp(self):
        super().setUp()
        self.x = torch.randn(1, 4, 64, 64, device="cuda")
        self.live = self.bridge()
        self.submit(self.x, 0)
        self.assertIsNotNone(self.live.wait(run=1, step=0, timeout=20))  # context, pinned buffer and host are there from here on

    def submit(self, x, step):
        self.assertTrue(self.live.submit(x, run=1, step=step))

    def test_the_sampler_waits_for_nothing_and_may_write_over_its_latent_at_once(self):
        expected = digest(self.x)
        torch.cuda.synchronize()
        torch.cuda._sleep(LONG)
        busy = torch.cuda.Event()
        busy.record()
        self.submit(self.x, 1)
        self.x.zero_()
        self.assertFalse(busy.query(), "submit waited for the device")
        self.assertEqual(self.live.wait(run=1, step=1, timeout=20).data, expected)

    def test_a_latent_of_another_stream_is_taken_in_that_streams_order(self):
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            torch.cuda._sleep(LONG // 4)
            later = self.x * 3
            self.submit(later, 1)
        data = self.live.wait(run=1, step=1, timeout=20).data
        self.assertEqual(data, digest(later))

    def test_a_submit_takes_no_memory_of_the_device(self):
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        for step in range(1, 6):
            self.submit(self.x, step)
            self.assertIsNotNone(self.live.wait(run=1, step=step, timeout=20))
        self.assertEqual(torch.cuda.max_memory_allocated(), before)

    def test_graphs_are_captured_while_latents_are_on_their_way(self):
        stream, y = torch.cuda.Stream(), torch.ones(16, device="cuda")
        for step in range(1, 20):
            torch.cuda.synchronize()
            with torch.cuda.stream(stream):
                torch.cuda._sleep(LONG // 10)
                self.submit(self.x, step)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.stream(torch.cuda.Stream()):
                graph.capture_begin()
                z = y + step
                threading.Event().wait(0.01)  # the bridge's thread asks meanwhile
                graph.capture_end()
            graph.replay()
            self.assertEqual(z.sum().item(), 16 * (1 + step))


@unittest.skipUnless(HAS_CUDA, "no CUDA device")
class StagedOnCuda(unittest.TestCase):
    def test_a_question_from_another_thread_breaks_no_capture(self):
        x, said = torch.ones(1, 4, 8, 8, device="cuda"), []
        staged = Staging().start(torch, x, 0)

        def ask():
            try:
                said.append(staged.ready())
            except Exception as error:
                said.append(error)

        graph, y = torch.cuda.CUDAGraph(), torch.ones(16, device="cuda")
        torch.cuda.synchronize()
        with torch.cuda.stream(torch.cuda.Stream()):
            graph.capture_begin()
            z = y + 1
            thread = threading.Thread(target=ask)
            thread.start()
            thread.join()
            graph.capture_end()
        graph.replay()
        self.assertEqual((said, z.sum().item()), ([True], 32))

    def test_every_kind_of_latent_arrives_as_from_the_cpu(self):
        video = torch.randn(2, 16, 5, 6, 8)
        for name, latent in (("F32", video), ("F16", video.half()), ("BF16", video.bfloat16()), ("F64", video.double()), ("strided", video[:, ::2]),
                             ("channels last", video[:, :, 0].contiguous(memory_format=torch.channels_last)), ("still", video[:1, :, 0]), ("whole numbers", video.int())):
            for choice in (Choice(), Choice("item", 1, "last"), Choice("grid", 0, "first"), Choice("first", 0, 3, "Wan21", 2)):
                with self.subTest(name, choice=choice):
                    ours, expected = read(latent.cuda(), choice, Staging()), read(latent, choice)
                    until(ours.ready)
                    self.assertEqual((ours.axes, ours.element_type, ours.length, ours.has_past),
                                     (expected.axes, expected.element_type, expected.length, expected.has_past))
                    found, right = bytearray(ours.length), bytearray(ours.length)
                    ours.copy_into(memoryview(found))
                    expected.copy_into(memoryview(right))
                    self.assertEqual(found, right)
