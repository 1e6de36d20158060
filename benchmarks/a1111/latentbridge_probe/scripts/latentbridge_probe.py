"""An extension for measurements only: runs the UI's own store_latent and keeps a picture ready, at /latentbridge_probe."""

import statistics
import time

import torch
from modules import progress, script_callbacks, sd_samplers_common, shared

TASK = "latentbridge_probe"


def choose(method):
    shared.opts.data.update(live_previews_enable=method is not None, show_progress_every_n_steps=1,
                            **({"show_progress_type": method} if method else {}))


def latent():
    """SDXL at 1024 x 1024: [1,4,128,128], smooth like an image's."""
    torch.manual_seed(1)
    return torch.nn.functional.interpolate(torch.randn(1, 4, 16, 16), size=(128, 128), mode="bicubic")


def begin(steps):
    shared.state.begin("latentbridge_probe")
    shared.state.job_count, shared.state.sampling_steps = 1, steps
    progress.current_task = TASK
    shared.state.set_current_image()  # somebody looks


def store_latent(busy: bool, count: int = 200):
    """Microseconds of store_latent with previews off, the built-in method and ours, turn by turn.

    Some 20 ms lie between two: spent on a multiplication as a sampler on this processor does, or asleep, from which a processor wakes slowly.
    """
    x0, before = latent(), dict(shared.opts.data)
    methods = {"off": None, "Approx NN": "Approx NN", "LatentBridge": "LatentBridge"}
    taken, matrix = {name: [] for name in methods}, torch.rand(900, 900)
    try:
        choose("LatentBridge")
        begin(count)
        time.sleep(1)
        for step in range(count):
            for name, method in methods.items():
                choose(method)
                shared.state.sampling_step = step
                start = time.perf_counter_ns()
                sd_samplers_common.store_latent(x0)
                taken[name].append((time.perf_counter_ns() - start) / 1000)
                if busy:
                    for _ in range(3):
                        matrix @ matrix
                else:
                    time.sleep(0.02)
        return {name: {"median": statistics.median(times), "p99": sorted(times)[int(len(times) * 0.99)], "least": min(times)}
                for name, times in taken.items()}
    finally:
        shared.opts.data.update(before)
        shared.state.end()


def ready(method: str, decoder: str = "auto"):
    """Leaves a job with one stored latent, and waits for our picture of it; built-in methods decode at each poll (every 0 steps)."""
    shared.opts.data["latentbridge_decoder"] = decoder
    choose(method)
    shared.opts.data["show_progress_every_n_steps"] = 1 if method == "LatentBridge" else 0
    begin(1000)
    for step in range(10):
        shared.state.sampling_step = step
        sd_samplers_common.store_latent(latent())
        time.sleep(0.1)
    return {"id": shared.state.id_live_preview}


def done():
    shared.state.end()
    progress.current_task = None


def add_routes(_demo, app):
    for function in (store_latent, ready, done):
        app.add_api_route(f"/latentbridge_probe/{function.__name__}", function, methods=["GET"])


script_callbacks.on_app_started(add_routes)
