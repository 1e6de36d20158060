"""InvokeAI's progress pictures. Its own modules run here where LATENTBRIDGE_INVOKEAI names a checkout, with what they import stubbed; else a fake does."""

import base64
import enum
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import io
import logging
import os
import signal
import sys
import tempfile
import threading
import time
import types
import unittest
from pathlib import Path
from unittest import mock

from latentbridge import host_locator
from tests.bridges import QUICK, until

try:
    import torch
    from PIL import Image

    from latentbridge.integrations import invokeai
except ImportError as error:
    raise unittest.SkipTest(f"torch and Pillow are needed: {error}") from error

HOST = Path(__file__).parent / "fakes" / "a1111_host.py"
CHECKOUT = os.environ.get("LATENTBRIDGE_INVOKEAI", "")
CONTEXT = "invokeai.app.services.shared.invocation_context"
CALLBACK = "invokeai.app.util.step_callback"


class State(types.SimpleNamespace):
    """InvokeAI's ``PipelineIntermediateState``."""

    def __init__(self, step, latents, total=4, predicted_original=None):
        super().__init__(step=step, order=1, total_steps=total, timestep=0, latents=latents, predicted_original=predicted_original)


class Joined(unittest.TestCase):
    """Steps of a node, and the events that they lead to."""

    def setUp(self):
        before = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "invokeai"}
        self.addCleanup(lambda: ([sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "invokeai"], sys.modules.update(before)))
        for name in before:
            del sys.modules[name]
        self.own, self.events, self.is_canceled = [], [], False
        self.context = self.modules()
        self.addCleanup(invokeai.uninstall)

    def modules(self):
        """Fakes of the two modules that are joined."""
        for name in ("invokeai", "invokeai.app", "invokeai.app.services", "invokeai.app.services.shared", "invokeai.app.util"):
            sys.modules[name] = types.ModuleType(name)
            sys.modules[name].__path__ = []
        context, callback = types.ModuleType(CONTEXT), types.ModuleType(CALLBACK)
        callback.calc_percentage = lambda state: state.step / state.total_steps

        def diffusion_step_callback(signal_progress, intermediate_state, base_model, is_canceled):
            if is_canceled():
                raise InterruptedError
            signal_progress("Denoising", 0.5, "own", (64, 48))

        context.diffusion_step_callback = diffusion_step_callback
        sys.modules.update({CONTEXT: context, CALLBACK: callback})
        sys.modules["invokeai.app.services.shared"].invocation_context = context
        return context

    def join(self, *quirks, **bridge):
        invokeai.install({"host": [sys.executable, "-S", str(HOST), *quirks], **QUICK, **bridge})
        return invokeai._joined.bridge

    def node(self):
        """A node's callback. Each node has a context of its own."""
        events = self.events

        class Util:
            def signal_progress(self, message, percentage=None, image=None, image_size=None):
                if isinstance(image, invokeai.ReadyImage):
                    image.load()  # here, as Pillow may not on two threads
                events.append((message, percentage, image, image_size))

        util = Util()

        def step(state, base="sdxl"):
            self.context.diffusion_step_callback(signal_progress=util.signal_progress, intermediate_state=state, base_model=types.SimpleNamespace(value=base),
                                                 is_canceled=lambda: self.is_canceled)

        return step

    def latents(self, value=77.0, channels=4, **shape):
        return torch.full((1, channels, 6, 8), value)

    def ours(self):
        return [event for event in self.events if isinstance(event[2], invokeai.ReadyImage)]

    def own_pictures(self):
        return [event for event in self.events if event[2] is not None and event not in self.ours()]

    def warm(self):
        """The host is there and has made a picture."""
        step = self.node()
        step(State(0, self.latents()))
        until(self.ours)
        self.events.clear()


