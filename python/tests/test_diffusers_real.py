"""The real diffusers: the same bits with and without previews, x0 of every scheduler, and how every family's latents lie."""

import copy
import pickle
import tempfile
import threading
import unittest
from types import SimpleNamespace

from latentbridge.diffusers import Cancelled, denoised, hub, latents, preview, stream
from latentbridge.diffusers.watch import Watch
from tests.bridges import real_host
from tests.real_diffusers import needed

try:
    import diffusers
    import torch
    from diffusers import schedulers

    from tests.fakes import tiny_pipelines as tiny
except Exception:
    pass


class Viewer:
    """Keeps the x0 of each step."""

    def __init__(self, **options):
        self._options, self.x0, self.steps, self.format, self.words, self.runs = options, [], [], None, [], 0

    def stop_here(self):
        pass

    def options(self):
        return self._options

    def begin(self, latent_format):
        self.format, self.runs = latent_format, self.runs + 1

    def show(self, x0, step, total):
        self.x0.append(x0.clone())
        self.steps.append((step, total))

    def said(self, text):
        self.words.append(text)


def made(name, seed=0):
    torch.manual_seed(seed)
    pipe, arguments = tiny.ALL[name]()
    pipe.set_progress_bar_config(disable=True)
    return pipe, arguments


def run(pipe, arguments, seed=3, **more):
    return torch.as_tensor(pipe(**{**arguments, **more}, generator=torch.Generator().manual_seed(seed))[0])


def watched(test, pipe, **options):
    viewer = Viewer(**options)
    watch = Watch(pipe, viewer)
    test.addCleanup(watch.remove)
    return viewer


