"""kill -9 of the host at random times, under bare bridges: no run fails, no bit changes, pictures are back soon."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator

from .rows import Clock, Row, quantile, timed, verdict
from .samplers import Machine, Sampler

PAUSE = (3.1, 3.7)
"""Seconds between two kills of one bridge. More than 20 deaths a minute slow its restarts down, on purpose: see ``deaths_in_a_row``."""

BRIDGES = 3


class Victim:
    """A sampler in a thread, and the hosts of its bridge, which are killed."""

    def __init__(self, seed: int, seconds: float, steps: int) -> None:
        self.sampler = Sampler(seconds, steps, seed)
        self.sampler.on_picture = self._shown
        self.back: list[float] = []
        self.attached: list[float] = []
        self.kills = self.lost = 0
        self._random = random.Random(seed)
        self._killed: tuple[int, float] | None = None
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def start(self) -> None:
        self.sampler.bridge.start(60)
        self._thread.start()

    def kill(self) -> None:
        """Kills a host that has shown a picture, and waits until the next one is attached."""
        bridge = self.sampler.bridge
        time.sleep(self._random.uniform(*PAUSE))
        connection = bridge._thread.connection
        if connection is None or not connection.has_shown or (victim := connection.pid) == 0:
            return
        self._killed = (victim, time.monotonic())
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.kills += 1
        killed = time.monotonic()
        while time.monotonic() - killed < 30:
            if bridge.host_pid not in (0, victim) and bridge._thread.mapping is not None:
                self.attached.append(time.monotonic() - killed)
                return
            time.sleep(0.002)
        self.lost += 1

    def end(self) -> None:
        self._is_over.set()
        self._thread.join()
        self.sampler.bridge.close()

    def _sample(self) -> None:
        while not self._is_over.is_set():
            self.sampler.run()

    def _shown(self, _: object) -> None:
        if (killed := self._killed) is not None and self.sampler.bridge.host_pid != killed[0]:
            self._killed = None
            self.back.append(time.monotonic() - killed[1])


def run(clock: Clock, count: int = 1000) -> Iterator[Row]:
    before = Machine()
    yield from _many("steps of 0.1 s", Clock(clock.left * 0.8), count, 0.1, 20, picture=True)
    yield from _many("steps of 6 s", Clock(clock.left * 0.8), max(1, count // 10), 6.0, 3, picture=False)
    left = before.left_behind()
    yield Row("kills", "descriptors, threads, processes and files left behind", ", ".join(left) or "0", verdict(not left, 1, 1))
    yield _deaths_in_a_row()


def _many(name: str, clock: Clock, count: int, seconds: float, steps: int, picture: bool) -> Iterator[Row]:
    victims = [Victim(seed, seconds, steps) for seed in range(1, BRIDGES + 1)]

    def hunt(victim: Victim) -> None:
        while not clock.is_over and sum(other.kills for other in victims) < count:
            victim.kill()

    hunters = [threading.Thread(target=hunt, args=(victim,)) for victim in victims]
    for victim in victims:
        victim.start()
    for hunter in hunters:
        hunter.start()
    for hunter in hunters:
        hunter.join()
    for victim in victims:
        victim.end()
    kills, lost = (sum(getattr(victim, field) for victim in victims) for field in ("kills", "lost"))
    runs, changed = (sum(getattr(victim.sampler, field) for victim in victims) for field in ("runs", "changed"))
    failures = [failure for victim in victims for failure in victim.sampler.failures]
    times = [seconds for victim in victims for seconds in (victim.back if picture else victim.attached)]
    submits = sum(len(victim.sampler.callbacks) for victim in victims)
    yield Row("kills", f"{count:,} x kill -9, bare bridges, {name}",
              f"{kills:,} kills, {runs:,} runs, {submits:,} submits; failed runs {len(failures)}, runs with changed bits {changed}, "
              f"hosts not back {lost}{'; ' + failures[0] if failures else ''}",
              verdict(not failures and not changed and not lost, kills, count))
    yield Row("kills", f"{'picture' if picture else 'host'} back after a kill, {name}",
              f"median {quantile(times, 0.5):.2f} s, 99 % {quantile(times, 0.99):.2f} s, longest {max(times, default=0):.2f} s "
              f"({len(times)} times)", timed(quantile(times, 0.5) <= 0.3 and quantile(times, 0.99) <= 1, kills, count))


def _deaths_in_a_row() -> Row:
    """The limit on purpose: from the 21st death within a minute on, the next host waits, and its wait doubles."""
    victim = Victim(9, 0.05, 20)
    victim.start()
    bridge = victim.sampler.bridge
    hosts, end = set(), time.monotonic() + 20
    while time.monotonic() < end:
        if (pid := bridge.host_pid) and bridge._thread.mapping is not None and pid not in hosts:
            hosts.add(pid)
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
    victim.end()
    return Row("kills", "a host killed as soon as it lives, for 20 s: restarts slow down, runs go on",
               f"{len(hosts)} hosts, failed runs {len(victim.sampler.failures)}, changed {victim.sampler.changed}",
               verdict(len(hosts) <= 30 and not victim.sampler.failures and not victim.sampler.changed, 1, 1))
