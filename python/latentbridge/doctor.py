"""What is there and what is wrong: the host's chain of places, Python and its libraries, room for shared memory.

    python PATH/latentbridge doctor [--json]
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import platform
import shutil
import subprocess
import sys
from typing import Any

from . import host_locator, protocol
from ._version import VERSION
from .shared_memory import SharedMemory, SharedMemoryError

ROOM = 256 << 20
LIBRARIES = ("torch", "numpy", "PIL")
OPTIONAL = {  # what each is for
    "pythonnet": 'the host in the UI\'s own process, Bridge(host="pythonnet")',
    "onnxruntime": "a peer of `latentbridge bench decoders`",
    "diffusers": "`latentbridge compare --against diffusers`",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout instead of lines")


def run(arguments: argparse.Namespace) -> int:
    """0 when previews can work; 1 when the host or the memory is missing."""
    report = examine()
    if arguments.json:
        print(json.dumps(report))
    else:
        _print(report)
    return 0 if report["host"] and report["sharedMemory"]["problem"] is None else 1


def examine() -> dict[str, Any]:
    """The report: ``host`` is the command that will be used (null for none), ``places`` the chain in its order."""
    places = [_place(place) for place in host_locator.places()]
    host = host_locator.find()
    return {
        "latentbridge": VERSION,
        "protocol": protocol.VERSION,
        "host": host,
        "hostVersion": next((place["version"] for place in places if place["version"]), None) if host else None,
        "places": places,
        "python": platform.python_version(),
        "pythonSupported": sys.version_info >= (3, 10),
        "executable": sys.executable,
        "platform": platform.platform(),
        "libraries": {name: _library_version(name) for name in LIBRARIES},
        "optional": [_optional(name, serves) for name, serves in OPTIONAL.items()],
        "sharedMemory": _shared_memory(),
    }


def _place(place: host_locator.Place) -> dict[str, Any]:
    version, problem = None, place.problem
    if place.found:
        version, problem = _host_version(place.command)
    return {"finder": place.finder, "path": str(place.path) if place.path else None, "version": version, "problem": problem}


def _host_version(command: tuple[str, ...]) -> tuple[str | None, str | None]:
    """What ``--version`` prints, or why it prints nothing."""
    try:
        done = subprocess.run([*command, "--version"], capture_output=True, encoding="utf-8", errors="replace", timeout=20,
                              stdin=subprocess.DEVNULL, env=host_locator.environment())
    except subprocess.TimeoutExpired:
        return None, "--version did not answer within 20 s"
    except OSError as error:
        return None, host_locator.starting_problem(command[0], error)
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip().splitlines()
        return None, f"--version ended with exit code {done.returncode}{': ' + words[-1] if words else ''}"
    return done.stdout.strip(), None


def _library_version(name: str) -> str | None:
    """A library's version without importing it (torch takes seconds); null when it is not installed."""
    if importlib.util.find_spec(name) is None:
        return None
    from importlib import metadata

    try:
        return metadata.version({"PIL": "pillow"}.get(name, name))
    except metadata.PackageNotFoundError:
        return "installed"


def _optional(name: str, serves: str) -> dict[str, Any]:
    spec = importlib.util.find_spec(name)
    places = [spec.origin, *(spec.submodule_search_locations or [])] if spec else []
    return {"name": name, "version": _library_version(name), "path": next((place for place in places if place), None), "serves": serves}


def _shared_memory() -> dict[str, Any]:
    """Whether the mapping of a large video latent could be made, tried for real and given back at once."""
    problem = None
    try:
        memory = SharedMemory()
        try:
            memory.map(protocol.Geometry.of(ROOM // 8, ROOM // 8))
        finally:
            memory.close()
    except SharedMemoryError as error:
        problem = str(error)
    try:
        free = shutil.disk_usage("/dev/shm").free
    except OSError:
        free = None
    return {"triedBytes": ROOM, "problem": problem, "devShmFreeBytes": free}


def _print(report: dict[str, Any]) -> None:
    print(f"LatentBridge {report['latentbridge']}, protocol {report['protocol']}")
    print(f"Python {report['python']} ({report['executable']}){'' if report['pythonSupported'] else ': too old, 3.10 is needed'}")
    print("Libraries: " + ", ".join(f"{name} {version or 'not installed'}" for name, version in report["libraries"].items()))
    for package in report["optional"]:
        found = f"{package['version']}, {package['path']}" if package["version"] else f"not installed (for {package['serves']})"
        print(f"{package['name']}: {found}")
    memory = report["sharedMemory"]
    print(f"Shared memory: {memory['problem'] or 'room for %d MB' % (memory['triedBytes'] >> 20)}")
    print("The host is looked for at these places, in this order:")
    for place in report["places"]:
        print(f"  {place['finder']:18} {place['path'] or ''}: {place['version'] or place['problem']}".replace(" : ", " "))
    print(f"Host used: {' '.join(report['host'])}" if report["host"] else f"No host was found: {host_locator.ADVICE}.")
    found = (report["hostVersion"] or VERSION).partition("+")[0]  # behind it: the commit that it was built of
    if found != VERSION:
        print(f"It is of version {found}, this shim ({host_locator.PACKAGE}) of {VERSION}. They work together as long as both speak one protocol. "
              f"For one version of both: {host_locator.INSTALLING}.")
