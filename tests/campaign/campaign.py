"""Runs the parts of the campaign and prints one table.

    ./campaign.sh [MINUTES] [--only PART,PART] [--comfyui URL] [--out docs/reliability.md]
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from campaign import ROOT, comfyui, fuzz, kills  # noqa: E402
from campaign.rows import BROKEN, Clock, Row  # noqa: E402

Part = Callable[[Clock, argparse.Namespace], Iterable[Row]]

PARTS: dict[str, tuple[float, Part]] = {
    "fuzz": (0.4, lambda clock, _: fuzz.run(clock)),
    "kills": (0.3, lambda clock, _: kills.run(clock)),
    "comfyui": (0.3, lambda clock, arguments: comfyui.run(clock, arguments.comfyui)),
}
"""Each part with its share of the time."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="campaign.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("minutes", nargs="?", type=float, default=180.0, help="how long all parts may take together (default: 180)")
    parser.add_argument("--only", default=",".join(PARTS), help="parts to run, with commas between: " + ", ".join(PARTS))
    parser.add_argument("--comfyui", default="", help="URL of a running ComfyUI on this machine (default: that part is skipped)")
    parser.add_argument("--out", type=Path, help="a Markdown file; the part of it from the line '## The last campaign' on is written anew")
    arguments = parser.parse_args()
    names = arguments.only.split(",")
    if unknown := set(names) - set(PARTS):
        parser.error(f"unknown part {', '.join(sorted(unknown))}; the parts are {', '.join(PARTS)}")
    rows = list(_rows(names, arguments))
    if arguments.out is not None:
        _write(arguments.out, rows)
    return 1 if any(row.verdict == BROKEN for row in rows) else 0


def _rows(names: list[str], arguments: argparse.Namespace) -> Iterator[Row]:
    shares = sum(PARTS[name][0] for name in names)
    print(_machine(), "", "| part | tried | measured | verdict |", "| --- | --- | --- | --- |", sep="\n", flush=True)
    for name in names:
        share, part = PARTS[name]
        try:
            for row in part(Clock(arguments.minutes * 60 * share / shares), arguments):
                print(_line(row), flush=True)
                yield row
        except Exception as error:  # the other parts go on
            row = Row(name, "the part itself", f"it failed: {error!r}", BROKEN)
            print(_line(row), flush=True)
            yield row


def _line(row: Row) -> str:
    return "| " + " | ".join(cell.replace("|", "/").replace("\n", " ") for cell in row) + " |"


def _machine() -> str:
    commit = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True, check=False).stdout.strip()
    model = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    return (f"{datetime.date.today()}, commit {commit or 'unknown'}, {os.cpu_count()} cores of {model or platform.machine()}, Linux {platform.release()}, "
            f"Python {platform.python_version()}, load at the start {os.getloadavg()[0]:.1f}")


def _write(path: Path, rows: list[Row]) -> None:
    head = path.read_text(encoding="utf-8").partition("## The last campaign")[0]
    lines = [head + "## The last campaign", "", _machine(), "", "| part | tried | measured | verdict |", "| --- | --- | --- | --- |", *map(_line, rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
