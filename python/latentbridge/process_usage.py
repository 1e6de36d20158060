"""How much processor time a child process has used, and whether it waits for more: what tells a starved process from a hung one."""

from __future__ import annotations

import os
import subprocess
import sys


def of(process: subprocess.Popen[bytes]) -> tuple[float, bool]:
    """Seconds used by all its threads, and whether one of them would run now if it were let; (0, False) where that is not known."""
    try:
        if sys.platform == "linux":
            return _on_linux(process.pid)
        if sys.platform == "win32":
            return _on_windows(int(process._handle)), False  # type: ignore[attr-defined]
    except (OSError, ValueError, IndexError):
        pass
    return 0.0, False


def _on_linux(pid: int) -> tuple[float, bool]:
    fields = _fields(f"/proc/{pid}/stat")
    used = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    folder = f"/proc/{pid}/task"
    return used, any(_fields(f"{folder}/{task}/stat")[0] in "RD" for task in os.listdir(folder))


def _fields(path: str) -> list[str]:
    """The fields behind the name, which may hold anything: state, parent, ..."""
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read().rpartition(")")[2].split()


def _on_windows(handle: int) -> float:
    import ctypes

    times = (ctypes.c_uint64 * 4)()  # created, ended, kernel, user; in units of 100 ns
    start = ctypes.addressof(times)
    pointers = [ctypes.c_void_p(start + 8 * index) for index in range(4)]
    if not ctypes.windll.kernel32.GetProcessTimes(ctypes.c_void_p(handle), *pointers):  # type: ignore[attr-defined]
        raise OSError("GetProcessTimes failed")
    return (times[2] + times[3]) / 1e7
