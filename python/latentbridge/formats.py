"""What the shim has to know of latent formats: their numbers lie in ``models/formats``, one file each."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from typing import Any

from . import host_locator

FOLDER = host_locator.HOME / "models" / "formats"


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


def misfit(shape: Sequence[int], latent_format: str) -> str | None:
    """Why a latent ``[B,C,...]`` is none of this format, and which it may be; None where it fits."""
    found = numbers(latent_format)
    if not found:
        return f"the latent format is {latent_format}; expected one of {', '.join(ids())}"
    axes = {1: "[B,C,N]", 2: "[B,C,H,W]", 3: "[B,C,T,H,W]"}
    wanted = channels(latent_format)
    if len(shape) == found["dimensions"] + 2 and shape[1] == wanted:
        return None
    others = [name for name in ids() if numbers(name)["dimensions"] + 2 == len(shape) and channels(name) == shape[1]]
    return (f"the latent's shape is {list(shape)}; {latent_format} has {axes[found['dimensions']]} with {wanted} channels. "
            + (f"Choose the format of the model that made it, with these axes: {', '.join(others)}" if others else "No format has such a latent"))
