"""The settings section "LatentBridge". What the UI's own page "Live previews" already says (every n steps, format, grid) is not asked again."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..settings import COMMON, DecoderList, Setting

PREFIX = "latentbridge_"
SECTION = ("latentbridge", "LatentBridge")
TABLE = {
    **COMMON,
    "batch": replace(COMMON["batch"], default="auto", choices=("auto", *COMMON["batch"].choices),
                     tooltip=COMMON["batch"].tooltip + '; auto: as the page "Live previews" says'),
    "corrections": Setting(False, "Corrections in txt2img and img2img", "Adds an accordion there that changes the latent between steps, and so the picture. "
                           "Holds from Reload UI on"),
}
KEYS = [PREFIX + name for name in TABLE]
AT_RELOAD = ("host_mode", "corrections")
"""What holds from the UI's next start or reload on."""


def read(stored: dict[str, Any]) -> dict[str, Any]:
    """What is set now, by the names of ``TABLE``."""
    return {name: setting.read(stored.get(PREFIX + name, setting.default)) for name, setting in TABLE.items()}


def add_section(shared: Any, decoders: DecoderList) -> None:
    """Adds the section to the settings page, which the UI builds later."""
    import gradio

    for name, setting in TABLE.items():
        more: dict[str, Any] = {}
        if setting.range is not None:
            control, arguments = gradio.Slider, dict(zip(("minimum", "maximum", "step"), setting.range, strict=True))
        elif setting.is_open:
            control, arguments, more = gradio.Dropdown, lambda: {"choices": decoders.choices()}, {"refresh": decoders.look}
        elif setting.choices is None:
            control, arguments = gradio.Checkbox, {}
        else:
            control, arguments = gradio.Radio, {"choices": list(setting.choices)}
        option = shared.OptionInfo(setting.default, setting.name, control, arguments, section=SECTION, **more)
        shared.opts.add_option(PREFIX + name, option.info(setting.tooltip))


def add_status(shared: Any, text: Callable[[], str]) -> None:
    """Adds a line of text to the section. The page asks for it anew each time that it is loaded."""

    class Status(shared.OptionHTML):
        def _default(self) -> str:
            return html.escape(text())

        default = property(_default, lambda self, value: None)

    option = Status("")
    option.section = SECTION
    shared.opts.add_option(PREFIX + "status", option)
