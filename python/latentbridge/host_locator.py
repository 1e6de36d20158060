"""Where the host is: a chain of small finders, first find wins. The shim's doctor prints the chain.

Nothing is started by a bare name, and nothing out of the current folder: whoever can write there could plant a program.
"""

from __future__ import annotations

import errno
import os
import shlex
import site
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ._version import VERSION

PACKAGE = Path(__file__).resolve().parent
ROOT = PACKAGE.parent.parent
HOME = PACKAGE if (PACKAGE / "models").is_dir() else ROOT  # has models and examples: the package itself where pip installed it, else the clone or release
EXECUTABLE = "latentbridge.exe" if sys.platform == "win32" else "latentbridge"
BUILD = r".\run.ps1" if sys.platform == "win32" else "./run.sh"
BUILT = "LatentBridge.Host.exe" if sys.platform == "win32" else "LatentBridge.Host"
SITE_PACKAGES = tuple(dict.fromkeys(Path(folder) for folder in (
    sysconfig.get_path("platlib"), sysconfig.get_path("purelib"), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else []))))
# Where pip has put this version without a host (from the repository's address, or for another system), it would answer that all is there already.
AGAIN = ["--force-reinstall", "--no-deps"] if any((folder / "latentbridge").is_dir() for folder in SITE_PACKAGES) else []
INSTALLING = f"`{subprocess.list2cmdline([sys.executable or 'python', '-m', 'pip', 'install', *AGAIN, f'latentbridge=={VERSION}'])}`"
ADVICE = (f"install it with {INSTALLING}"
          + (f", or build it with {BUILD}" if (ROOT / "LatentBridge.sln").is_file() else "")
          + ", or set LATENTBRIDGE_HOST to the path of a host")


class Place(NamedTuple):
    """One place that was looked at. ``command`` starts the program there, without its arguments."""

    finder: str
    path: Path | None
    command: tuple[str, ...]
    problem: str | None

    @property
    def found(self) -> bool:
        return self.problem is None


def doctor() -> str:
    """The command line that runs the doctor in this very installation: a portable UI's Python finds no package by ``-m``."""
    words = [sys.executable or "python", str(PACKAGE), "doctor"]
    return f"`{subprocess.list2cmdline(words) if sys.platform == 'win32' else shlex.join(words)}`"


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


def trouble() -> str:
    """Why no host was found, and what helps here. A program that is there and cannot be used comes first: another one might not be looked at, or not be needed."""
    for place in places():
        if not place.found and place.path is not None and (place.finder == "LATENTBRIDGE_HOST" or place.path.is_file()):
            helps = "set it to the path of a host, or unset it" if place.finder == "LATENTBRIDGE_HOST" else ADVICE
            return f"no host was found: {place.path} ({place.finder}) is {place.problem}; {helps}"
    return f"no host was found; {ADVICE}"


def places() -> Iterator[Place]:
    """Every place of the chain, in order, found or not."""
    yield _environment()
    yield _file("packaged", PACKAGE / "bin" / EXECUTABLE)
    if HOME != PACKAGE:
        for identifier in runtime_identifiers():
            yield _file("packaged", ROOT / "bin" / identifier / EXECUTABLE)
        yield from _builds()
    for folder in _installed():
        yield _file("pip", folder / "bin" / EXECUTABLE)
    on_path = find_on_path(EXECUTABLE)
    if on_path is None or _is_script(on_path):
        yield Place("PATH", None, (), "no latentbridge on PATH")
    else:
        yield _file("PATH", on_path)


def environment() -> dict[str, str]:
    """Variables to start a host with. A clone's own build looks for .NET at the system's places and in ``DOTNET_ROOT``, not on PATH, where
    it may be alone; so the .NET 10 that is on PATH, or that the clone's ``run.sh`` brought, is named. .NET's diagnostics are off: their pipes would stay in the temporary folder
    after a kill."""
    variables = {"DOTNET_EnableDiagnostics": "0", **os.environ}
    if "DOTNET_ROOT" not in variables:
        dotnet = _dotnet()
        for root in ([dotnet.resolve().parent] if dotnet else []) + [ROOT / ".dotnet"]:
            if any(root.glob("shared/Microsoft.NETCore.App/10.*")):
                variables["DOTNET_ROOT"] = str(root)
                break
    return variables


def starting_problem(program: str, error: OSError) -> str:
    """Why a program that was found does not start, and what helps."""
    windows = getattr(error, "winerror", None)
    if windows in (225, 226):
        cure = f"the antivirus blocks it; allow {program} there"
    elif windows == 5 or windows is None and error.errno == errno.EACCES:
        cure = f"its folder allows no programs (mounted noexec, or a policy); set LATENTBRIDGE_HOST to the path of a copy in another folder than {Path(program).parent}"
    elif windows in (193, 216) or error.errno == errno.ENOEXEC:
        cure = f"it is for another system or processor, or its download is incomplete; {ADVICE}"
    elif not Path(program).is_file():
        cure = f"it is gone; where an antivirus took it, allow it there, then {ADVICE}"
    elif error.errno == errno.ENOENT:
        cure = f"it is for another kind of Linux (glibc or musl); {ADVICE}"
    else:
        cure = ADVICE
    return f"{program} does not start ({error.strerror or error}): {cure}"


def find_on_path(name: str) -> Path | None:
    """A program of this full name in a folder of PATH. Parts of PATH that are empty or relative mean the current folder and are left out."""
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        path = Path(folder.strip('"')) / name
        if path.is_absolute() and path.is_file() and os.access(path, os.X_OK):
            return path
    return None


def runtime_identifiers() -> list[str]:
    """.NET's names for this machine, such as ``linux-x64``, the best first. Windows on ARM64 runs programs for x64 too."""
    if sys.platform == "win32":  # platform.machine() would ask WMI there, which takes a third of a second
        return list(dict.fromkeys(({"win-arm64": "win-arm64"}.get(sysconfig.get_platform(), "win-x64"), "win-x64")))
    machine = os.uname().machine.lower()
    machine = {"amd64": "x64", "x86_64": "x64", "aarch64": "arm64"}.get(machine, machine)
    if sys.platform == "darwin":
        return [f"osx-{machine}"]
    return [f"linux-musl-{machine}" if "musl" in (sysconfig.get_config_var("HOST_GNU_TYPE") or "") else f"linux-{machine}"]


def _environment() -> Place:
    value = os.environ.get("LATENTBRIDGE_HOST")
    if not value:
        return Place("LATENTBRIDGE_HOST", None, (), "not set")
    path = Path(value)
    if not path.is_absolute():
        return Place("LATENTBRIDGE_HOST", path, (), "not an absolute path; write the whole path of the host")
    return _file("LATENTBRIDGE_HOST", path)


def _installed() -> Iterator[Path]:
    """The package ``latentbridge`` of this Python's own site-packages, where it is not this one: its wheel has the host of a clone that was not built."""
    for folder in SITE_PACKAGES:
        package = folder / "latentbridge"
        if package != PACKAGE:
            yield package


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
        dotnet = _dotnet()
        command = (str(dotnet), str(path))
        if dotnet is None:
            problem = "there, but dotnet is not on PATH"
    elif not os.access(path, os.X_OK):
        problem = f"not executable (chmod +x {path})"
    return Place(finder, path, command, problem)


def _dotnet() -> Path | None:
    return find_on_path("dotnet.exe" if sys.platform == "win32" else "dotnet")


def _is_script(path: Path) -> bool:
    """Whether a program on PATH is a script (somebody's Python entry point) and not the host."""
    try:
        with open(path, "rb") as file:
            return file.read(2) == b"#!"
    except OSError:
        return False
