"""The settings of the page, checked. ``TABLE`` is their only list: the page makes its controls from it."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import dataclass, fields, replace
from typing import Any

import folder_paths
from comfy.cli_args import args

log = logging.getLogger("latentbridge")

PREFIX = "LatentBridge."
SETTINGS_NODE = "LatentBridgePreviewSettings"


@dataclass(frozen=True)
class Settings:
    """What the user chose. A whole new one replaces it at a change."""

    enabled: bool = True
    decoder: str = "auto"
    size: int = 0
    batch: str = "grid"
    frame: str = "middle"
    every_steps: int = 1
    every_milliseconds: int = 0
    format: str = "auto"
    threads: int = 0
    api: bool = True
    caption: bool = True

    @classmethod
    def load(cls) -> Settings:
        """As the page stored them, for runs without a page; the defaults where there is no file or nonsense in it."""
        try:
            path = os.path.join(folder_paths.get_user_directory(), "default", "comfy.settings.json")
            with open(path, encoding="utf-8") as file:
                stored = json.load(file)
            return cls().changed({name.removeprefix(PREFIX): value for name, value in stored.items() if name.startswith(PREFIX)})
        except FileNotFoundError:
            return cls()
        except Exception as error:
            log.warning("LatentBridge: the stored settings cannot be read (%s); the defaults hold", error)
            return cls()

    def changed(self, values: dict[str, Any]) -> Settings:
        """With these values; one that is unknown or out of bounds is left out."""
        good = {name: value for name, value in values.items() if name in TABLE and TABLE[name].takes(value)}
        return replace(self, **good)

    def encoding(self, is_local: bool) -> str:
        """``png``, ``jpeg`` or ``webp``: PNG costs nothing to make but is four times as long, so it stays on this machine."""
        return self.format if self.format != "auto" else "png" if is_local else "jpeg"

    def options(self, wish: str, encoding: str) -> dict[str, Any]:
        """The bridge's options. ``wish`` is the preview method of ComfyUI; a decoder chosen on the page goes before it."""
        return {
            "decoder": "taesd" if self.decoder == "auto" and wish == "taesd" else self.decoder,
            "size": self.size or getattr(args, "preview_size", 512),
            "batch": "grid" if self.batch == "grid" else "first",
            "frame": self.frame,
            "encoding": "png" if encoding == "png" else "rgb24",
            "threads": self.threads,
        }


@dataclass(frozen=True)
class Setting:
    """One control of the settings page: its words, and what it takes (a list, or an inclusive range)."""

    name: str
    tooltip: str
    choices: tuple[str, ...] | None = None
    range: tuple[int, int, int] | None = None

    def takes(self, value: Any) -> bool:
        if self.range is not None:
            return isinstance(value, int) and not isinstance(value, bool) and self.range[0] <= value <= self.range[1]
        return value in self.choices if self.choices is not None else isinstance(value, bool)

    def describe(self, identifier: str, default: Any) -> dict[str, Any]:
        """As the page's ``registerExtension`` wants it."""
        kind = "combo" if self.choices else "slider" if self.range else "boolean"
        found = {"id": PREFIX + identifier, "name": self.name, "type": kind, "defaultValue": default, "tooltip": self.tooltip}
        if self.choices:
            found["options"] = list(self.choices)
        if self.range:
            found["attrs"] = dict(zip(("min", "max", "step"), self.range, strict=True))
        return found


TABLE = {
    "enabled": Setting("Previews by LatentBridge", "Off: ComfyUI's own previews, as if LatentBridge were not there"),
    "decoder": Setting("Decoder", "auto: the best one whose picture is ready before the next step",
                       ("auto", "latent2rgb", "estimated", "tiny", "approx-nn", "taesd-half", "taesd")),
    "size": Setting("Longest side", "In pixels; 0: as ComfyUI's --preview-size (512 unless set)", range=(0, 2048, 64)),
    "batch": Setting("Batch", "All pictures in a grid, only the first, or another one at each step", ("grid", "first", "turn")),
    "frame": Setting("Video frame", "Which frame of a video is shown", ("first", "middle", "last")),
    "every_steps": Setting("Every n steps", "The first and the last step are always shown", range=(1, 50, 1)),
    "every_milliseconds": Setting("At most every n milliseconds", "0: no limit", range=(0, 5000, 50)),
    "format": Setting("Format", "auto: PNG on this machine, JPEG over a network", ("auto", "png", "jpeg", "webp")),
    "threads": Setting("Threads of a decode", "0: half of the idle cores", range=(0, 32, 1)),
    "api": Setting("Previews for prompts of scripts", "Of prompts without a page; they go to every open page", None),
    "caption": Setting("Caption", "Decoder, milliseconds and step under the picture"),
}


def describe() -> list[dict[str, Any]]:
    """All controls, for the page."""
    defaults = {field.name: field.default for field in fields(Settings)}
    return [setting.describe(name, defaults[name]) for name, setting in TABLE.items()]
