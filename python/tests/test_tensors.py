"""Every kind of latent arrives as the bytes it should, and is left alone."""

import array
import unittest
from contextlib import nullcontext
from types import SimpleNamespace

from latentbridge import protocol
from latentbridge.tensors import Choice, LatentError, RawLatent, Reader, Staging, read

try:
    import numpy
except ImportError:
    numpy = None
try:
    import torch
except ImportError:
    torch = None
try:
    import hypothesis
    import hypothesis.strategies
except ImportError:
    hypothesis = None

ALL = Choice("grid", 0, 0)


def copied(latent, choice=ALL, reader=None):
    source = reader.read(latent) if reader is not None else read(latent, choice)
    target = bytearray(b"\xff" * source.length)
    source.copy_into(memoryview(target))
    return source, bytes(target)


def nested(*tensors):
    return (getattr(torch, "nested_tensor", None) or torch.nested.nested_tensor)(list(tensors))


def floats(*axes, scale=1.0):
    count = 1
    for axis in axes:
        count *= axis
    return memoryview(array.array("f", [i * scale for i in range(count)])).cast("B").cast("f", axes)


class Buffers(unittest.TestCase):
    def test_f32_goes_as_it_is(self):
        latent = floats(1, 4, 2, 3)
        source, data = copied(latent)
        self.assertEqual((source.element_type, source.axes, data), (protocol.F32, (1, 4, 2, 3), bytes(latent)))

    def test_a_chosen_item_and_frame_are_all_that_is_copied(self):
        b, c, t, h, w = 2, 3, 5, 2, 2
        latent = floats(b, c, t, h, w)
        for choice, item, frame in ((Choice(), 0, 2), (Choice("item", 1, "last"), 1, 4), (Choice("item", 9, 3), 1, 3),
                                    (Choice("first", 1, "first"), 0, 0), (Choice("first", 0, 99), 0, 4)):
            with self.subTest(choice):
                source, data = copied(latent, choice)
                expected = [((item * c + channel) * t + frame) * h * w + i for channel in range(c) for i in range(h * w)]
                self.assertEqual(source.axes, (1, c, 1, h, w))
                self.assertEqual(list(memoryview(data).cast("f")), expected)

    def test_the_frames_before_go_with_the_chosen_one(self):
        b, c, t, h, w = 2, 3, 5, 1, 2
        latent = floats(b, c, t, h, w)
        for choice, frames in ((Choice("item", 1, "last", None, 2), range(2, 5)), (Choice("item", 1, 1, None, 2), range(2)), (Choice("item", 1, 0, None, 2), range(1))):
            with self.subTest(choice):
                source, data = copied(latent, choice)
                expected = [((c + channel) * t + frame) * h * w + i for channel in range(c) for frame in frames for i in range(h * w)]
                self.assertEqual((source.axes, source.has_past), ((1, c, len(frames), h, w), len(frames) > 1))
                self.assertEqual(list(memoryview(data).cast("f")), expected)

    def test_a_grid_of_videos_keeps_the_batch_and_one_frame(self):
        source, data = copied(floats(2, 1, 3, 1, 2), Choice("grid", 0, 1))
        self.assertEqual((source.axes, list(memoryview(data).cast("f"))), ((2, 1, 1, 1, 2), [2, 3, 8, 9]))

    def test_three_axes_are_sent_whole(self):
        self.assertEqual(copied(floats(3, 2, 2), Choice())[0].axes, (3, 2, 2))

    def test_the_first_of_a_list_or_nested_set_counts(self):
        first, second = floats(1, 2, 2, 2), floats(1, 1, 9, 9)
        for nested in ([first, second], (first,), SimpleNamespace(is_nested=True, tensors=[first, second])):
            with self.subTest(type(nested)):
                self.assertEqual(copied(nested)[1], bytes(first))

    def test_raw_bytes_carry_f16_and_bf16_without_numpy(self):
        for name, number in (("F16", protocol.F16), ("BF16", protocol.BF16)):
            source, data = copied(RawLatent(bytes(range(48)), name, (2, 3, 2, 2)), Choice("item", 1))
            self.assertEqual((source.element_type, source.axes, data), (number, (1, 3, 2, 2), bytes(range(24, 48))))
        for wrong, said in ((RawLatent(bytes(47), "F16", (2, 3, 2, 2)), "47 bytes.*takes 48"),
                            (RawLatent(b"", "F8", (1, 1)), "F32, F16")):
            with self.assertRaisesRegex(LatentError, said):
                read(wrong, ALL)

    def test_what_is_no_latent_is_refused_with_a_sentence(self):
        for latent, said in ((None, "NoneType"), ("text", "str"), ([], "empty list"), (b"abc", r"shape is \(3,\)"),
                             (floats(1, 2)[0:0], "shape"), (memoryview(bytes(64)).cast("f", (1, 1, 1, 2, 2, 4)), "2 to 5 axes")):
            with self.subTest(said), self.assertRaisesRegex(LatentError, said):
                read(latent, ALL)

    @unittest.skipIf(numpy, "numpy converts such buffers")
    def test_other_elements_need_numpy(self):
        with self.assertRaisesRegex(LatentError, "without numpy"):
            read(memoryview(bytes(64)).cast("d", (2, 2, 2)), ALL)


