"""Where the host is: a chain of small finders, first find wins. ``python -m latentbridge doctor`` prints the chain."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).resolve().parent
ROOT = PACKAGE.parent.parent
EXECUTABLE = "latentbridge.exe" if sys.platform == "win32" else "latentbridge"
BUILT = "LatentBridge.Host.exe" if sys.platform == "win32" else "LatentBridge.Host"
ADVICE = ("unpack a release of LatentBridge (it holds the host), or build it from the clone with ./run.sh, "
          "or set LATENTBRIDGE_HOST to the path of the host")


class Place(NamedTuple):
    """One place that was looked at. ``command`` starts the program there, without its arguments."""

    finder: str
    path: Path | None
    command: tuple[str, ...]
    problem: str | None

    @property
    def found(self) -> bool:
        return self.problem is None


def find() -> list[str] | None:
    """The command of the first host found (``serve`` is still to be added), None when there is none.

    ``LATENTBRIDGE_HOST`` is a decision: when it is set, nothing else is looked at.
    """
    for place in places():
        if place.found:
            return list(place.command)
        if place.finder == "LATENTBRIDGE_HOST" and place.path is not None:
            return None
    return None


def places() -> Iterator[Place]:
    """Every place of the chain, in order, found or not."""
    yield _environment()
    for folder in (ROOT / "bin" / runtime_identifier(), PACKAGE / "bin" / runtime_identifier(), PACKAGE / "bin"):
        yield _file("packaged", folder / EXECUTABLE)
    yield from _builds()
    on_path = shutil.which("latentbridge")
    if on_path is None or _is_script(on_path):
        yield Place("PATH", None, (), "no latentbridge on PATH")
    else:
        yield _file("PATH", Path(on_path))


def environment() -> dict[str, str]:
    """Variables to start a host with. A clone's own build looks for .NET at the system's places and in ``DOTNET_ROOT``, not on PATH, where
    it may be alone; so the .NET 10 that is on PATH is named."""
    variables = dict(os.environ)
    dotnet = shutil.which("dotnet")
    if dotnet and "DOTNET_ROOT" not in variables:
        root = Path(dotnet).resolve().parent
        if any(root.glob("shared/Microsoft.NETCore.App/10.*")):
            variables["DOTNET_ROOT"] = str(root)
    return variables


def runtime_identifier() -> str:
    """.NET's name for this machine, such as ``linux-x64``."""
    system = {"win32": "win", "darwin": "osx"}.get(sys.platform, "linux")
    machine = platform.machine().lower()
    return f"{system}-{ {'amd64': 'x64', 'x86_64': 'x64', 'aarch64': 'arm64'}.get(machine, machine) }"


def _environment() -> Place:
    value = os.environ.get("LATENTBRIDGE_HOST")
    if not value:
        return Place("LATENTBRIDGE_HOST", None, (), "not set")
    return _file("LATENTBRIDGE_HOST", Path(value))


def _builds() -> Iterator[Place]:
    """The clone's own build: release before debug; its executable, or its DLL through ``dotnet``."""
    artifacts = ROOT / "artifacts"
    for kind in ("publish", "bin"):
        for configuration in ("release", "debug"):
            yield _file("build", artifacts / kind / "LatentBridge.Host" / configuration / BUILT)
    for configuration in ("release", "debug"):
        yield _file("dotnet", artifacts / "bin" / "LatentBridge.Host" / configuration / "LatentBridge.Host.dll")


def _file(finder: str, path: Path) -> Place:
    problem = None
    command: tuple[str, ...] = (str(path),)
    if not path.is_file():
        problem = "not there"
    elif path.suffix == ".dll":
        dotnet = shutil.which("dotnet")
        command = (dotnet or "dotnet", str(path))
        if dotnet is None:
            problem = "there, but dotnet is not on PATH"
    elif not os.access(path, os.X_OK):
        problem = f"not executable (chmod +x {path})"
    return Place(finder, path, command, problem)


def _is_script(path: str) -> bool:
    """Whether a program on PATH is a script (somebody's Python entry point) and not the host."""
    try:
        with open(path, "rb") as file:
            return file.read(2) == b"#!"
    except OSError:
        return False
