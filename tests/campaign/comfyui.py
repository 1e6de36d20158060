"""kill -9 of the host at random times in a running ComfyUI, whose custom_nodes hold this repository and benchmarks/comfyui/latentbridge_probe."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator

from client import Page, call, probe

from .kills import PAUSE
from .rows import SKIPPED, Clock, Row, quantile, timed, verdict

SHAPE, STEPS, MILLISECONDS = "1,4,64,64", 20, 100
SEEDS = range(1, 9)
SOONEST = 0.05
"""A picture that comes sooner after a kill, in seconds, was on its way already: no host starts in that time."""


class Prompts:
    """Prompts one after the other, each with a known result; and when their pictures came."""

    def __init__(self, url: str, steps: int, milliseconds: int) -> None:
        self.url, self._steps, self._milliseconds = url, steps, milliseconds
        self.ended: list[str] = []
        self.failures: list[str] = []
        self.changed = self.pictures = 0
        self.back: list[float] = []
        self.killed: float | None = None
        self.is_over = threading.Event()
        with Page(url) as page:
            self._expected = {seed: self._run(page, seed, "none", None) for seed in SEEDS}

    def go_on(self) -> None:
        """Runs until ``is_over``."""
        with Page(self.url) as page:
            while not self.is_over.is_set():
                for seed in SEEDS:
                    try:
                        found = self._run(page, seed, "auto", self._seen)
                    except Exception as error:
                        self.failures.append(repr(error))
                        continue
                    self.changed += found != self._expected[seed]
                    self.ended.append(found)

    def _run(self, page: Page, seed: int, method: str, seen: object) -> str:
        graph = probe("SD15", SHAPE, self._steps, self._milliseconds)
        graph["1"]["inputs"]["seed"] = seed
        graph["2"] = {"class_type": "LatentBridgeDigest", "inputs": {"samples": ["1", 0]}}
        run = page.run(graph, seen, preview_method=method)
        if run.ended != "execution_success":
            raise RuntimeError(f"{run.ended}: {run.error}")
        return run.outputs["2"]["sha256"][0]

    def _seen(self, event: str, data: object) -> None:
        if event == "binary 4":
            self.pictures += 1
            if (killed := self.killed) is not None and time.monotonic() - killed > SOONEST:
                self.killed = None
                self.back.append(time.monotonic() - killed)


def run(clock: Clock, url: str, count: int = 1000) -> Iterator[Row]:
    if not url:
        yield Row("ComfyUI", f"{count:,} x kill -9 in a running ComfyUI", "no --comfyui URL was given", SKIPPED)
        return
    before = process_of(url)
    prompts = Prompts(url, STEPS, MILLISECONDS)
    thread = threading.Thread(target=prompts.go_on, daemon=True)
    thread.start()
    kills, lost = _kill(clock, url, prompts, count)
    prompts.is_over.set()
    thread.join()
    yield Row("ComfyUI", f"{count:,} x kill -9 in a running ComfyUI, steps of {MILLISECONDS / 1000:g} s",
              f"{kills:,} kills, {len(prompts.ended):,} generations, {prompts.pictures:,} pictures; failed generations {len(prompts.failures)}, "
              f"with changed bits {prompts.changed}, hosts not back {lost}{'; ' + prompts.failures[0] if prompts.failures else ''}",
              verdict(not prompts.failures and not prompts.changed and not lost, kills, count))
    yield Row("ComfyUI", "picture on the page after a kill",
              f"median {quantile(prompts.back, 0.5):.2f} s, 99 % {quantile(prompts.back, 0.99):.2f} s, longest {max(prompts.back, default=0):.2f} s "
              f"({len(prompts.back)} times)", timed(quantile(prompts.back, 0.5) <= 0.3 and quantile(prompts.back, 0.99) <= 1, kills, count))
    after = process_of(url)
    left = {name: after[name] - before[name] for name in before if after[name] > before[name]}
    yield Row("ComfyUI", "descriptors and hosts that ComfyUI holds more than before", ", ".join(f"{n} {name}" for name, n in left.items()) or "0",
              verdict(not left, kills, count))


def _kill(clock: Clock, url: str, prompts: Prompts, count: int) -> tuple[int, int]:
    chance, kills, lost = random.Random(1), 0, 0
    while kills < count and not clock.is_over:
        time.sleep(chance.uniform(*PAUSE))
        status = call(f"{url}/latentbridge/status")["bridge"]
        if not status["process"]:
            continue
        pictures = prompts.pictures
        os.kill(status["process"], signal.SIGKILL)
        prompts.killed = time.monotonic()
        kills += 1
        end = time.monotonic() + 30
        while prompts.pictures == pictures and time.monotonic() < end:
            time.sleep(0.02)
        lost += prompts.pictures == pictures
    return kills, lost


def process_of(url: str) -> dict[str, int]:
    """How many descriptors and hosts the process of that ComfyUI has, once it runs a host and nothing else is going on."""
    with Page(url) as page:
        page.run(probe("SD15", SHAPE, 4, 300), preview_method="auto")
        time.sleep(1)
        host = call(f"{url}/latentbridge/status")["bridge"]["process"]
        parent = _parent(host)
        hosts = sum(1 for child in _children(parent) if _name(child) == _name(host))
        return {"descriptors": len(os.listdir(f"/proc/{parent}/fd")), "hosts": hosts}


def _parent(process: int) -> int:
    with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as file:
        return int(file.read().rpartition(")")[2].split()[1])


def _name(process: int) -> str:
    with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as file:
        return file.read().partition("(")[2].rpartition(")")[0]


def _children(process: int) -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and _safe_parent(int(name)) == process]


def _safe_parent(process: int) -> int:
    try:
        return _parent(process)
    except OSError:
        return 0