@unittest.skipUnless(numpy, "numpy is not installed")
class NumpyArrays(unittest.TestCase):
    def test_every_element_type_arrives(self):
        values = numpy.arange(2 * 3 * 4).reshape(1, 2, 3, 4)
        for dtype in ("float32", "float16", "float64", ">f4", ">f8", "int64", "int8", "uint8", "bool"):
            with self.subTest(dtype):
                latent = values.astype(dtype)
                source, data = copied(latent)
                read_as = numpy.float16 if source.element_type == protocol.F16 else numpy.float32
                self.assertEqual(source.element_type, protocol.F16 if dtype == "float16" else protocol.F32)
                numpy.testing.assert_array_equal(numpy.frombuffer(data, read_as).reshape(latent.shape), latent.astype("float32"))

    def test_a_buffer_of_f16_goes_as_it_is(self):
        latent = numpy.arange(8, dtype="float16").reshape(2, 2, 2)
        source, data = copied(memoryview(latent))
        self.assertEqual((source.element_type, source.axes, data), (protocol.F16, (2, 2, 2), latent.tobytes()))

    def test_other_layouts_arrive_in_order(self):
        base = numpy.arange(2 * 4 * 6 * 8, dtype=numpy.float32).reshape(2, 4, 6, 8)
        for name, latent in (("transposed", base.transpose(0, 1, 3, 2)), ("sliced", base[:, ::2, 1:-1, ::-1]),
                             ("fortran", numpy.asfortranarray(base)), ("channels last", base.transpose(0, 3, 1, 2)),
                             ("broadcast", numpy.broadcast_to(base[:1], base.shape))):
            with self.subTest(name):
                self.assertEqual(copied(latent)[1], latent.tobytes())
                self.assertEqual(copied(latent, Choice())[1], latent[:1].tobytes())

    def test_complex_and_text_are_refused(self):
        for dtype in ("complex64", "S3", "O"):
            with self.subTest(dtype), self.assertRaisesRegex(LatentError, "real numbers"):
                read(numpy.zeros((2, 2, 2), dtype), ALL)

    def test_empty_axes_are_refused(self):
        with self.assertRaisesRegex(LatentError, "every axis"):
            read(numpy.zeros((1, 0, 2, 2), "float32"), ALL)

    @unittest.skipUnless(hypothesis, "hypothesis is not installed")
    def test_any_shape_layout_and_choice(self):
        strategies = hypothesis.strategies

        @hypothesis.settings(max_examples=200, deadline=None)
        @hypothesis.given(strategies.data())
        def check(draws):
            axes = draws.draw(strategies.lists(strategies.integers(1, 6), min_size=2, max_size=5))
            order = draws.draw(strategies.permutations(range(len(axes))))
            dtype = draws.draw(strategies.sampled_from(["float32", "float16", "float64", "int32"]))
            choice = Choice(draws.draw(strategies.sampled_from(["first", "grid", "item"])), draws.draw(strategies.integers(0, 9)),
                            draws.draw(strategies.sampled_from(["first", "middle", "last", 0, 3, 9])), "any")
            latent = numpy.arange(numpy.prod(axes), dtype=dtype).reshape(axes).transpose(order)
            source, data = copied(latent, choice)
            part = choice.part(latent.shape)
            expected = latent[part.items.start:part.items.stop] if part.batch is not None else latent
            expected = expected[:, :, part.frames.start:part.frames.stop] if latent.ndim == 5 else expected
            self.assertEqual(source.axes, expected.shape)
            found = numpy.frombuffer(data, "float16" if source.element_type == protocol.F16 else "float32").reshape(source.axes)
            numpy.testing.assert_array_equal(found, expected)

        check()


