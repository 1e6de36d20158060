"""``python PATH/latentbridge doctor | demo | bench | view``, or ``python -m latentbridge ...`` where the package can be imported."""

from __future__ import annotations

import argparse
import sys
from typing import Any

if not __package__:  # started by its path: a portable UI's Python can be told of no other folder
    import os

    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    __package__ = "latentbridge"
    import latentbridge  # noqa: F401

from . import __version__, bench, demo, doctor
from .live import view

COMMANDS = {
    "doctor": (doctor, "what is there and what is wrong"),
    "demo": (demo, "the example latents through the real bridge"),
    "bench": (bench, "the bridge measured"),
    "view": (view, "recorded runs in the browser, on the page of the live view"),
}


def main(arguments: list[str] | None = None) -> int:
    for stream in (sys.stdout, sys.stderr):
        _write_anything(stream)
    parser = argparse.ArgumentParser(prog="latentbridge", description="The Python side of LatentBridge.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (module, about) in COMMANDS.items():
        module.add_arguments(commands.add_parser(name, help=about, description=about))
    parsed = parser.parse_args(arguments)
    return COMMANDS[parsed.command][0].run(parsed)


def _write_anything(stream: Any) -> None:
    """Makes a redirected stream UTF-8, with the bytes of file names as they are, and has a terminal show what it lacks by its code: a path's
    letters must end nothing."""
    if not hasattr(stream, "reconfigure"):
        return
    if stream.isatty():
        stream.reconfigure(errors="backslashreplace")
    else:
        stream.reconfigure(encoding="utf-8", errors="backslashreplace" if sys.platform == "win32" else "surrogateescape")


if __name__ == "__main__":
    sys.exit(main())