class Callback(Joined):
    def test_until_the_first_picture_came_the_ui_s_own_is_shown(self):
        self.join()
        step = self.node()
        step(State(0, self.latents(7.0)))
        self.assertEqual(len(self.own_pictures()), 1)
        until(self.ours)
        message, percentage, image, size = self.ours()[0]
        self.assertEqual((message, percentage, size), ("Denoising", 0.0, (64, 48)))
        self.assertEqual(image.convert("RGB").getpixel((0, 0)), (7, 0, 0))

    def test_each_step_is_one_event_with_its_picture(self):
        self.join()
        self.warm()
        step = self.node()
        for number in range(5):
            step(State(number, self.latents(10.0 * number)))
            until(lambda wanted=number + 1: len(self.ours()) == wanted)
        self.assertEqual([event[1] for event in self.events], [0, 0.25, 0.5, 0.75, 1])
        self.assertEqual([event[2].getpixel((0, 0))[0] for event in self.events], [0, 10, 20, 30, 40])

    def test_x0_is_shown_where_the_scheduler_tells_it(self):
        self.join()
        self.warm()
        self.node()(State(1, self.latents(1.0), predicted_original=self.latents(99.0)))
        until(self.ours)
        self.assertEqual(self.ours()[0][2].getpixel((0, 0))[0], 99)

    def test_latents_are_not_changed(self):
        self.join()
        self.warm()
        latents = torch.randn(1, 4, 6, 8)
        kept = latents.clone()
        self.node()(State(1, latents))
        until(self.ours)
        self.assertTrue(torch.equal(latents, kept))

    def test_every_family_has_its_format_and_size(self):
        self.join()
        self.warm()
        step = self.node
        for base, channels, size in (("sd-1", 4, 8), ("sd-2", 4, 8), ("sdxl-refiner", 4, 8), ("sd-3", 16, 8), ("flux", 16, 8), ("z-image", 16, 8), ("flux2", 32, 8),
                                     ("ernie-image", 32, 8), ("qwen-image", 16, 8), ("krea-2", 16, 8), ("anima", 16, 8), ("wan", 16, 8), ("wan", 48, 16)):
            self.events.clear()
            step()(State(1, self.latents(5.0, channels)), base)
            until(self.ours)
            self.assertEqual((len(self.own_pictures()), self.ours()[0][3]), (0, (8 * size, 6 * size)), base)

    def test_families_and_latents_that_are_not_known_keep_the_ui_s_own(self):
        self.join()
        self.warm()
        for base, latents in (("cogview4", self.latents(channels=16)), ("what-comes-next", self.latents()), ("sdxl", self.latents(channels=7)),
                              ("wan", self.latents(channels=7)), ("sdxl", torch.zeros(1, 4, 2, 6, 8))):
            self.events.clear()
            self.node()(State(1, latents), base)
            self.assertEqual(len(self.own_pictures()), 1, base)
        self.assertEqual(self.ours(), [])

    def test_whatever_fails_is_ours(self):
        self.join()
        self.warm()
        with self.assertLogs("latentbridge", "WARNING"):
            self.node()(State(1, self.latents(), predicted_original="no tensor"))
        self.assertEqual(len(self.own_pictures()), 1)

    def test_without_a_host_the_ui_s_own_goes_on(self):
        bridge = self.join(host=[sys.executable, "-c", "raise SystemExit(1)"], attempts=1)
        step = self.node()
        step(State(0, self.latents()))
        until(lambda: bridge.off_reason)
        step(State(1, self.latents()))
        self.assertEqual(len(self.own_pictures()), 2)

    @unittest.skipUnless(hasattr(signal, "SIGSTOP"), "a process cannot be stopped here")
    def test_a_host_that_stalls_costs_the_pictures_of_its_patience_and_no_time(self):
        bridge = self.join(patience=60.0)
        self.warm()
        self.enterContext(mock.patch.object(invokeai, "PATIENCE", 0.3))
        os.kill(bridge.host_pid, signal.SIGSTOP)
        self.addCleanup(os.kill, bridge.host_pid, signal.SIGCONT)
        step = self.node()
        began = time.perf_counter()
        for number in range(3):
            step(State(number, self.latents()))
        self.assertLess(time.perf_counter() - began, 0.3)
        self.assertEqual(self.events, [("Denoising", 0.25, None, None), ("Denoising", 0.5, None, None)])  # the step before had no picture
        time.sleep(0.35)
        step(State(3, self.latents()))
        self.assertEqual(len(self.own_pictures()), 1)

    def test_a_cancelled_node_ends_as_it_did_and_shows_nothing_more(self):
        self.join()
        self.warm()
        step = self.node()
        self.is_canceled = True
        with self.assertRaises(Exception) as caught:
            step(State(1, self.latents()))
        self.assertIn(type(caught.exception).__name__, ("InterruptedError", "CanceledException"))
        joined = invokeai._joined
        joined._arrived(types.SimpleNamespace(stream=0, run=joined._runs[0].number, step=1))
        self.assertEqual(self.events, [])

    def test_a_picture_of_an_earlier_node_is_not_shown(self):
        self.join()
        self.warm()
        first = invokeai._joined._runs[0]
        self.node()(State(1, self.latents()))
        until(self.ours)
        self.events.clear()
        invokeai._joined._arrived(types.SimpleNamespace(stream=0, run=first.number, step=1))
        self.assertEqual(self.events, [])

    def test_threads_that_sample_at_once_do_not_mix(self):
        self.join()
        self.warm()

        def sample(base):
            step = self.node()
            for number in range(1, 5):
                step(State(number, self.latents(base + number)))
                until(lambda: any(event[2].getpixel((0, 0))[0] == base + number for event in self.ours()))

        threads = [threading.Thread(target=sample, args=(base,)) for base in (100, 200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual(sorted(event[2].getpixel((0, 0))[0] for event in self.ours()), [101, 102, 103, 104, 201, 202, 203, 204])

    def test_uninstall_and_another_install_leave_one_wrapper_at_most(self):
        before = self.context.diffusion_step_callback
        first = self.join()
        self.join()
        self.assertIs(self.context.diffusion_step_callback.__wrapped__, before)
        self.assertEqual(first.off_reason, "closed")
        invokeai.uninstall()
        self.assertIs(self.context.diffusion_step_callback, before)


REAL = {CONTEXT, CALLBACK, "invokeai.app.services.session_processor.session_processor_common", "invokeai.app.invocations.load_custom_nodes",
        "invokeai.backend.util.util", "invokeai.backend.model_manager.taxonomy", "invokeai.backend.flux2.sampling_utils",
        *(f"invokeai.backend.stable_diffusion.{name}" for name in ("extensions.preview", "extensions.base", "extension_callback_type"))}
"""Of InvokeAI, run as they are. Every other module of it, and whatever is not installed, is stubbed."""


class Anything(type):
    """Of classes that take anything, and have every name."""

    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return cls


class Stub(types.ModuleType):
    """A module in which every name is such a class."""

    __path__ = ()

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        found = Anything(name, (), {"__init__": lambda self, *_, **__: None, "__class_getitem__": classmethod(lambda kind, _: kind)})
        setattr(self, name, found)
        return found


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Before all others: InvokeAI's modules, and stubs for what they import and is not there."""

    def find_spec(self, name, path=None, target=None):
        if name in REAL:
            return importlib.util.spec_from_file_location(name, Path(CHECKOUT, *name.split(".")).with_suffix(".py"))
        caller = sys._getframe(1)
        while caller.f_globals.get("__name__", "").startswith("importlib"):
            caller = caller.f_back
        is_asked_by_it = caller.f_globals.get("__name__", "").startswith("invokeai")
        is_missing = name.startswith("invokeai") or (is_asked_by_it and not any(finder.find_spec(name, path, target) for finder in sys.meta_path if finder is not self))
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if is_missing else None

    def create_module(self, spec):
        return Stub(spec.name)

    def exec_module(self, module):
        pass


@unittest.skipUnless(CHECKOUT, "LATENTBRIDGE_INVOKEAI names no checkout of invoke-ai/InvokeAI")
class RealModules(Callback):
    """The same tests with InvokeAI's own ``diffusion_step_callback`` under its own ``UtilInterface``; events end where it would queue them."""

    def modules(self):
        try:
            import pydantic  # noqa: F401
        except ImportError as error:
            self.skipTest(f"pydantic is needed: {error}")
        finder = Finder()
        sys.meta_path.insert(0, finder)
        self.addCleanup(sys.meta_path.remove, finder)
        self.addCleanup(lambda: [sys.modules.pop(name) for name, module in list(sys.modules.items()) if isinstance(module, Stub)])
        context = importlib.import_module(CONTEXT)
        self.taxonomy = importlib.import_module("invokeai.backend.model_manager.taxonomy")
        return context

    def util(self):
        """The context of a node, as InvokeAI builds it."""
        def emit_invocation_progress(queue_item, invocation, message, percentage, image):
            self.events.append((message, percentage, image and Decoded(image), image and (image.width, image.height)))

        services = types.SimpleNamespace(events=types.SimpleNamespace(emit_invocation_progress=emit_invocation_progress))
        data = types.SimpleNamespace(queue_item=None, invocation=None)
        return self.context.UtilInterface(services, data, lambda: self.is_canceled)

    def node(self):
        util = self.util()

        def step(state, base="sdxl"):
            known = {kind.value for kind in self.taxonomy.BaseModelType}
            kind = self.taxonomy.BaseModelType(base) if base in known else enum.Enum("BaseModelType", {"Next": base}).Next
            if base == "flux":
                util.flux_step_callback(state)
            elif base == "flux2":
                util.flux2_step_callback(state)
            else:
                util.sd_step_callback(state, kind)

        return step

    def ours(self):
        return [event for event in self.events if event[2] is not None and event[2].is_png]  # the fake host's; InvokeAI makes JPEGs

    def test_families_and_latents_that_are_not_known_keep_the_ui_s_own(self):
        self.join()
        self.warm()
        self.node()(State(1, self.latents(channels=16)), "cogview4")
        self.assertEqual((len(self.own_pictures()), self.ours()), (1, []))
        with self.assertRaisesRegex(ValueError, "Unsupported base model"):  # as without us
            self.node()(State(1, self.latents()), "what-comes-next")

    def test_whatever_fails_is_ours(self):
        self.join()
        self.warm()
        invokeai._joined.bridge.submit = None
        with self.assertLogs("latentbridge", "WARNING"):
            self.node()(State(1, self.latents()))
        self.assertEqual(len(self.own_pictures()), 1)

    def test_a_denoising_of_its_preview_extension(self):
        self.join()
        self.warm()
        preview = importlib.import_module("invokeai.backend.stable_diffusion.extensions.preview")
        util, kind = self.util(), self.taxonomy.BaseModelType.StableDiffusionXL
        extension = preview.PreviewExt(lambda state: util.sd_step_callback(state, kind))
        scheduler = types.SimpleNamespace(order=1, config=types.SimpleNamespace(num_train_timesteps=1000))
        context = types.SimpleNamespace(scheduler=scheduler, inputs=types.SimpleNamespace(timesteps=[900, 600, 300]), latents=self.latents(1.0), timestep=900, step_index=0)
        extension.initial_preview(context)
        until(lambda: len(self.ours()) == 1)
        for number in range(3):
            context.step_index, context.step_output = number, types.SimpleNamespace(prev_sample=self.latents(2.0), pred_original_sample=self.latents(10.0 * (number + 1)))
            extension.step_preview(context)
            until(lambda wanted=number + 2: len(self.ours()) == wanted)
        self.assertEqual([event[2].getpixel((0, 0))[0] for event in self.ours()], [1, 10, 20, 30])
        self.assertEqual([round(event[1], 2) for event in self.events], [0, 0, 0.33, 0.67])

    def test_its_packed_latents_come_as_the_format_s(self):
        try:
            import einops  # noqa: F401
        except ImportError as error:
            self.skipTest(f"einops is needed: {error}")
        self.join()
        self.warm()
        unpack = importlib.import_module("invokeai.backend.flux2.sampling_utils").unpack_flux2
        tokens = torch.arange(3 * 4 * 128, dtype=torch.float32).reshape(1, 12, 128)
        seen = []
        invokeai._joined.bridge.submit = lambda latent, **named: seen.append(latent) or True
        self.util().flux2_step_callback(State(1, unpack(tokens, 48, 64).squeeze()))
        self.assertTrue(torch.equal(seen[0], tokens.reshape(1, 3, 4, 128).permute(0, 3, 1, 2)))

    def test_its_loader_takes_the_repository_for_a_node_pack(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        Path(folder, "LatentBridge").symlink_to(host_locator.ROOT)
        before = self.context.diffusion_step_callback
        loader = importlib.import_module("invokeai.app.invocations.load_custom_nodes")
        self.addCleanup(lambda: [sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "LatentBridge"])
        with self.assertLogs("its own", "INFO") as logs:
            for _ in range(2):  # its page can load them again
                loader.load_custom_nodes(Path(folder), logging.getLogger("its own"))
        self.addCleanup(sys.modules["LatentBridge.python.latentbridge.integrations.invokeai"].uninstall)
        self.assertIn("Loaded 1 node pack", logs.output[-1])
        self.assertIs(self.context.diffusion_step_callback.__wrapped__, before)

    def test_the_sampler_s_thread_pays_less_than_for_its_own_picture(self):
        util, kind = self.util(), self.taxonomy.BaseModelType.StableDiffusionXL
        latents = torch.randn(1, 4, 128, 128)

        def milliseconds(action, count=60):
            taken = []
            for number in range(count):
                began = time.thread_time()
                action(number)
                taken.append((time.thread_time() - began) * 1000)
                time.sleep(0.004)
            return sorted(taken)[count // 2]

        own = milliseconds(lambda number: util.sd_step_callback(State(number, latents, 60), kind))
        bridge = self.join()
        self.warm()
        whole = milliseconds(lambda number: util.sd_step_callback(State(number, latents, 60), kind))
        bare = milliseconds(lambda number: bridge.submit(latents, run=1000, step=number, total=62, stream=9, latent_format="SDXL"))
        print(f"\nInvokeAI, SDXL 1024x1024, processor time of a step on the sampler's thread: its own {own:.3f} ms, ours {whole:.3f} ms, a bare submit {bare:.3f} ms")
        self.assertLess(whole, own)


class Decoded:
    """The picture in an event."""

    def __init__(self, image):
        head, _, data = image.dataURL.partition(",")
        assert head == "data:image/jpeg;base64", head
        self.data = base64.b64decode(data)
        self.is_png = self.data.startswith(b"\x89PNG")

    def convert(self, mode):
        return Image.open(io.BytesIO(self.data)).convert(mode)

    def getpixel(self, place):
        return self.convert("RGB").getpixel(place)


del Joined

if __name__ == "__main__":
    unittest.main()