@unittest.skipUnless(torch, "torch is not installed")
class TorchTensors(unittest.TestCase):
    def check(self, tensor, element_type, choice=ALL, expected=None):
        before = tensor.clone()
        source, data = copied(tensor, choice)
        dtype = (torch.float32, torch.float16, torch.bfloat16)[element_type]
        found = torch.frombuffer(bytearray(data), dtype=dtype).view(source.axes)
        self.assertEqual(source.element_type, element_type)
        self.assertTrue(torch.equal(found, (tensor if expected is None else expected).detach().to(dtype)))
        self.assertTrue(torch.equal(tensor, before))

    def test_the_protocols_types_go_as_they_are(self):
        for dtype, element_type in ((torch.float32, 0), (torch.float16, 1), (torch.bfloat16, 2)):
            with self.subTest(dtype):
                self.check(torch.randn(2, 4, 3, 5).to(dtype), element_type)

    def test_others_become_f32(self):
        for dtype in (torch.float64, torch.int64, torch.int8, torch.uint8, torch.bool):
            with self.subTest(dtype):
                self.check((torch.randn(1, 4, 3, 5) * 3).to(dtype), protocol.F32)

    def test_other_layouts_arrive_in_order(self):
        base = torch.randn(2, 4, 6, 8)
        for name, tensor in (("transposed", base.transpose(2, 3)), ("sliced", base[:, ::2, 1:-1]),
                             ("expanded", base[:1].expand(2, 4, 6, 8)),
                             ("channels last", base.to(memory_format=torch.channels_last))):
            for element_type, dtype in enumerate((torch.float32, torch.float16, torch.bfloat16)):
                with self.subTest(f"{name} {dtype}"):
                    self.check(tensor.to(dtype), element_type)
                    self.check(tensor.to(dtype), element_type, Choice(), tensor.to(dtype)[:1])

    def test_a_videos_middle_frame(self):
        video = torch.randn(1, 16, 5, 4, 4)
        self.check(video, 0, Choice(), video[:, :, 2:3])
        self.check(video.transpose(3, 4), 0, Choice(frame="last"), video.transpose(3, 4)[:, :, 4:5])

    def test_inference_and_gradient_tensors(self):
        with torch.inference_mode():
            inference = torch.randn(1, 4, 8, 8)
            self.assertEqual(copied(inference.transpose(2, 3))[1], inference.transpose(2, 3).contiguous().numpy().tobytes())
        self.assertEqual(copied(inference)[1], inference.numpy().tobytes())
        self.assertEqual(copied(inference.transpose(2, 3))[1], inference.transpose(2, 3).contiguous().numpy().tobytes())
        gradient = torch.randn(1, 4, 8, 8, requires_grad=True)
        for tensor in (gradient, gradient.transpose(2, 3), gradient.double()):
            self.assertEqual(copied(tensor)[1], tensor.detach().float().contiguous().numpy().tobytes())

    def test_complex_and_meta_tensors_are_refused(self):
        with self.assertRaisesRegex(LatentError, "real numbers"):
            read(torch.zeros(1, 2, 2, dtype=torch.complex64), ALL)
        with self.assertRaises((NotImplementedError, RuntimeError)):
            copied(torch.zeros(1, 2, 2, device="meta"))

    def test_a_reader_sees_when_a_latent_is_unlike_the_last_one(self):
        reader = Reader(Choice())
        base = torch.randn(2, 4, 6, 8)
        for name, tensor in (("first", base), ("like it", base + 1), ("another shape", base.reshape(2, 4, 8, 6)), ("less axes", base[0]),
                             ("another type", base.half()), ("as the first", base), ("transposed", torch.randn(2, 4, 8, 6).transpose(2, 3)),
                             ("a parameter", torch.nn.Parameter(base)), ("nested", nested(base)), ("a video", torch.randn(1, 4, 5, 6, 8)),
                             ("an array", base.numpy()), ("a list", [base]), ("as the first again", base)):
            with self.subTest(name):
                found, expected = copied(tensor, reader=reader), copied(tensor, Choice())
                self.assertEqual((found[0].axes, found[0].element_type, found[1]), (expected[0].axes, expected[0].element_type, expected[1]))
        with self.assertRaises((LatentError, RuntimeError)):
            reader.read(torch.empty(2, 4, 6, 8, device="meta"))

    def test_torchs_own_nested_tensors(self):
        self.assertEqual(copied(nested(torch.ones(2, 3, 3), torch.zeros(2, 4, 4)))[0].axes, (2, 3, 3))


