"""The settings that every UI has, in the same words: what they are called, what they take, what holds unless somebody chose."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .. import host_locator, options

NO_WINDOW = getattr(subprocess, "CREATE_NO_WINDOW", 0)


@dataclass(frozen=True)
class Setting:
    """One control: its words, and what it takes: one of ``choices``, a whole number of ``range`` (minimum, maximum, step), or yes and no.

    ``is_open``: ``choices`` are what is there unless the host says otherwise; any other word is taken too.
    """

    default: Any
    name: str
    tooltip: str
    choices: tuple[str, ...] | None = None
    range: tuple[int, int, int] | None = None
    is_open: bool = False

    def takes(self, value: Any) -> bool:
        if self.range is not None:
            return isinstance(value, (int, float)) and not isinstance(value, bool) and self.range[0] <= value <= self.range[1]
        if self.choices is None:
            return isinstance(value, bool)
        return isinstance(value, str) and (self.is_open or value in self.choices)

    def read(self, value: Any) -> Any:
        """A stored value, or the default for one that is out of bounds."""
        if not self.takes(value):
            return self.default
        return int(value) if self.range is not None else value


def of_host(option: str, name: str, tooltip: str | None = None, **page: Any) -> Setting:
    """The control of one of the host's options: its default, range and help come from the host; the page names it and may offer less."""
    described = options.TABLE[option]
    if "minimum" in described and "range" not in page:
        page["range"] = (described["minimum"], described["maximum"], 1)
    elif "choices" in described and "choices" not in page:
        page["choices"] = tuple(described["choices"])
    page.setdefault("default", described["default"])
    return Setting(name=name, tooltip=tooltip or described["help"], **page)


COMMON = {
    "decoder": of_host("decoder", "Decoder", choices=("auto", "taesd", "taesd-half", "tiny", "latent2rgb", "estimated"), is_open=True),
    "size": of_host("size", "Longest side", range=(0, 2048, 64)),
    "batch": of_host("batch", "Batch", "All pictures in a grid, only the first, or another one at each step", default="grid",
                     choices=("grid", "first", "turn")),
    "every_milliseconds": Setting(0, "At most every n milliseconds", "0: no limit", range=(0, 5000, 50)),
    "threads": of_host("threads", "Threads of a decode", range=(0, 32, 1)),
    "record": Setting(False, "Record", "Keeps the latents of the newest 20 runs (256 MB a run at most) in the folder latentbridge of the outputs; "
                      "latentbridge replay shows them again"),
    "interrupt": Setting(False, "Interrupt runs that go wrong", "When values are NaN or explode, the picture is one colour or no longer changes, or a video does not move"),
    "calibrate": of_host("calibrate", "Learn each model's colours"),
    "learn": of_host("learn", "Learn a sharp decoder"),
    "host_mode": Setting("auto", "Host mode", "process: C# runs in a program of its own; pythonnet: in the UI's own process (docs/inprocess.md); "
                         "auto: the former where it is there. Holds from the UI's next start on", ("auto", "process", "pythonnet")),
}


class DecoderList:
    """The decoders to choose from: those that the host has with the weights it finds."""

    def __init__(self, folders: Sequence[str] = ()) -> None:
        self._folders = folders
        self._found: list[str] = []
        self._learned: list[dict[str, Any]] = []
        self._thread: threading.Thread | None = None

    def look(self) -> None:
        """Asks, without waiting for the answer. Again after weights were added."""
        self._thread = threading.Thread(target=self._ask, name="latentbridge-decoders", daemon=True)
        self._thread.start()

    def choices(self) -> list[str]:
        """``auto`` and what is there; what may be there when no answer comes within two seconds."""
        if self._thread is None:
            self.look()
        self._thread.join(2.0)
        return self.known()

    def known(self) -> list[str]:
        """The same, without asking or waiting: as of the last time somebody asked."""
        return ["auto", *self._found] if self._found else list(COMMON["decoder"].choices)

    def learned_in_words(self) -> str:
        """Which pictures are kept to learn from, what came of them, and how they are forgotten: a sentence with a space before it, as of the last time
        somebody asked; empty where nothing is kept."""
        if not self._learned:
            return ""
        spaces = (f"{space['format']} {space['kept']} (" + (f"decoder of {space['pictures']}, {space['decibels']:.1f} dB)" if space["pictures"] else "no decoder yet)")
                  for space in self._learned)
        megabytes = sum(space["bytes"] for space in self._learned) / 1e6
        return f" Pictures kept to learn from: {', '.join(spaces)}; {megabytes:.0f} MB. `latentbridge models forget all` deletes them."

    def forget(self) -> None:
        """Deletes the pictures that are kept to learn from, and what was learned. A host that runs follows with its next run."""
        if self._learned:
            self._run("models", "forget", "all").check_returncode()
            self._learned = []

    def _ask(self) -> None:
        try:
            answer = json.loads(self._run("models", "list", "--json").stdout)
            self._found = list(dict.fromkeys(decoder["id"] for decoder in answer["decoders"]))
            self._learned = list(answer.get("learned", ()))
            if any(space["pictures"] for space in self._learned):
                self._found.append("learned")
        except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
            self._found, self._learned = [], []  # no host, or one of another kind

    def _run(self, *command: str) -> subprocess.CompletedProcess[bytes]:
        folders = os.pathsep.join([*self._folders, *filter(None, [os.environ.get("LATENTBRIDGE_MODELS")])])
        return subprocess.run(
            [*host_locator.find(), *command], env={**host_locator.environment(), "LATENTBRIDGE_MODELS": folders},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=10, creationflags=NO_WINDOW)
