"""The version, from ``version.txt`` beside the package in a clone or from the installed package's metadata."""

from __future__ import annotations

from pathlib import Path


def _read() -> str:
    try:
        return Path(__file__).parent.with_name("version.txt").read_text(encoding="utf-8").strip()
    except OSError:
        from importlib.metadata import version

        return version("latentbridge")


VERSION = _read()
