"""What the shim has to know of latent formats: their numbers lie in ``models/formats``, one file each."""

from __future__ import annotations

import functools
import json
from typing import Any

from . import host_locator

FOLDER = host_locator.ROOT / "models" / "formats"


@functools.lru_cache(maxsize=None)
def numbers(latent_format: str | None) -> dict[str, Any]:
    """The numbers of a format by its id; empty for one that is not known."""
    try:
        return json.loads((FOLDER / f"{latent_format}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def ids() -> list[str]:
    """All formats' ids, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def channels(latent_format: str) -> int:
    """Channels of the latent that is shown: of several nested ones the first."""
    found = numbers(latent_format)
    return found.get("streamChannels", found["channels"])


def is_causal_video(latent_format: str | None) -> bool:
    """Whether its videos begin with a latent frame that is one picture, while each later frame stands for several."""
    found = numbers(latent_format)
    return found.get("dimensions") == 3 and found.get("temporalCompression", 1) > 1
