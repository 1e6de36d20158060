"""``python -m latentbridge doctor | demo | bench``."""

from __future__ import annotations

import argparse
import sys

from . import __version__, bench, demo, doctor

COMMANDS = {
    "doctor": (doctor, "what is there and what is wrong"),
    "demo": (demo, "the example latents through the real bridge"),
    "bench": (bench, "the bridge measured"),
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m latentbridge", description="The Python side of LatentBridge.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (module, about) in COMMANDS.items():
        module.add_arguments(commands.add_parser(name, help=about, description=about))
    parsed = parser.parse_args(arguments)
    return COMMANDS[parsed.command][0].run(parsed)


if __name__ == "__main__":
    sys.exit(main())
