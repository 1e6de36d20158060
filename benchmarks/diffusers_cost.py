"""What a preview costs a diffusers pipeline: the time of ``scheduler.step`` with and without, at the sizes of real models.

    python benchmarks/diffusers_cost.py [--steps 200] [--threads 1] [--milliseconds 20]

No network runs. Between two steps there is a pause, in which a network would work, and 64 MB are written, as a network would fill the caches.
"""

import argparse
import functools
import statistics
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import torch
from diffusers import schedulers

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))
from latentbridge.diffusers import preview  # noqa: E402


def pipe(name, scheduler, vae, **more):
    kind = type(name, (), {})
    found = kind()
    found.scheduler, found.vae = scheduler, vae
    for key, value in more.items():
        setattr(found, key, value)
    return found


def vae(name, **config):
    found = type(name, (), {})()
    found.config = SimpleNamespace(**config)
    return found


def cases():
    xl = vae("AutoencoderKL", latent_channels=4, scaling_factor=0.13025)
    yield "SDXL 1024 Euler", pipe("StableDiffusionXLPipeline", schedulers.EulerDiscreteScheduler(), xl), (1, 4, 128, 128), (1024, 1024, 0)
    yield "SDXL 1024 DPM++ 2M", pipe("StableDiffusionXLPipeline", schedulers.DPMSolverMultistepScheduler(), xl), (1, 4, 128, 128), (1024, 1024, 0)
    flux = vae("AutoencoderKL", latent_channels=16, scaling_factor=0.3611)
    yield "FLUX 1024", pipe("FluxPipeline", schedulers.FlowMatchEulerDiscreteScheduler(), flux, vae_scale_factor=8), (1, 4096, 64), (1024, 1024, 0)
    wan = vae("AutoencoderKLWan", z_dim=16)
    unipc = schedulers.UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0)
    yield "Wan 832x480, 81 frames", pipe("WanPipeline", unipc, wan), (1, 16, 21, 60, 104), (480, 832, 81)


def drive(pipe, shape, size, arguments, inner):
    """Each ``step``: milliseconds that passed, those that its thread computed, and those of them that the preview did. The size is found in this frame, as in a pipeline's."""
    height, width, num_frames = size  # noqa: F841
    scheduler, times = pipe.scheduler, []
    scheduler.set_timesteps(arguments.steps)
    pipe.num_timesteps = len(scheduler.timesteps)
    x, m = torch.randn(shape), torch.randn(shape)
    caches = torch.zeros(16 << 20)
    for t in scheduler.timesteps:
        scheduler.scale_model_input(x, t) if hasattr(scheduler, "scale_model_input") else None
        caches.add_(1)
        time.sleep(arguments.milliseconds / 1000)
        inner.clear()
        started, computing = time.perf_counter(), time.thread_time()
        scheduler.step(m, t, x, return_dict=False)
        passed, computed = time.perf_counter() - started, time.thread_time() - computing
        times.append((passed * 1000, computed * 1000, (computed - sum(inner)) * 1000))
    return times[5:]


def timed(scheduler, inner):
    """Notes the processor time of each of the scheduler's own steps: what is left of the whole is the preview's."""
    own = scheduler.step

    @functools.wraps(type(scheduler).step)
    def step(*arguments, **named):
        computing = time.thread_time()
        try:
            return own(*arguments, **named)
        finally:
            inner.append(time.thread_time() - computing)

    scheduler.step = step


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--milliseconds", type=float, default=20)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"torch {torch.__version__}, {arguments.threads} threads; milliseconds; added: difference of the least / of the medians; the preview's own: least / median, processor time")
    for name, watched, shape, size in cases():
        inner = []
        timed(watched.scheduler, inner)
        plain = drive(watched, shape, size, arguments, inner)
        with preview(watched, display=False) as live:
            with_preview = drive(watched, shape, size, arguments, inner)
        text = f"{name:24}"
        for kind, index in (("passed", 0), ("computed", 1)):
            before, after = sorted(time[index] for time in plain), sorted(time[index] for time in with_preview)
            text += f"  {kind}: step {statistics.median(before):7.3f}, added {after[0] - before[0]:6.3f} / {statistics.median(after) - statistics.median(before):6.3f}"
        own = sorted(time[2] for time in with_preview)
        text += f"  the preview's own: {own[0]:.3f} / {statistics.median(own):.3f}"
        print(f"{text}; {len(live.steps)} pictures {live.trouble or ''}", flush=True)


if __name__ == "__main__":
    main()
