"""The host inside this process: the same session over the same shared memory, in a CLR that pythonnet loads.

Design notes. What the bridge does with a host is the same in both modes; ``InProcessHost`` stands where ``HostProcess`` does
and hands the protocol's lines over by call. C# never calls Python, and pythonnet gives the GIL away during each call, so
neither side waits for the other's work.

A CLR cannot be unloaded, does not survive a fork and takes SIGINT, SIGTERM and others for itself. So it is started
explicitly (``coreclr``, with our runtimeconfig: pythonnet's default is another runtime), the signals' handlers are put back
as they were, a forked child is refused, and at exit the sessions end before pythonnet does: a call into .NET after that
brings the process down, so a host that has ended is not called again, and no other is started.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import signal
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .host_locator import PACKAGE, ROOT

COMMAND = ("pythonnet",)
"""What stands for a host's command where the host is this process."""

ASSEMBLY = "LatentBridge.InProcess"
OLDEST_PYTHON = (3, 11)
_SIGNALS = ("SIGINT", "SIGTERM", "SIGQUIT", "SIGHUP", "SIGPIPE", "SIGCHLD", "SIGCONT", "SIGWINCH", "SIGTTIN", "SIGTTOU", "SIGTSTP")
_ROOM_FOR_SIGACTION = 512

_guard = threading.Lock()
_hosts: weakref.WeakSet[InProcessHost] = weakref.WeakSet()
_type: Any = None
_owner = 0
_exiting = False


class InProcessError(OSError):
    """This process cannot be the host; the message says what is missing and what helps."""


def find() -> Path | None:
    """The assembly: of a release, or of the clone's build."""
    folders = (ROOT / "bin" / "inprocess", PACKAGE / "bin" / "inprocess",
               *(ROOT / "artifacts" / "bin" / ASSEMBLY / configuration for configuration in ("release", "debug")))
    return next((folder / f"{ASSEMBLY}.dll" for folder in folders if (folder / f"{ASSEMBLY}.dll").is_file()), None)


def is_ending() -> bool:
    """Whether this process is ending: no host is started any more."""
    return _exiting


def problem() -> str | None:
    """Why this process cannot be the host, as a sentence with what helps; None when nothing is known to be in the way."""
    if _exiting:
        return "this process is ending"
    if _owner and _owner != os.getpid():
        return "the CLR was started before this process was forked and does not work here; use host='process', or start with 'spawn'"
    if sys.version_info < OLDEST_PYTHON:
        return f"Python {sys.version_info[0]}.{sys.version_info[1]} is too old for pythonnet; it needs {OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]}"
    from importlib import metadata  # a quarter of the time that importing the shim took

    try:
        version = metadata.version("pythonnet")
    except metadata.PackageNotFoundError:
        return f"pythonnet is not installed; {sys.executable} -m pip install pythonnet"
    if int(version.split(".")[0]) < 3:
        return f"pythonnet {version} is too old, 3 is needed; {sys.executable} -m pip install --upgrade pythonnet"
    if find() is None:
        return f"{ASSEMBLY}.dll was not found; unpack a release, or build it from the clone: dotnet build src/{ASSEMBLY} -c Release"
    return None


