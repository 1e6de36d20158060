"""What a pipeline notices of being watched: nothing. Schedulers and pipelines here are the smallest that behave like diffusers' own."""

import copy
import gc
import inspect
import unittest
import weakref
from types import SimpleNamespace

from latentbridge.diffusers.denoised import RULES, WITHOUT, NoPreview, rule
from latentbridge.diffusers.watch import Watch

try:
    import torch
except ImportError:
    torch = None


class EulerDiscreteScheduler:
    """Steps to half of the sample; the "x0" it returns is the model's output."""

    def __init__(self, steps=3):
        self.config = SimpleNamespace(prediction_type="epsilon")
        self.set_timesteps(steps)

    def set_timesteps(self, steps):
        self.timesteps, self._step_index = list(range(steps)), None

    def step(self, model_output, timestep, sample, generator=None, eta=0.0, return_dict=True):
        self._step_index = (self._step_index or 0) + 1
        return (sample / 2, model_output)


class Pipe:
    """Looks into the signature as diffusers' pipelines do."""

    vae = None

    def __init__(self, scheduler=None):
        self.scheduler = scheduler or EulerDiscreteScheduler()
        self.taken = None

    def __call__(self, steps=3, shape=(1, 4, 6, 8), fail_at=None):
        self.scheduler.set_timesteps(steps)
        self.num_timesteps = steps
        names = set(inspect.signature(self.scheduler.step).parameters)
        self.taken = {"generator": "generator" in names, "eta": "eta" in names, "self": "self" in names}
        x = torch.zeros(shape)
        for number, t in enumerate(self.scheduler.timesteps):
            if number == fail_at:
                raise RuntimeError("out of memory")
            x = self.scheduler.step(torch.full(shape, float(number)), t, x, return_dict=False)[0]
        return x


class Viewer:
    def __init__(self, stop_at=None):
        self.stop_at, self.shown, self.formats, self.words = stop_at, [], [], []

    def stop_here(self):
        if self.stop_at is not None and len(self.shown) >= self.stop_at:
            raise KeyboardInterrupt

    def options(self):
        return {}

    def begin(self, latent_format):
        self.formats.append(latent_format)

    def show(self, x0, step, total):
        self.shown.append((step, total, float(x0.reshape(-1)[0])))

    def said(self, text):
        self.words.append(text)


