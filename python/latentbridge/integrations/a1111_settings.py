"""The settings section "LatentBridge". What the UI's own page "Live previews" already says (every n steps, format, grid) is not asked again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

PREFIX = "latentbridge_"
SECTION = ("latentbridge", "LatentBridge")


@dataclass(frozen=True)
class Setting:
    """One control: its words, and what it takes (a list, or an inclusive range with a step)."""

    default: Any
    name: str
    tooltip: str
    choices: tuple[str, ...] | None = None
    range: tuple[int, int, int] | None = None

    def read(self, value: Any) -> Any:
        """A stored value, or the default for one that is out of bounds."""
        if self.range is not None:
            good = isinstance(value, (int, float)) and self.range[0] <= value <= self.range[1]
            return int(value) if good else self.default
        return value if value in self.choices else self.default


TABLE = {
    "decoder": Setting("auto", "Decoder", "auto: the best one whose picture is ready before the next step",
                       ("auto", "latent2rgb", "estimated", "tiny", "approx-nn", "taesd-half", "taesd")),
    "size": Setting(0, "Longest side", "In pixels; 0: as the decoder gives it", range=(0, 2048, 64)),
    "batch": Setting("auto", "Batch", "All pictures in a grid, only the first, or another one at each step; "
                     'auto: as the page "Live previews" says', ("auto", "grid", "first", "turn")),
    "every_milliseconds": Setting(0, "At most every n milliseconds", "0: no limit", range=(0, 5000, 50)),
    "threads": Setting(0, "Threads of a decode", "0: half of the idle cores", range=(0, 32, 1)),
}


def read(stored: dict[str, Any]) -> dict[str, Any]:
    """What is set now, by the names of ``TABLE``."""
    return {name: setting.read(stored.get(PREFIX + name, setting.default)) for name, setting in TABLE.items()}


def add_section(shared: Any) -> None:
    """Adds the section to the settings page, which the UI builds later."""
    import gradio

    for name, setting in TABLE.items():
        if setting.range is not None:
            control, arguments = gradio.Slider, dict(zip(("minimum", "maximum", "step"), setting.range, strict=True))
        else:
            control, arguments = gradio.Radio, {"choices": list(setting.choices)}
        option = shared.OptionInfo(setting.default, setting.name, control, arguments, section=SECTION)
        shared.opts.add_option(PREFIX + name, option.info(setting.tooltip))
