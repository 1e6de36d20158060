"""The settings of the page, checked. ``TABLE`` is their only list: the page makes its controls from it."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import folder_paths
from comfy.cli_args import args

from ..settings import COMMON, Setting

log = logging.getLogger("latentbridge")

PREFIX = "LatentBridge."
SETTINGS_NODE = "LatentBridgePreviewSettings"


TABLE = {
    "enabled": Setting(True, "Previews by LatentBridge", "Off: ComfyUI's own previews, as if LatentBridge were not there"),
    # ComfyUI finds a setting by its name alone, so the words to look for are in it.
    "decoder": replace(COMMON["decoder"], name="Decoder (TAESD, tiny, latent2rgb ...)"),
    "size": replace(COMMON["size"], tooltip="In pixels; 0: as ComfyUI's --preview-size (512 unless set)"),
    "batch": COMMON["batch"],
    "frame": Setting("auto", "Video frame", "auto: the first where its colours are the true ones (Wan, Hunyuan, LTX ...), else the middle one",
                     ("auto", "first", "middle", "last")),
    "clip": Setting(False, "Videos move", "The whole clip plays under the sampler and gets sharper between the steps"),
    "every_steps": Setting(1, "Every n steps", "The first and the last step are always shown", range=(1, 50, 1)),
    "every_milliseconds": COMMON["every_milliseconds"],
    "format": Setting("auto", "Picture format (PNG, JPEG, WebP)", "auto: PNG on this machine, JPEG over a network. Scripts and old pages always get JPEG", ("auto", "png", "jpeg", "webp")),
    "threads": COMMON["threads"],
    "caption": Setting(True, "Caption", "Decoder, milliseconds and step under the picture"),
    "record": COMMON["record"],
    "interrupt": COMMON["interrupt"],
    "calibrate": COMMON["calibrate"],
    "learn": COMMON["learn"],
    "host_mode": replace(COMMON["host_mode"], tooltip=COMMON["host_mode"].tooltip.partition(" Holds from")[0].removesuffix(".")),
}


@dataclass(frozen=True)
class Settings:
    """What the user chose. A whole new one replaces it at a change."""

    enabled: bool = TABLE["enabled"].default
    decoder: str = TABLE["decoder"].default
    size: int = TABLE["size"].default
    batch: str = TABLE["batch"].default
    frame: str = TABLE["frame"].default
    clip: bool = TABLE["clip"].default
    every_steps: int = TABLE["every_steps"].default
    every_milliseconds: int = TABLE["every_milliseconds"].default
    format: str = TABLE["format"].default
    threads: int = TABLE["threads"].default
    caption: bool = TABLE["caption"].default
    record: bool = TABLE["record"].default
    interrupt: bool = TABLE["interrupt"].default
    calibrate: bool = TABLE["calibrate"].default
    learn: bool = TABLE["learn"].default
    host_mode: str = TABLE["host_mode"].default

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
        good = {name: TABLE[name].read(value) for name, value in values.items() if name in TABLE and TABLE[name].takes(value)}
        return replace(self, **good)

    def encoding(self, is_local: bool, with_metadata: bool) -> str:
        """``png``, ``jpeg`` or ``webp``: PNG costs nothing to make but is four times as long, so it stays on this machine.

        Where no metadata goes with a picture, a PNG is a result (Krita makes a layer of it): there it is always JPEG, as core's.
        """
        return "jpeg" if not with_metadata else self.format if self.format != "auto" else "png" if is_local else "jpeg"

    def options(self, wish: str, encoding: str) -> dict[str, Any]:
        """The bridge's options. ``wish`` is the preview method of ComfyUI; a decoder chosen on the page goes before it."""
        return {
            "decoder": "taesd" if self.decoder == "auto" and wish == "taesd" else self.decoder,
            "size": self.size or getattr(args, "preview_size", 512),
            "batch": "grid" if self.batch == "grid" else "first",
            "frame": self.frame,
            "encoding": encoding,
            "threads": self.threads,
            "calibrate": self.calibrate,
            "learn": self.learn,
        }


def describe(decoders: list[str]) -> list[dict[str, Any]]:
    """All controls, as the page's ``registerExtension`` wants them."""
    return [_control(name, setting, decoders if setting.is_open else setting.choices) for name, setting in TABLE.items()]


def _control(name: str, setting: Setting, choices: Sequence[str] | None) -> dict[str, Any]:
    kind = "combo" if choices else "slider" if setting.range else "boolean"
    found = {"id": PREFIX + name, "name": setting.name, "type": kind, "defaultValue": setting.default, "tooltip": setting.tooltip}
    if choices:
        found["options"] = list(choices)
    if setting.range:
        found["attrs"] = dict(zip(("min", "max", "step"), setting.range, strict=True))
    return found
