"""Keeps each run's latents as files while the user wants it. Off unless switched on."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Hashable
from queue import SimpleQueue
from typing import Any

from ..recording import Recording

KEPT = 20
"""Runs whose files stay; with a newer one the oldest goes."""


class Recorder:
    """Takes latents on the sampler's thread, and writes them on one of its own, which ends with the run.

    ``add`` makes a copy in half precision where the latent is, waits for nothing, and keeps the first picture of a batch.
    """

    def __init__(self, folder: str, say: Callable[[str], None]) -> None:
        self.folder, self._say = folder, say
        self._key: Hashable = None
        self._steps: SimpleQueue[Any] | None = None

    def add(self, key: Hashable, latent: Any, latent_format: str | None) -> None:
        """A step's latent, a torch tensor; with another ``key`` than the last time a new run begins."""
        half = latent[:1].detach().clamp(-65504, 65504).half()
        if self._steps is None or key != self._key:
            self.end()
            self._key, self._steps = key, SimpleQueue()
            threading.Thread(target=self._write, args=(self._steps, latent_format), name="latentbridge-recorder", daemon=True).start()
        self._steps.put(half)

    def end(self) -> None:
        """The run is over: its file is written."""
        steps, self._steps = self._steps, None
        if steps is not None:
            steps.put(None)

    def _write(self, steps: SimpleQueue[Any], latent_format: str | None) -> None:
        name = f"{time.strftime('%Y%m%d-%H%M%S')}-{time.perf_counter_ns() % 1_000_000:06}.safetensors"
        recording = Recording(os.path.join(self.folder, name), latent_format=latent_format)
        while (latent := steps.get()) is not None:
            try:
                recording.add(latent)
            except Exception as error:  # whatever it is: what nobody takes would fill the device's memory
                self._say(f"a latent was not recorded: {error}")
        try:
            os.makedirs(self.folder, 0o700, exist_ok=True)
            recording.close()
            for old in sorted(self._files())[:-KEPT]:
                os.unlink(os.path.join(self.folder, old))
        except OSError as error:
            self._say(f"a run was not recorded: {error}")

    def _files(self) -> list[str]:
        """Ours: a date, a time and a number. Whatever else lies there is left alone."""
        return [name for name in os.listdir(self.folder)
                if name.endswith(".safetensors") and [len(part) for part in name[:-12].split("-") if part.isdigit()] == [8, 6, 6]]