@needed
class BitTests(unittest.TestCase):
    """Pictures that differ in one bit were changed."""

    def test_every_family_gives_the_same_picture(self):
        for name in tiny.ALL:
            with self.subTest(name):
                pipe, arguments = made(name)
                plain = run(pipe, arguments)
                viewer = watched(self, pipe)
                self.assertTrue(torch.equal(plain, run(pipe, arguments)))
                self.assertEqual((viewer.steps, viewer.words), ([(step, tiny.STEPS) for step in range(tiny.STEPS)], []))

    def test_every_stochastic_scheduler_gets_its_generator(self):
        names = ("EulerAncestralDiscrete", "DDPM", "LCM", "TCD", "KDPM2AncestralDiscrete", "SASolver", "DDIM", "DPMSolverMultistep")
        pipe, arguments = made("StableDiffusion")
        for name in names:
            with self.subTest(name):
                more = {"algorithm_type": "sde-dpmsolver++"} if name == "DPMSolverMultistep" else {}
                pipe.scheduler = getattr(schedulers, name + "Scheduler")(**more)
                call = {"eta": 0.7} if name == "DDIM" else {}
                plain = run(pipe, arguments, **call)
                self.assertFalse(torch.equal(plain, run(pipe, arguments, seed=4, **call)))
                viewer = Viewer()
                watch = Watch(pipe, viewer)
                try:
                    self.assertTrue(torch.equal(plain, run(pipe, arguments, **call)))
                    self.assertTrue(viewer.x0)
                finally:
                    watch.remove()

    def test_a_wrapper_without_the_signature_would_change_the_picture(self):
        """What the tests above would miss if they could not fail."""
        pipe, arguments = made("StableDiffusion")
        pipe.scheduler = schedulers.EulerAncestralDiscreteScheduler()
        plain = run(pipe, arguments)
        inner = pipe.scheduler.step
        pipe.scheduler.step = lambda *positional, **named: inner(*positional, **named)
        self.assertFalse(torch.equal(plain, run(pipe, arguments)))

    def test_a_batch_and_half_precision_give_the_same(self):
        pipe, arguments = made("StableDiffusionXL")
        pipe.to(torch.bfloat16)
        arguments = {name: value.bfloat16() if torch.is_tensor(value) else value for name, value in arguments.items()}
        plain = run(pipe, arguments, num_images_per_prompt=2)
        viewer = watched(self, pipe, batch="item", item=1)
        self.assertTrue(torch.equal(plain, run(pipe, arguments, num_images_per_prompt=2)))
        self.assertEqual({tuple(x0.shape) for x0 in viewer.x0}, {(1, 4, tiny.HEIGHT // 8, tiny.WIDTH // 8)})


@needed
class LayoutTests(unittest.TestCase):
    """The last x0 of these samplers is the final latent, which the pipeline unpacks by its own code."""

    def final(self, pipe, arguments):
        """What the VAE is given, brought back into the sampler's scale, and what was seen."""
        taken = []
        decode = pipe.vae.decode

        def catch(z, *positional, **named):
            taken.append(z.clone())
            return decode(z, *positional, **named)

        pipe.vae.decode = catch
        viewer = watched(self, pipe)
        run(pipe, arguments)
        return taken[0], viewer

    def expected(self, name, z, pipe):
        """The VAE's input before its scaling, first item, in the frame that is shown."""
        config = pipe.vae.config
        if name in ("Wan", "QwenImage"):
            mean, std = (torch.tensor(values).view(1, -1, 1, 1, 1) for values in (config.latents_mean, config.latents_std))
            z = (z - mean) / std
        elif name == "LTX":
            mean, std = (values.view(1, -1, 1, 1, 1) for values in (pipe.vae.latents_mean, pipe.vae.latents_std))
            z = (z - mean) * config.scaling_factor / std
        else:
            z = (z - (getattr(config, "shift_factor", None) or 0)) * config.scaling_factor
        return z[:, :, 0] if z.ndim == 5 else z

    def test_x0_lies_as_the_pipelines_own_code_unpacks_it(self):
        formats = {"StableDiffusion": "SD15", "StableDiffusionXL": "SDXL", "StableDiffusion3": "SD3", "Flux": "Flux", "QwenImage": "Wan21",
                   "Wan": "Wan21", "LTX": "LTXV", "CogVideoX": "CogVideoX"}
        for name, latent_format in formats.items():
            with self.subTest(name):
                pipe, arguments = made(name)
                if name == "StableDiffusion":
                    pipe.scheduler = schedulers.DDIMScheduler(clip_sample=False, steps_offset=1)
                z, viewer = self.final(pipe, arguments)
                x0 = viewer.x0[-1]
                if name in ("Flux", "QwenImage"):
                    self.assertEqual(tuple(x0.shape), (1, 12, 16, 64))
                    x0 = latents._unpack(x0, 2)
                x0 = x0[:, :, 0] if x0.ndim == 5 else x0
                expected = self.expected(name, z, pipe)
                self.assertEqual((x0.shape, viewer.format), (expected.shape, latent_format))
                self.assertLess(float((x0 - expected).abs().max()), 1e-4)

    def test_flux2_keeps_its_packed_channels(self):
        pipe, arguments = made("Flux2")
        viewer = watched(self, pipe)
        final = run(pipe, arguments, output_type="latent")  # unpacked by the pipeline, before its statistics
        x0 = viewer.x0[-1]
        self.assertEqual((tuple(x0.shape), viewer.format), ((1, 12, 16, 128), "Flux2"))
        self.assertEqual(final.numel(), x0.numel())
        tokens = final if final.ndim == 3 else final.flatten(2).transpose(1, 2)
        self.assertLess(float((x0.flatten(1, 2) - tokens).abs().max()), 1e-4)

    def test_a_height_of_as_many_tokens_as_channels_is_unpacked_here(self):
        pipe, arguments = made("Flux")
        viewer = watched(self, pipe)
        run(pipe, arguments, height=256, width=192, num_inference_steps=2)
        self.assertEqual({tuple(x0.shape) for x0 in viewer.x0}, {(1, 16, 32, 24)})

    def test_a_video_is_cut_to_the_frame_that_is_shown_before_anything_is_computed(self):
        for frame, index in (("auto", 0), ("middle", 1), ("last", 2), (1, 1)):
            with self.subTest(frame):
                pipe, arguments = made("Wan")
                viewer = watched(self, pipe, frame=frame)
                final = run(pipe, arguments, output_type="latent")
                self.assertEqual({tuple(x0.shape) for x0 in viewer.x0}, {(1, 16, 1, 8, 12)})
                self.assertLess(float((viewer.x0[-1][:, :, 0] - final[:, :, index]).abs().max()), 1e-4)

    def test_from_a_picture_the_total_is_what_is_left_of_the_steps(self):
        pipe, arguments = made("StableDiffusion")
        pipe = diffusers.StableDiffusionImg2ImgPipeline.from_pipe(pipe, requires_safety_checker=False)
        pipe.set_progress_bar_config(disable=True)
        viewer = watched(self, pipe)
        embeds = {name: value for name, value in arguments.items() if "embeds" in name}
        pipe(image=torch.rand(1, 3, tiny.HEIGHT, tiny.WIDTH), strength=0.5, num_inference_steps=6, output_type="pt", **embeds)
        self.assertEqual(viewer.steps, [(0, 3), (1, 3), (2, 3)])

    def test_a_scheduler_that_calls_twice_a_step_counts_its_calls(self):
        pipe, arguments = made("StableDiffusion")
        pipe.scheduler = schedulers.HeunDiscreteScheduler()
        viewer = watched(self, pipe)
        run(pipe, arguments)
        self.assertEqual(viewer.steps, [(step, 11) for step in range(11)])


DIFFUSION = [
    ("DDIMScheduler", {"clip_sample": False}), ("DDIMParallelScheduler", {"clip_sample": False}), ("DDPMScheduler", {"clip_sample": False}),
    ("DDPMParallelScheduler", {"clip_sample": False}), ("EulerDiscreteScheduler", {}), ("EulerAncestralDiscreteScheduler", {}),
    ("HeunDiscreteScheduler", {}), ("KDPM2DiscreteScheduler", {}), ("KDPM2AncestralDiscreteScheduler", {}), ("LMSDiscreteScheduler", {}),
    ("TCDScheduler", {}), ("PNDMScheduler", {}), ("PNDMScheduler", {"skip_prk_steps": True}),
    ("DPMSolverMultistepScheduler", {}), ("DPMSolverMultistepScheduler", {"use_karras_sigmas": True}),
    ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}), ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver", "final_sigmas_type": "sigma_min"}),
    ("DPMSolverSinglestepScheduler", {}), ("UniPCMultistepScheduler", {}), ("DEISMultistepScheduler", {}), ("SASolverScheduler", {}),
]
FLOW = [
    ("FlowMatchEulerDiscreteScheduler", {}), ("FlowMatchEulerDiscreteScheduler", {"stochastic_sampling": True}),
    ("FlowMatchEulerDiscreteScheduler", {"use_karras_sigmas": True}), ("FlowMatchHeunDiscreteScheduler", {}), ("FlowMatchLCMScheduler", {}),
    ("FlowMapEulerDiscreteScheduler", {}), ("LTXEulerAncestralRFScheduler", {}),
]


@needed
class SchedulerTests(unittest.TestCase):
    """A model that knows x0: whatever the scheduler makes of it, that x0 has to be seen at every step."""

    SHAPE = (1, 4, 6, 8)

    def drive(self, scheduler, model, level=1.0, steps=6):
        """Runs a scheduler with this model; the largest error of the x0 that was seen."""
        torch.manual_seed(5)
        truth = torch.randn(self.SHAPE)
        scheduler.set_timesteps(steps)
        pipe = SimpleNamespace(scheduler=scheduler, vae=None, num_timesteps=len(scheduler.timesteps))
        viewer = Viewer()
        watch = Watch(pipe, viewer)
        try:
            x = torch.randn(self.SHAPE) * getattr(scheduler, "init_noise_sigma", 1.0) * level
            for t in scheduler.timesteps:
                if hasattr(scheduler, "scale_model_input"):
                    scheduler.scale_model_input(x, t)
                x = scheduler.step(model(x, truth, t), t, x, return_dict=False)[0]
        finally:
            watch.remove()
        self.assertEqual(viewer.words, [])
        self.assertEqual(len(viewer.x0), len(scheduler.timesteps))
        return max(float((x0 - truth).abs().max()) for x0 in viewer.x0)

    def levels(self, scheduler, t):
        """alpha and sigma as the scheduler's own ``add_noise`` has them."""
        if type(scheduler).__name__ == "KDPM2DiscreteScheduler" and not scheduler.state_in_first_order:  # between two steps
            return 1.0, float(scheduler.sigmas_interpol[scheduler.step_index])
        one, zero, at = torch.ones(1, 1, 1, 1, dtype=torch.float64), torch.zeros(1, 1, 1, 1, dtype=torch.float64), t.reshape(1)
        return float(scheduler.add_noise(one, zero, at)), float(scheduler.add_noise(zero, one, at))

    def test_diffusion_schedulers_by_every_prediction_type(self):
        for name, more in DIFFUSION:
            for kind in ("epsilon", "v_prediction", "sample"):
                with self.subTest(f"{name} {more} {kind}"):
                    scheduler = getattr(schedulers, name)(prediction_type=kind, **more)

                    def model(x, truth, t, scheduler=scheduler, kind=kind):
                        alpha, sigma = self.levels(scheduler, t)
                        noise = (x - alpha * truth) / sigma
                        if kind == "v_prediction":
                            if alpha == 1.0:  # x = x0 + sigma noise: the scheduler scales by itself
                                return (x / (sigma ** 2 + 1) - truth) * (sigma ** 2 + 1) ** 0.5 / sigma
                            return alpha * noise - sigma * truth
                        return truth if kind == "sample" else noise

                    try:
                        error = self.drive(scheduler, model)
                    except (ValueError, NotImplementedError) as refused:
                        self.assertRegex(str(refused), "prediction_type|must be one of|not implemented")
                        continue
                    self.assertLess(error, 2e-3)

    def test_flow_schedulers(self):
        for name, more in FLOW:
            with self.subTest(f"{name} {more}"):
                scheduler = getattr(schedulers, name)(**more)

                def model(x, truth, t, scheduler=scheduler):
                    at = scheduler.step_index if scheduler.step_index is not None else 0
                    return (x - truth) / scheduler.sigmas[at]

                self.assertLess(self.drive(scheduler, model), 1e-5)

    def test_tokens_with_levels_of_their_own(self):
        scheduler = schedulers.FlowMatchEulerDiscreteScheduler()
        scheduler.set_timesteps(4)
        truth, x = torch.randn(1, 6, 8), torch.randn(1, 6, 8)
        level = torch.tensor([[1000.0, 1000, 500, 500, 250, 250]])
        call = denoised.Call(scheduler, x, (truth - x) / (level[..., None] / 1000), {"per_token_timesteps": level, "sample": x}, 0, None, lambda tensor: tensor, [])
        self.assertLess(float((denoised.of_flow(call) - truth).abs().max()), 1e-5)

    def test_those_with_a_way_of_their_own(self):
        def consistency(scheduler):
            def model(x, truth, t):
                at = scheduler.step_index if scheduler.step_index is not None else 0
                skip, out = scheduler.get_scalings_for_boundary_condition(scheduler.sigmas[at])
                return (truth - skip * x) / out
            return model

        def edm(scheduler):
            def model(x, truth, t):
                at = scheduler.step_index if scheduler.step_index is not None else 0
                sigma, data = float(scheduler.sigmas[at]), scheduler.config.sigma_data
                skip = data ** 2 / (sigma ** 2 + data ** 2)
                return (truth - skip * x) / (sigma * data / (sigma ** 2 + data ** 2) ** 0.5)
            return model

        def pndm4(scheduler):
            def model(x, truth, t):
                at = scheduler.step_index if scheduler.step_index is not None else 0
                return (scheduler.alphas[at] * x - truth) / scheduler.betas[at]
            return model

        def h3(scheduler):
            return lambda x, truth, t: (truth - x) / (1 - t)

        for name, make, more in (("CMStochasticIterativeScheduler", consistency, {"clip_denoised": False}), ("EDMEulerScheduler", edm, {}),
                                 ("EDMDPMSolverMultistepScheduler", edm, {}), ("IPNDMScheduler", pndm4, {}), ("MiniMaxH3Scheduler", h3, {})):
            with self.subTest(name):
                scheduler = getattr(schedulers, name, None) or getattr(diffusers, name)
                scheduler = scheduler(**more)
                self.assertLess(self.drive(scheduler, make(scheduler)), 2e-3)

    def test_the_table_names_no_class_that_is_not_there(self):
        known = {name for module in (schedulers, diffusers) for name in dir(module)}
        self.assertEqual(sorted(set(denoised.RULES) - known - {"UnCLIPScheduler", "HeliosScheduler", "HeliosDMDScheduler", "MiniMaxH3Scheduler"}), [])

    def test_every_scheduler_there_is_has_a_rule_or_a_reason(self):
        names = [name for name in dir(schedulers) if name.endswith("Scheduler") and not name.startswith("Flax")]
        self.assertGreater(len(names), 40)
        self.assertEqual([name for name in names if name not in denoised.RULES and name not in denoised.WITHOUT], [])


@needed
class SchedulerObjectTests(unittest.TestCase):
    def test_copies_saving_and_pickling_within_a_preview(self):
        pipe, arguments = made("StableDiffusion")
        before = dict(vars(pipe.scheduler))
        viewer = Viewer()
        watch = Watch(pipe, viewer)
        with tempfile.TemporaryDirectory() as folder:
            pipe.scheduler.save_pretrained(folder)
        self.assertIsInstance(schedulers.EulerDiscreteScheduler.from_config(pipe.scheduler.config), schedulers.EulerDiscreteScheduler)
        copy.deepcopy(pipe.scheduler).set_timesteps(3)
        pickle.loads(pickle.dumps(pipe.scheduler.config))
        watch.remove()
        self.assertEqual(vars(pipe.scheduler).keys(), before.keys())


@needed
class LiveTests(unittest.TestCase):
    """With the host."""

    @classmethod
    def setUpClass(cls):
        real_host()

    def setUp(self):
        self.assertTrue(hub.bridge().start(30), hub.bridge().off_reason)

    def test_frames_come_and_the_last_one_is_the_last_step(self):
        pipe, arguments = made("StableDiffusion")
        frames = []
        with preview(pipe, on_frame=frames.append, display=False) as live:
            run(pipe, arguments)
        self.assertEqual((live.latest.step, live.latest.total, live.trouble), (tiny.STEPS - 1, tiny.STEPS, None))
        self.assertEqual(frames, live.steps)
        self.assertEqual(live.latest.image.size, (live.latest.preview.width, live.latest.preview.height))
        self.assertNotIn("step", vars(pipe.scheduler))

    def test_a_run_is_saved_as_a_film_and_as_latents(self):
        pipe, arguments = made("Flux")
        with preview(pipe, display=False) as live:
            run(pipe, arguments)
        with tempfile.TemporaryDirectory() as folder:
            film = live.save(f"{folder}/run.apng", decoder="latent2rgb")
            recording = live.save(f"{folder}/run.safetensors")
            self.assertIn(b"acTL", film.read_bytes()[:200])
            self.assertGreater(recording.stat().st_size, 1000)
            with self.assertRaisesRegex(ValueError, r"\.mp4"):
                live.save(f"{folder}/run.mp4")

    def test_cancel_ends_the_pipeline_at_the_next_step_and_it_runs_again(self):
        pipe, arguments = made("StableDiffusion")
        calls, freed = [], []
        pipe.maybe_free_model_hooks, free = lambda: freed.append(1), pipe.maybe_free_model_hooks
        inner = pipe.unet.forward

        def forward(*positional, **named):
            calls.append(1)
            if len(calls) == 2:
                live.cancel()
            return inner(*positional, **named)

        pipe.unet.forward = forward
        with preview(pipe, display=False) as live:
            run(pipe, arguments)
            self.fail("the pipeline went on")
        self.assertEqual((len(calls), live.cancelled, freed), (2, True, [1]))
        pipe.maybe_free_model_hooks = free
        run(pipe, arguments)

    def test_the_classic_callback_sees_all_but_the_first_step_and_leaves_nothing(self):
        pipe, arguments = made("StableDiffusion")
        live = preview(display=False)
        plain = run(pipe, arguments)
        self.assertTrue(torch.equal(plain, run(pipe, arguments, callback_on_step_end=live)))
        kept = live._place.history.run(live._run, live._place.stream)
        self.assertEqual(sorted(kept.steps), [1, 2, 3, 4, 5])
        self.assertNotIn("step", vars(pipe.scheduler))

    def test_a_pipeline_that_failed_under_the_callback_is_let_go_at_its_next_run(self):
        pipe, arguments = made("StableDiffusion")
        live = preview(display=False)

        def fail(pipe, step, timestep, kwargs):
            if step == 2:
                raise RuntimeError("out of memory")
            return live(pipe, step, timestep, kwargs)

        with self.assertRaises(RuntimeError):
            run(pipe, arguments, callback_on_step_end=fail)
        run(pipe, arguments)
        self.assertNotIn("step", vars(pipe.scheduler))

    def test_a_stream_yields_frames_and_then_the_result(self):
        pipe, arguments = made("StableDiffusionXL")
        frames = list(stream(pipe, **{**arguments, "output_type": "pil"}))
        self.assertEqual([frame.output is not None for frame in frames][-1], True)
        self.assertTrue(all(frame.output is None for frame in frames[:-1]))
        self.assertEqual(frames[-1].image.size, (tiny.WIDTH, tiny.HEIGHT))
        self.assertNotIn("step", vars(pipe.scheduler))

    def test_a_stream_that_is_left_ends_the_pipeline_and_its_thread(self):
        pipe, arguments = made("StableDiffusion")
        for frame in stream(pipe, **arguments):
            break
        self.assertNotIn("step", vars(pipe.scheduler))
        self.assertFalse([thread for thread in threading.enumerate() if thread.name == "latentbridge-stream"])
        before = threading.active_count()
        stream(pipe, **arguments)
        self.assertEqual(threading.active_count(), before)

    def test_what_the_pipeline_raises_comes_out_of_the_stream(self):
        pipe, arguments = made("StableDiffusion")
        with self.assertRaises(ValueError):
            list(stream(pipe, **{**arguments, "height": 100}))

    def test_a_scheduler_that_is_replaced_within_the_preview_is_noticed(self):
        pipe, arguments = made("StableDiffusion")
        with self.assertLogs("latentbridge", "WARNING") as said, preview(pipe, display=False) as live:
            pipe.scheduler = schedulers.EulerDiscreteScheduler()
            run(pipe, arguments)
        self.assertIn("was replaced by a EulerDiscreteScheduler", said.output[-1])
        self.assertIn("replaced", live.trouble)

    def test_cancelled_is_no_exception_that_a_pipeline_could_catch(self):
        self.assertFalse(issubclass(Cancelled, Exception))


if __name__ == "__main__":
    unittest.main()