class FakeCuda:
    """As much of a torch CUDA tensor as the staging touches; every call is noted in ``log``."""

    def __init__(self, log, axes=(1, 4, 2, 2), dtype="float32"):
        self.log, self.shape, self.dtype, self.device = log, axes, dtype, "cuda:0"
        self.memory = (FakePinned.Memory * 64)()

    def copy_(self, source, non_blocking):
        self.log.append(("copy", non_blocking))

    def data_ptr(self):
        import ctypes
        return ctypes.addressof(self.memory)


class FakePinned:
    from ctypes import c_char as Memory


class StagingTests(unittest.TestCase):
    def setUp(self):
        self.log = []
        self.passed = False
        log, case = self.log, self

        class Event:
            def record(self, stream):
                log.append(("record", stream))

            def query(self):
                return case.passed

            def synchronize(self):
                raise AssertionError("nothing may wait for the device")

        def empty(shape, dtype, device, pin_memory):
            log.append(("empty", shape, pin_memory))
            return FakeCuda(log, shape, dtype)

        self.torch = SimpleNamespace(
            empty=empty, inference_mode=nullcontext, cuda=SimpleNamespace(Event=Event, current_stream=lambda device: f"stream of {device}"))

    def test_the_copy_and_its_event_are_queued_and_nothing_waits(self):
        staged = Staging().start(self.torch, FakeCuda(self.log), protocol.F32)
        self.assertEqual(self.log, [("empty", (1, 4, 2, 2), True), ("copy", True), ("record", "stream of cuda:0")])
        self.assertFalse(staged.ready())
        self.passed = True
        self.assertTrue(staged.ready())
        self.assertEqual((staged.axes, staged.length, staged.on_device), ((1, 4, 2, 2), 64, True))

    def test_a_pinned_buffer_is_used_again_only_after_it_was_copied(self):
        staging = Staging()
        first = staging.start(self.torch, FakeCuda(self.log), protocol.F32)
        staging.start(self.torch, FakeCuda(self.log), protocol.F32)
        first.copy_into(memoryview(bytearray(64)))
        staging.start(self.torch, FakeCuda(self.log), protocol.F32)
        self.assertEqual([entry[0] for entry in self.log].count("empty"), 2)

    def test_another_shape_gets_its_own(self):
        staging = Staging()
        staging.start(self.torch, FakeCuda(self.log), protocol.F32).copy_into(memoryview(bytearray(64)))
        staging.start(self.torch, FakeCuda(self.log, (1, 2, 2, 2)), protocol.F32)
        self.assertEqual([entry[1] for entry in self.log if entry[0] == "empty"], [(1, 4, 2, 2), (1, 2, 2, 2)])

    @unittest.skipIf(torch is None, "torch is not installed")
    def test_a_buffer_made_in_inference_mode_is_written_outside_of_it_too(self):
        self.torch.inference_mode = torch.inference_mode
        self.torch.empty = lambda shape, dtype, device, pin_memory: torch.empty(shape, dtype=dtype, device=device)
        staging, normal = Staging(), torch.ones(1, 4, 2, 2)
        with torch.inference_mode():
            staging.start(self.torch, torch.zeros(1, 4, 2, 2), protocol.F32).copy_into(memoryview(bytearray(64)))
        kept = bytearray(64)
        staging.start(self.torch, normal, protocol.F32).copy_into(memoryview(kept))
        self.assertEqual(list(memoryview(kept).cast("f")), [1.0] * 16)
        self.assertEqual(len(staging._spare), 1)