@unittest.skipUnless(torch, "torch is missing")
class WatchTests(unittest.TestCase):
    def watch(self, pipe, **viewer):
        viewer = Viewer(**viewer)
        watch = Watch(pipe, viewer)
        self.addCleanup(watch.remove)
        return viewer, watch

    def test_each_step_is_seen_with_its_x0_number_and_total(self):
        pipe = Pipe()
        viewer, _ = self.watch(pipe)
        pipe(3)
        self.assertEqual(viewer.shown, [(0, 3, 0.0), (1, 3, 1.0), (2, 3, 2.0)])

    def test_new_timesteps_are_a_new_run(self):
        pipe = Pipe()
        viewer, _ = self.watch(pipe)
        pipe(2)
        with self.assertRaises(RuntimeError):
            pipe(3, fail_at=1)
        pipe(2)
        self.assertEqual([(step, total) for step, total, _ in viewer.shown], [(0, 2), (1, 2), (0, 3), (0, 2), (1, 2)])
        self.assertEqual(len(viewer.formats), 3)

    def test_the_signature_stays_and_a_plain_wrapper_would_be_noticed(self):
        pipe = Pipe()
        before = inspect.signature(pipe.scheduler.step)
        self.watch(pipe)
        self.assertEqual(inspect.signature(pipe.scheduler.step), before)
        pipe()
        self.assertEqual(pipe.taken, {"generator": True, "eta": True, "self": False})

    def test_a_copy_of_the_scheduler_steps_itself_and_is_not_seen(self):
        pipe = Pipe()
        viewer, watch = self.watch(pipe)
        pipe.scheduler.set_timesteps(3)
        sound = copy.deepcopy(pipe.scheduler)
        sound.step(torch.zeros(1, 4, 2, 2), 0, torch.zeros(1, 4, 2, 2))
        self.assertEqual((sound._step_index, pipe.scheduler._step_index, viewer.shown), (1, None, []))

    def test_nothing_is_left_after_the_end_and_after_an_exception(self):
        pipe = Pipe()
        for fail_at in (None, 1):
            before = dict(vars(pipe)), set(vars(pipe.scheduler))
            viewer, watch = self.watch(pipe)
            try:
                pipe(3, fail_at=fail_at)
            except RuntimeError:
                pass
            watch.remove()
            self.assertEqual(set(vars(pipe.scheduler)), before[1])
            self.assertEqual(vars(pipe).keys() - {"num_timesteps"}, before[0].keys() - {"num_timesteps"})

    def test_a_step_that_somebody_else_set_is_called_and_put_back(self):
        pipe, calls = Pipe(), []
        original = pipe.scheduler.step

        def theirs(*arguments, **named):
            calls.append(arguments)
            return original(*arguments, **named)

        pipe.scheduler.step = theirs
        viewer, watch = self.watch(pipe)
        pipe(3)
        watch.remove()
        self.assertEqual((len(calls), len(viewer.shown)), (3, 3))
        self.assertIs(pipe.scheduler.step, theirs)

    def test_one_that_was_put_over_ours_stays(self):
        pipe = Pipe()
        _, watch = self.watch(pipe)
        ours = pipe.scheduler.step
        pipe.scheduler.step = theirs = lambda *arguments, **named: ours(*arguments, **named)
        watch.remove()
        self.assertIs(pipe.scheduler.step, theirs)

    def test_what_the_viewer_raises_before_a_step_ends_the_pipeline(self):
        pipe = Pipe()
        viewer, _ = self.watch(pipe, stop_at=2)
        with self.assertRaises(KeyboardInterrupt):
            pipe(3)
        self.assertEqual(len(viewer.shown), 2)

    def test_whatever_goes_wrong_in_a_preview_is_said_and_the_run_goes_on(self):
        pipe = Pipe()
        viewer, _ = self.watch(pipe)
        self.assertEqual(tuple(pipe(3, shape=(1, 5, 7)).shape), (1, 5, 7))
        self.assertEqual(viewer.shown, [])
        self.assertIn("5 tokens", viewer.words[0])

    def test_the_size_of_tokens_comes_from_the_pipelines_own_frame(self):
        class Packed(Pipe):
            vae_scale_factor = 8

            def __call__(self):
                height, width = 96, 160
                return super().__call__(2, (1, height // 16 * (width // 16), 64))

        pipe = Packed()
        viewer, _ = self.watch(pipe)
        shapes = []
        viewer.show = lambda x0, step, total: shapes.append(tuple(x0.shape))
        pipe()
        self.assertEqual((shapes, viewer.words), ([(1, 6, 10, 64)] * 2, []))

    def test_pipe_and_scheduler_are_free_afterwards(self):
        pipe = Pipe()
        _, watch = self.watch(pipe)
        pipe()
        watch.remove()
        self._cleanups.clear()
        gone = weakref.ref(pipe), weakref.ref(pipe.scheduler)
        del pipe, watch
        gc.collect()
        self.assertEqual([one() for one in gone], [None, None])


class RuleTests(unittest.TestCase):
    def scheduler(self, name, bases=(), **attributes):
        return type(name, bases, attributes)()

    def test_a_derived_class_follows_the_one_it_is_derived_from(self):
        base = type("EulerDiscreteScheduler", (), {})
        self.assertIs(rule(self.scheduler("Mine", (base,))), RULES["EulerDiscreteScheduler"])

    def test_those_without_a_picture_say_why(self):
        for name, reason in WITHOUT.items():
            with self.assertRaisesRegex(NoPreview, reason):
                rule(self.scheduler(name))

    def test_an_unknown_one_is_never_guessed_from_the_length_of_a_tuple(self):
        call = SimpleNamespace(scheduler=self.scheduler("New"), result=(1, 2))
        with self.assertRaisesRegex(NoPreview, "New is not known"):
            rule(call.scheduler)(call)

    def test_an_unknown_one_is_followed_by_the_name_of_its_result(self):
        x0 = SimpleNamespace(is_floating_point=lambda: True)
        call = SimpleNamespace(scheduler=self.scheduler("New"), result=SimpleNamespace(pred_original_sample=x0), cut=lambda tensor: tensor)
        self.assertIs(rule(call.scheduler)(call), x0)


if __name__ == "__main__":
    unittest.main()
