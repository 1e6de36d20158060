"""A node pack for measuring and testing previews in a real ComfyUI without any model.

The node "LatentBridge Probe" takes core's own preview callback, as KSampler does, and calls it with latents of any format. Its
times come back as the node's output in /history, and those of the server's event loop and of the packs' imports (of packs loaded after
this one) from GET /latentbridge/probe.
"""

import functools
import hashlib
import inspect
import math
import os
import sys
import time
import types

import comfy.latent_formats
import comfy.utils
import latent_preview
import nodes
import torch
from server import PromptServer, web

loop_milliseconds, loop_cpu_milliseconds, import_milliseconds = [], [], {}


class Probe:
    RETURN_TYPES = ("LATENT",)
    FUNCTION = "run"
    OUTPUT_NODE = True
    CATEGORY = "latent/LatentBridge"

    @classmethod
    def INPUT_TYPES(cls):
        number = {"default": 0, "min": 0, "max": 1 << 31}
        return {"required": {
            "latent_format": ("STRING", {"default": "SDXL"}), "shape": ("STRING", {"default": "1,4,128,128"}),
            "steps": ("INT", {**number, "default": 20}), "step_milliseconds": ("INT", number), "seed": ("INT", number)},
            "optional": {"ready_bytes": ("INT", number), "swarm": ("STRING", {"default": ""})}}

    def run(self, latent_format, shape, steps, step_milliseconds, seed, ready_bytes=0, swarm=""):
        """``shape``: axes, or several shapes with ";" between for a nested latent. ``ready_bytes``: no previewer at all, core sends so
        many bytes that need no encoding: what it costs it alone. ``swarm``: the callback of SwarmUI's sampler node with these ``previews``."""
        form = getattr(comfy.latent_formats, latent_format)()
        generator = torch.Generator().manual_seed(seed)
        streams = [_picture([int(n) for n in one.split(",")], form, generator) for one in shape.split(";")]
        noise = [torch.randn(x.shape, generator=generator) for x in streams]
        model = types.SimpleNamespace(load_device=torch.device("cpu"), model=types.SimpleNamespace(latent_format=form))
        begin = time.perf_counter()
        if swarm:
            callback = _swarm(steps, model, swarm)
        else:
            callback = _ready(steps, ready_bytes) if ready_bytes else latent_preview.prepare_callback(model, steps)
        prepare = (time.perf_counter() - begin) * 1e3
        times = []
        for step in range(steps):
            time.sleep(step_milliseconds / 1e3)
            share = (1 - (step + 1) / steps) ** 2
            x0 = [x * (1 - share) + n * share for x, n in zip(streams, noise)]
            if len(x0) == 1:
                x0 = x0[0]
            else:
                from comfy.nested_tensor import NestedTensor

                x0 = NestedTensor(x0)
            begin = time.perf_counter()
            callback(step, x0, x0, steps)
            times.append((time.perf_counter() - begin) * 1e3)
        if swarm:
            _swarm_module()._preview_sampler_active = False  # or core's next preview would be a tensor
        return {"ui": {"milliseconds": times, "prepare": [prepare]}, "result": ({"samples": x0},)}


class Digest:
    """The SHA-256 of a latent's bytes, as output in /history: two runs gave the same bits or not."""

    RETURN_TYPES = ()
    FUNCTION = "run"
    OUTPUT_NODE = True
    CATEGORY = "latent/LatentBridge"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"samples": ("LATENT",)}}

    def run(self, samples):
        data = samples["samples"].contiguous().numpy().tobytes()
        return {"ui": {"sha256": [hashlib.sha256(data).hexdigest()]}}


def _ready(steps, length):
    """Core's callback with a previewer whose pictures are there already."""
    bar = comfy.utils.ProgressBar(steps)
    pictures = [types.SimpleNamespace(save=lambda file, data=os.urandom(length), **_: file.write(data)) for _ in range(4)]
    return lambda step, x0, x, total: bar.update_absolute(step + 1, total, ("PNG", pictures[step % 4], None))


def _swarm(steps, model, previews):
    """The callback that SwarmKSampler makes; its threads send only while one samples."""
    module = _swarm_module()
    module._preview_sampler_active, module._last_preview_step_sent = True, -1
    return module.make_swarm_sampler_callback(steps, model.load_device, model, previews)


def _swarm_module():
    return sys.modules[nodes.NODE_CLASS_MAPPINGS["SwarmKSampler"].__module__]


def _picture(axes, form, generator):
    """Smooth colours in this format's latent space, so that pictures compress as pictures do."""
    height, width = axes[-2:] if len(axes) > 3 else (1, axes[-1])
    y = torch.linspace(-1, 1, height)[:, None].expand(height, width)
    x = torch.linspace(-1, 1, width).expand(height, width)
    planes = [torch.sin(math.pi * (x * math.cos(i) + y * math.sin(i)) * (1 + i % 3)) for i in range(axes[1])]
    plane = torch.stack(planes).reshape(1, axes[1], *([1] * (len(axes) - 4)), *((height, width) if len(axes) > 3 else (width,)))
    return plane.expand(axes).clone()


def _timed(name):
    server = PromptServer.instance
    inner = getattr(server, name, None)
    if inner is None:
        return

    async def timed(*arguments, **named):
        wall, cpu = time.perf_counter(), time.thread_time()
        try:
            return await inner(*arguments, **named)
        finally:
            loop_milliseconds.append((time.perf_counter() - wall) * 1e3)
            loop_cpu_milliseconds.append((time.thread_time() - cpu) * 1e3)

    setattr(server, name, timed)


for name in ("send_image", "send_image_with_metadata"):
    _timed(name)

_load = nodes.load_custom_node


@functools.wraps(_load)
async def load_custom_node(path, *arguments, **named):
    begin = time.perf_counter()
    try:
        return await _load(path, *arguments, **named)
    finally:
        import_milliseconds[path] = (time.perf_counter() - begin) * 1e3


if inspect.iscoroutinefunction(_load):  # since 0.3.46
    nodes.load_custom_node = load_custom_node


@PromptServer.instance.routes.get("/latentbridge/probe")
async def report(request):
    """The loop's times since the last call, the imports' of all packs loaded after this one, and the loop's thread's processor time so far."""
    found = {"loop": loop_milliseconds[:], "loopCpu": loop_cpu_milliseconds[:], "imports": import_milliseconds,
             "thread": time.thread_time() * 1e3}
    loop_milliseconds.clear()
    loop_cpu_milliseconds.clear()
    return web.json_response(found)


NODE_CLASS_MAPPINGS = {"LatentBridgeProbe": Probe, "LatentBridgeDigest": Digest}
NODE_DISPLAY_NAME_MAPPINGS = {"LatentBridgeProbe": "LatentBridge Probe", "LatentBridgeDigest": "LatentBridge Digest"}