class InProcessHost:
    """One session in this process, in the place of a ``HostProcess``; ``on_line`` and ``on_end`` are called on the reader thread."""

    def __init__(
        self, command: Sequence[str], descriptors: Sequence[int], on_line: Callable[[bytes], None], on_end: Callable[[], None],
    ) -> None:
        self.pid = os.getpid()
        self.last_words: deque[str] = deque(maxlen=20)
        self._on_line, self._on_end = on_line, on_end
        self._calls, self._ended = threading.Lock(), False
        with _guard:
            self._host = _load()()
            self._reader = threading.Thread(target=self._read, name="latentbridge-reader", daemon=True)
            self._reader.start()
            _hosts.add(self)

    def write(self, line: bytes) -> None:
        """Hands a line over; ``OSError`` when the host has ended."""
        with self._calls:
            try:
                is_open = not self._ended and self._host.Receive(line.decode("utf-8"))
            except Exception as error:  # whatever .NET throws is a fault of the host's, and a host that fails is started anew
                raise OSError(f"the host in this process failed: {error}") from error
        if not is_open:
            raise OSError("the host has ended")

    def end(self, seconds: float) -> int:
        """Stops the session; 0, as a host that ended when asked."""
        self.kill()
        if self._reader is not threading.current_thread():
            self._reader.join(max(seconds, 1.0))
        return 0

    def kill(self) -> None:
        """The same, without waiting for its last line: a session in this process can only be asked."""
        with self._calls:
            if not self._ended:
                self._ended = True
                self._host.Dispose()

    def usage(self) -> tuple[float, bool]:
        """Not known: this process's time is the UI's."""
        return 0.0, False

    def forget(self) -> None:
        """In a forked child nothing of .NET may be touched any more."""

    def _read(self) -> None:
        while (line := self._host.Next()) is not None:
            while (words := self._host.NextLog()) is not None:
                self.last_words.append(words[:500])
            self._on_line(line.encode("utf-8"))
        self._on_end()


def _load() -> Any:
    """The C# class; starts the CLR where none runs. Called under the guard. ``InProcessError`` says why there is none."""
    global _type, _owner
    if (reason := problem()) is not None:
        raise InProcessError(reason)
    if _type is not None:
        return _type
    assembly = find()
    handlers = _handlers()
    try:
        _start(assembly)
        _owner = os.getpid()
        import clr

        clr.AddReference(str(assembly))
        _type = getattr(__import__(ASSEMBLY, fromlist=["InProcessHost"]), "InProcessHost")
    except InProcessError:
        raise
    except Exception as error:
        raise InProcessError(f"{ASSEMBLY} did not load: {error}") from error
    finally:
        _put_back(handlers)
    atexit.register(_end_all)  # before pythonnet's own, which was registered earlier
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after_fork)
    return _type


def _start(assembly: Path) -> None:
    import pythonnet

    running = pythonnet.get_runtime_info()
    if running is not None and running.kind != "CoreCLR":
        raise InProcessError(f"pythonnet runs {running.kind} in this process already, and a process has one CLR; use host='process'")
    if running is not None and running.initialized:
        return  # somebody else's .NET: whether it is new enough shows when the assembly is loaded
    name = "DOTNET_EnableDiagnostics"  # its socket would stay in the temporary folder after a kill
    before = os.environ.get(name)
    os.environ.setdefault(name, "0")
    try:
        pythonnet.load("coreclr", runtime_config=str(assembly.with_suffix(".runtimeconfig.json")))
    except Exception as error:
        reason = str(error.__cause__ or error).split("\n")[0].split(". ")[0]  # what follows lists every path that was tried
        raise InProcessError(
            f"the .NET 10 runtime did not start ({reason}); install it (Debian, Ubuntu: sudo apt install dotnet-runtime-10.0; "
            "else https://dotnet.microsoft.com/download/dotnet/10.0) or name its folder in DOTNET_ROOT") from error
    finally:
        if before is None:
            os.environ.pop(name, None)


def _handlers() -> list[tuple[int, Any]]:
    """What each signal does now, as the C library has it: any thread may ask and put it back, unlike with ``signal.signal``."""
    if sys.platform == "win32":
        return []
    found = []
    for name in _SIGNALS:
        action = ctypes.create_string_buffer(_ROOM_FOR_SIGACTION)
        if (number := getattr(signal, name, None)) is not None and ctypes.CDLL(None).sigaction(int(number), None, action) == 0:
            found.append((int(number), action))
    return found


def _put_back(handlers: list[tuple[int, Any]]) -> None:
    for number, action in handlers:
        ctypes.CDLL(None).sigaction(number, action, None)


def _end_all() -> None:
    global _exiting
    with _guard:
        _exiting = True
    for host in tuple(_hosts):
        host.end(1.0)


def _after_fork() -> None:
    """The child has none of the CLR's threads: what would wait for them at its exit is taken away."""
    import pythonnet

    atexit.unregister(_end_all)
    atexit.unregister(pythonnet.unload)
