"""What a preview costs a sampler on a CUDA device: no previews, LatentBridge, ComfyUI's latent2rgb and TAESD, in turns.

    python benchmarks/cuda_cost.py [--steps 50] [--milliseconds 50] [--rounds 3]

A step is a network's work: many small kernels that take about so many milliseconds together, then x0. Nothing else waits for the device. The peers do what ComfyUI 0.33 does in a step: latent2rgb
multiplies on the device and fetches 8-bit values, TAESD (its layers, made-up weights, F16) decodes on the device; both then wait for it, and Pillow encodes
a JPEG on the sampler's thread. The host is found as by any program, or by LATENTBRIDGE_HOST.
"""

import argparse
import io
import statistics
import sys
import time
from pathlib import Path

import torch
from PIL import Image
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))
from latentbridge import Bridge  # noqa: E402

CASES = (("SDXL 1024 x 1024", "SDXL", (1, 4, 128, 128), torch.float16), ("FLUX.1 1024 x 1024", "Flux", (1, 16, 128, 128), torch.bfloat16),
         ("Wan 2.1 832 x 480, 81 frames", "Wan21", (1, 16, 21, 60, 104), torch.float32))
ELEMENTS = 8 << 20


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1))

    def forward(self, x):
        return torch.relu(self.conv(x) + x)


def taesd(channels):
    layers = [nn.Conv2d(channels, 64, 3, padding=1), nn.ReLU()]
    for _ in range(3):
        layers += [Block(), Block(), Block(), nn.Upsample(scale_factor=2), nn.Conv2d(64, 64, 3, padding=1, bias=False)]
    return nn.Sequential(*layers, Block(), nn.Conv2d(64, 3, 3, padding=1)).cuda().half()


def jpeg(rgb):
    """As core: 8-bit values are fetched, and the preview is at most 512 pixels wide."""
    image = Image.fromarray((rgb.float().clamp(0, 1) * 255).to(torch.uint8).cpu().numpy())
    image.thumbnail((512, 512))
    image.save(file := io.BytesIO(), "JPEG", quality=95)
    return file.tell()


def still(x0):
    return x0[0, :, 0] if x0.ndim == 5 else x0[0]


class Sampler:
    def __init__(self, steps, milliseconds):
        self.steps = steps
        self.memory = torch.randn(ELEMENTS, device="cuda")
        self.kernels = max(1, round(milliseconds / self._milliseconds_of(1000) * 1000))

    def _milliseconds_of(self, kernels):
        for _ in range(2):
            torch.cuda.synchronize()
            began = time.perf_counter()
            self._compute(kernels)
            torch.cuda.synchronize()
        return (time.perf_counter() - began) * 1e3

    def _compute(self, kernels):
        for _ in range(kernels):
            self.memory.mul_(0.999)

    def run(self, x, callback):
        """Milliseconds of the whole run, and of each call."""
        times = []
        torch.cuda.synchronize()
        began = time.perf_counter()
        for step in range(self.steps):
            self._compute(self.kernels)
            x0 = x * (0.5 + step / self.steps)
            called = time.perf_counter()
            callback(step, x0)
            times.append((time.perf_counter() - called) * 1e3)
        torch.cuda.synchronize()
        return (time.perf_counter() - began) * 1e3, times


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--milliseconds", type=float, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    sampler = Sampler(arguments.steps, arguments.milliseconds)
    print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}, {arguments.steps} steps, {sampler.kernels} kernels each")
    print("| latent | previews | run, ms a step | sampler's thread, ms: median | 99 % | largest | device memory, MB | pictures |\n| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    seen = []
    with torch.inference_mode(), Bridge(on_preview=lambda preview: seen.append(preview.run)) as bridge:
        bridge.start(20)
        number = 0
        for name, latent_format, shape, dtype in CASES:
            x = torch.randn(shape, device="cuda", dtype=dtype)
            factors, network = torch.randn(shape[1], 3, device="cuda"), taesd(shape[1])

            def submit(step, x0, latent_format=latent_format):
                bridge.submit(x0, run=number, step=step, total=arguments.steps, latent_format=latent_format)

            ways = {"none": lambda step, x0: None, "LatentBridge": submit,
                    "latent2rgb": lambda step, x0: jpeg((still(x0).movedim(0, 2).float() @ factors + 1) / 2),
                    "TAESD": lambda step, x0: jpeg(network(still(x0)[None].half())[0].movedim(0, 2) / 2 + 0.5)}
            found = {way: ([], [], [], []) for way in ways}
            for turn in range(arguments.rounds + 1):
                for way, callback in ways.items():
                    number += 1
                    torch.cuda.synchronize()
                    torch.cuda.reset_peak_memory_stats()
                    before = torch.cuda.memory_allocated()
                    whole, times = sampler.run(x, callback)
                    if turn:  # the first is to warm up
                        found[way][0].append(whole / arguments.steps)
                        found[way][1].extend(times)
                        found[way][2].append((torch.cuda.max_memory_allocated() - before) / 2 ** 20)
                        bridge.wait(run=number, step=arguments.steps - 1, timeout=1 if way == "LatentBridge" else 0)
                        found[way][3].append(seen.count(number) if way == "LatentBridge" else 0 if way == "none" else arguments.steps)
            for way, (runs, times, memory, pictures) in found.items():
                times.sort()
                print(f"| {name} | {way} | {statistics.median(runs):.2f} | {statistics.median(times):.3f} | {times[int(len(times) * 0.99)]:.3f} | {times[-1]:.3f} | {max(memory):.1f} | {statistics.median(pictures):.0f} of {arguments.steps} |")
        print({name: value for name, value in bridge.status().items() if isinstance(value, (int, str))})


if __name__ == "__main__":
    main()
