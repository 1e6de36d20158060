"""The bridge measured: the sampler thread's time, the round trip, the host's start, memory and allocations; and a soak.

    python -m latentbridge bench bridge [--json]
    python -m latentbridge bench soak [--frames 100000] [--json]
    python -m latentbridge bench learning [--json]

Rows are those of the README's table. Nothing is asserted: figures depend on the machine. While ``submit`` is measured the
thread writes 16 MB between the steps, so that the caches are as cold as a sampler leaves them.
"""

from __future__ import annotations

import argparse
import array
import contextlib
import glob
import json
import math
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from .client import Bridge

SHAPES = {"sdxl 1024": ("SDXL", (1, 4, 128, 128)), "flux2 1024": ("Flux2", (1, 128, 64, 64))}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", nargs="?", choices=("bridge", "soak", "learning"), default="bridge")
    parser.add_argument("--frames", type=int, default=100_000, help="frames of the soak")
    parser.add_argument("--repeat", type=int, default=300, help="samples of each row of the bridge")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout instead of a table")


def run(arguments: argparse.Namespace) -> int:
    try:
        rows = list(_bridge(arguments.repeat) if arguments.what == "bridge" else _soak(arguments.frames) if arguments.what == "soak" else _learning())
    except _Failed as error:
        print(f"The benchmark stopped: {error}", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps({"rows": rows}))
    else:
        for row in rows:
            p99 = "" if row["p99"] is None else f"   p99 {row['p99']:.3f}"
            print(f"{row['name']:32}{row['ours']:>12.3f} {row['unit']}{p99}")
    return 0


class _Failed(Exception):
    """The host did not start, or a picture did not come."""


def _row(name: str, unit: str, ours: float, p99: float | None = None) -> dict[str, Any]:
    return {"name": name, "unit": unit, "ours": ours, "p99": p99, "peer": None, "peer_name": None, "ratio": None}


def _median(name: str, samples: list[float]) -> dict[str, Any]:
    samples.sort()
    return _row(name, "ms", statistics.median(samples), samples[min(len(samples) - 1, math.ceil(len(samples) * 0.99) - 1)])


def _bridge(repeat: int) -> Iterator[dict[str, Any]]:
    for name, (latent_format, shape) in SHAPES.items():
        yield _median(f"submit {name}", _submit(latent_format, shape, repeat))
    for side in (64, 128):
        yield _median(f"roundtrip latent2rgb {side}x{side}", _round_trip((1, 4, side, side), repeat))
    yield _median("host start", [_start() for _ in range(5)])
    with _started() as bridge:
        yield _row("host idle memory", "MB", _memory(bridge) / 1e6)
    yield _row("allocation per frame", "bytes", _allocation(max(repeat, 1000)))


@contextlib.contextmanager
def _started(**options: Any) -> Iterator[Bridge]:
    with Bridge(**options) as bridge:
        if not bridge.start(30):
            raise _Failed(f"the host did not start: {bridge.off_reason or 'no answer within 30 s'}")
        yield bridge


def _latent(shape: tuple[int, ...]) -> Any:
    """A latent as a sampler has it: a torch tensor where torch is installed, a buffer elsewhere."""
    try:
        import torch
    except ImportError:
        return memoryview(array.array("f", [math.sin(i) for i in range(math.prod(shape))])).cast("B").cast("f", shape)
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def _submit(latent_format: str, shape: tuple[int, ...], repeat: int) -> list[float]:
    latent, samples = _latent(shape), []
    scratch, other = memoryview(bytearray(16 << 20)), memoryview(bytearray(16 << 20))
    with _started(decoder="latent2rgb") as bridge:
        for step in range(repeat + 10):
            scratch[:] = other
            started = time.perf_counter_ns()
            bridge.submit(latent, run=1, step=step, latent_format=latent_format)
            samples.append((time.perf_counter_ns() - started) / 1e6)
            bridge.wait(run=1, step=step, timeout=5)
    return samples[10:]


def _round_trip(shape: tuple[int, ...], repeat: int) -> list[float]:
    latent, samples = _latent(shape), []
    with _started(decoder="latent2rgb") as bridge:
        for step in range(repeat + 50):
            started = time.perf_counter_ns()
            bridge.submit(latent, run=1, step=step, latent_format="SDXL")
            if bridge.wait(run=1, step=step, timeout=5) is None:
                raise _Failed("a picture did not come within 5 s")
            samples.append((time.perf_counter_ns() - started) / 1e6)
    return samples[50:]


def _start() -> float:
    latent = _latent((1, 4, 64, 64))
    started = time.perf_counter_ns()
    with Bridge() as bridge:
        bridge.submit(latent, run=1, step=0, total=20, latent_format="SDXL")
        if bridge.wait(run=1, step=0, timeout=30) is None:
            raise _Failed(f"no first preview: {bridge.off_reason or 'no answer within 30 s'}")
        return (time.perf_counter_ns() - started) / 1e6


def _memory(bridge: Bridge) -> float:
    """The host's resident memory in bytes."""
    try:
        with open(f"/proc/{bridge.host_pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS"))
    except OSError:
        return _ask(bridge, "memoryBytes")


def _ask(bridge: Bridge, member: str) -> float:
    host = bridge.status(10)["host"]
    if not host or member not in host:
        raise _Failed(f"the host's status has no {member}")
    return host[member]


