"""Pretended samplers: they make the same latents each time, whatever their previews do, so that a changed bit shows."""

from __future__ import annotations

import hashlib
import os
import random
import threading
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

from latentbridge import Bridge, Preview, host_locator

AXES = (1, 4, 64, 64)


def host() -> list[str]:
    """The command of the host that is tried."""
    command = host_locator.find()
    if command is None:
        raise SystemExit("campaign: no host was found; " + host_locator.ADVICE)
    return [*command, "serve"]


class Latents:
    """The latents of a run: noise that fades from step to step, always the same of one seed."""

    def __init__(self, seed: int, axes: tuple[int, ...] = AXES) -> None:
        count = 1
        for axis in axes:
            count *= axis
        self._axes = axes
        self._values = array("f", (random.Random(seed).gauss(0, 1) for _ in range(count)))
        self._digest = hashlib.sha256()

    def next(self) -> memoryview:
        """The latent of the next step. What came of the last one goes on into it, and into ``digest``."""
        self._digest.update(self._values)
        self._values = self._values[1:] + self._values[:1]
        return memoryview(self._values).cast("B").cast("f", self._axes)

    def digest(self) -> str:
        """Names every bit of every step so far."""
        self._digest.update(self._values)
        return self._digest.hexdigest()


class Sampler:
    """Runs of so many steps of so many seconds over a bridge of its own. Keeps what went wrong, and when pictures came."""

    def __init__(self, seconds: float, steps: int = 20, seed: int = 1, axes: tuple[int, ...] = AXES, **options: Any) -> None:
        self.seconds, self.steps, self.seed, self.axes = seconds, steps, seed, axes
        self.failures: list[str] = []
        self.runs = self.changed = 0
        self.callbacks: list[float] = []
        self.on_picture: Callable[[Preview], None] | None = None
        self._run = 0
        self.bridge = Bridge(on_preview=self._shown, host=host(), strict=True, **options)
        self._expected = self._sample(lambda latent, step: None, 0.0)

    def run(self) -> None:
        """One run; a failure or a changed bit is counted."""
        self._run += 1
        try:
            self.bridge.begin(run=self._run, latent_format="SDXL")
            found = self._sample(self._submit, self.seconds)
            self.bridge.end(run=self._run)
        except Exception as error:
            self.failures.append(repr(error))
            return
        self.runs += 1
        self.changed += found != self._expected

    def _sample(self, callback: Callable[[memoryview, int], None], seconds: float) -> str:
        latents = Latents(self.seed, self.axes)
        for step in range(self.steps):
            time.sleep(seconds)
            callback(latents.next(), step)
        return latents.digest()

    def _submit(self, latent: memoryview, step: int) -> None:
        started = time.perf_counter()
        self.bridge.submit(latent, run=self._run, step=step, total=self.steps)
        self.callbacks.append(time.perf_counter() - started)

    def _shown(self, preview: Preview) -> None:
        if self.on_picture is not None:
            self.on_picture(preview)


class Machine:
    """What this process holds of the system, to be compared with later."""

    def __init__(self) -> None:
        self.descriptors = len(os.listdir("/proc/self/fd"))
        self.threads = threading.active_count()
        self.children = children()
        self.files = files()

    def left_behind(self) -> list[str]:
        """What is there now and was not before, once it had time to go."""
        end = time.monotonic() + 10
        while True:
            now = Machine()
            left = [f"process {child}" for child in now.children - self.children] + sorted(now.files - self.files)
            for name in ("descriptors", "threads"):
                more = getattr(now, name) - getattr(self, name)
                if more > 0:
                    left.append(f"{more} {name}")
            if not left or time.monotonic() > end:
                return left
            time.sleep(0.2)


def children(of: int | None = None) -> set[int]:
    """The process ids of a process's children (this one's), the dead ones that nobody waited for among them."""
    found = set()
    for task in Path(f"/proc/{of or os.getpid()}/task").iterdir():
        try:
            found |= set(map(int, (task / "children").read_text().split()))
        except OSError:
            pass  # that thread has ended
    return found


def files() -> set[str]:
    """What our mappings leave behind in the places for temporary files, if anything."""
    places = [Path(place) for place in ("/dev/shm", os.environ.get("TMPDIR", "/tmp")) if Path(place).is_dir()]
    return {str(entry) for place in places for entry in place.iterdir() if entry.name.startswith("latentbridge-shm-")}
