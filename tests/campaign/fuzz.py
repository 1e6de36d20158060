"""Damaged bytes for every reader: tests/LatentBridge.Fuzz.Tests, for as long as there is time."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from . import ROOT
from .rows import BROKEN, Clock, Row, verdict

PROGRAM = ROOT / "artifacts" / "bin" / "LatentBridge.Fuzz.Tests" / "release" / "LatentBridge.Fuzz.Tests"
METHOD = "LatentBridge.Fuzz.Tests.FuzzTests.Damaged_bytes_are_taken_or_refused"


def run(clock: Clock, count: int = 10_000_000) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        seed = int(time.time()) & 0x7FFFFFFF
        # Its readers run one after the other; there are fewer than 20.
        variables = {"REPORT": folder, "CASES": str(count), "SEED": str(seed), "SECONDS": str(max(1, int(clock.left / 20)))}
        environment = {**os.environ, **{f"LATENTBRIDGE_FUZZ_{name}": value for name, value in variables.items()}}
        output, code = "", None
        try:
            done = subprocess.run([PROGRAM, "-method", METHOD], env=environment, capture_output=True, text=True, timeout=clock.left + 120, check=False)
            output, code = done.stdout, done.returncode
        except subprocess.TimeoutExpired:
            pass
        for place in sorted(Path(folder).glob("*.case")):
            yield _row(place, seed, count, output)
        if code != 0:
            yield Row("fuzz", "the test program", "it hung" if code is None else f"exit code {code}", BROKEN)


def _row(place: Path, seed: int, count: int, output: str) -> Row:
    report = place.with_suffix(".json")
    if not report.exists():
        number = int.from_bytes(place.read_bytes()[:8], "little")
        return Row("fuzz", place.stem, f"seed {seed}: case {number} did not end", BROKEN)
    found = json.loads(report.read_text(encoding="utf-8"))
    fault = f"{place.stem}, seed {seed}" in output
    return Row("fuzz", place.stem, f"{found['cases']:,} cases, {found['taken']:,} taken; slowest {found['slowestMilliseconds']:.0f} ms, most memory beyond "
               f"10 x the case {found['mostAllocated'] / 1e6:.1f} MB; seed {seed}", verdict(not fault and found["slowestMilliseconds"] < 1000, found["cases"], count))