def _allocation(frames: int) -> float:
    """Managed bytes a frame, by the difference of two runs (the status messages themselves cancel out)."""
    latent = _latent((1, 4, 64, 64))
    with _started(decoder="latent2rgb") as bridge:
        counts = []
        for run, length in enumerate((frames, 10, 10 + frames)):
            for step in range(length):
                bridge.submit(latent, run=run, step=step, latent_format="SDXL")
                bridge.wait(run=run, step=step, timeout=5)
            counts.append(_ask(bridge, "allocatedBytes"))
        return ((counts[2] - counts[1]) - (counts[1] - counts[0])) / frames


def _learning(rounds: int = 8, steps: int = 25, pause: float = 7) -> Iterator[dict[str, Any]]:
    """Runs while nothing is trained, while another program trains, and in the program that trains, which stops for them.

    Before each is a pause, in which a training begins: it waits for 5 quiet seconds.
    """
    latent = _latent((1, 4, 128, 128))
    scratch, other = memoryview(bytearray(16 << 20)), memoryview(bytearray(16 << 20))
    submits: dict[str, list[float]] = {}
    pictures: dict[str, list[float]] = {}
    firsts: dict[str, list[float]] = {}

    def measure(name: str, bridge: Bridge, run: int) -> None:
        for step in range(steps):
            scratch[:] = other
            started = time.perf_counter_ns()
            bridge.submit(latent, run=run, step=step, total=steps, latent_format="SDXL")
            submitted = time.perf_counter_ns()
            if bridge.wait(run=run, step=step, timeout=5) is None:
                raise _Failed("a picture did not come within 5 s")
            ended = time.perf_counter_ns()
            submits.setdefault(name, []).append((submitted - started) / 1e6)
            (pictures if step else firsts).setdefault(name, []).append((ended - started) / 1e6)
        bridge.end(run=run)

    def trains() -> bool:
        return bool(glob.glob(os.path.join(folder, "learned", "*", "checkpoint.safetensors")))

    with tempfile.TemporaryDirectory() as folder, _started(decoder="latent2rgb") as plain, _started(decoder="latent2rgb", learn=True, data=folder) as learner:
        measure("warm", plain, 1)
        measure("warm", learner, 1)  # begins to learn with its first run
        run = 1
        for number in range(2 * rounds):
            if number == rounds:
                _teach(learner, 20)
            time.sleep(pause)
            if trains() != (number >= rounds):
                raise _Failed(f"in round {number} of {2 * rounds} a training was {'on' if trains() else 'not on'}")
            run += 1
            turns = [("another program trains", plain), ("it stops its own training", learner)] if number >= rounds else [("nothing is trained", plain)]
            for name, bridge in turns if number % 2 else reversed(turns):
                measure(name, bridge, run)
    for name in ("nothing is trained", "another program trains", "it stops its own training"):
        yield _median(f"submit, {name}", submits[name])
        yield _median(f"a run's first picture, {name}", firsts[name])
        yield _median(f"further pictures, {name}", pictures[name])


def _teach(bridge: Bridge, count: int, side: int = 64) -> None:
    """Latents of noise, and pictures whose colours are their first three channels'."""
    chance = random.Random(1)
    for number in range(1, count + 1):
        values = [array.array("f", [chance.uniform(-1, 1) for _ in range(side * side)]) for _ in range(4)]
        flat = array.array("f")
        for row in [*values, *(values[i // 4] for i in range(12))]:
            flat.extend(row)
        bridge.teach(memoryview(flat).cast("B").cast("f", (1, 16, side, side)), model="bench", latent_format="SDXL")
        patience = time.monotonic() + 30
        while ((bridge.status(5)["learned"] or {}).get("pictures") or 0) < number:
            if time.monotonic() > patience:
                raise _Failed("the host learned nothing from a picture")
            time.sleep(0.01)


def _soak(frames: int, steps: int = 20) -> Iterator[dict[str, Any]]:
    """Runs of 20 steps as fast as they go; every run's first and last must show, in order, and none of an old run."""
    latents = [_latent((1, 4, 64, 64)), _latent((1, 4, 48, 64))]
    current, previous, wrong, first, last, memory = 0, (-1, -1), 0, 0, 0, []

    def check(preview: Any) -> None:
        nonlocal previous, wrong, first
        key = (preview.run, preview.step)
        wrong += preview.run != current or key <= previous
        first += preview.step == 0
        previous = key

    runs = max(frames // steps, 1)
    started = time.perf_counter()
    with _started(decoder="latent2rgb", on_preview=check) as bridge:
        for current in range(runs):
            for step in range(steps):
                bridge.submit(latents[current % 2], run=current, step=step, total=steps, latent_format="SDXL")
                if step in (0, steps - 1) and bridge.wait(run=current, step=step, timeout=5) is not None:
                    last += step > 0
            bridge.end(run=current)
            if current in (runs // 2, runs - 1):
                memory.append((_memory(bridge), _own_memory()))
        seconds = time.perf_counter() - started
        status = bridge.status(5)
    yield _row("soak frames a second", "frames/s", runs * steps / seconds)
    yield _row("soak previews shown", "previews", status["shown"])
    yield _row("soak runs without a first picture", "runs", runs - first)
    yield _row("soak runs without a last picture", "runs", runs - last)
    yield _row("soak previews out of order or of an old run", "previews", wrong)
    yield _row("soak host memory growth, second half", "MB", (memory[-1][0] - memory[0][0]) / 1e6)
    yield _row("soak shim memory growth, second half", "MB", (memory[-1][1] - memory[0][1]) / 1e6)
    yield _row("soak hosts started", "hosts", status["hosts"])


def _own_memory() -> float:
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS"))
    except OSError:
        return 0.0
