"""The preview options that the host knows: name, default, what each takes, one line of help.

``options.json`` beside this file is written by the host from its own table (``latentbridge options``), so an option is described once.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TABLE: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("options.json").read_text(encoding="utf-8"))
"""By name: ``default``, ``help``, and where they apply ``choices`` (words) and ``minimum`` with ``maximum`` (whole numbers)."""


def expected(option: dict[str, Any]) -> str:
    """What an option takes, as people read it."""
    parts = list(option.get("choices", ()))
    if "minimum" in option:
        parts.append(f"a whole number from {option['minimum']} to {option['maximum']}")
    return ", ".join(parts) or ("True or False" if isinstance(option["default"], bool) else "some text")


def takes(option: dict[str, Any], value: Any) -> bool:
    if isinstance(value, bool):
        return isinstance(option["default"], bool)
    if isinstance(value, int):
        return "minimum" in option and option["minimum"] <= value <= option["maximum"]
    if not isinstance(value, str):
        return False
    if "choices" in option:
        return value in option["choices"]
    return isinstance(option["default"], str) and bool(value)


def check(options: dict[str, Any]) -> dict[str, Any]:
    """The options again; ``ValueError`` naming the first unknown name or value and what is allowed."""
    for name, value in options.items():
        option = TABLE.get(name)
        if option is None:
            raise ValueError(f"unknown option {name!r}; known are {', '.join(TABLE)}")
        if not takes(option, value):
            raise ValueError(f"option {name} is {value!r}; expected {expected(option)}")
    return options
