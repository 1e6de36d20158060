"""What the bridge's tests share: a bridge over the fake host or the real one, latents, and waiting for a condition."""

import array
import hashlib
import os
import sys
import time
import unittest
from pathlib import Path

from latentbridge import Bridge, host_locator

FAKE_HOST = Path(__file__).parent / "fakes" / "fake_host.py"
QUICK = {"patience": 2.0, "start_patience": 15.0, "back_off": 0.01, "attempts": 3}


def latent(*axes, start=0.0):
    """An F32 buffer of these axes, filled with a ramp."""
    count = 1
    for axis in axes:
        count *= axis
    return memoryview(array.array("f", [start + i / count for i in range(count)])).cast("B").cast("f", axes)


def digest(buffer):
    """The fake host's picture of a latent."""
    return hashlib.sha256(buffer).digest()


def real_host():
    """The host the contract is tested with: a child process, or what LATENTBRIDGE_TEST_HOST names (``pythonnet``)."""
    if mode := os.environ.get("LATENTBRIDGE_TEST_HOST"):
        return mode
    command = host_locator.find()
    if command is None:
        raise unittest.SkipTest("no host was found; " + host_locator.ADVICE)
    return [*command, "serve"]


def until(condition, seconds=20.0):
    """Waits until the condition holds; its value. A bound against hanging, not a measurement."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError("the condition did not come to hold")
        time.sleep(0.002)
    return value


def alive(pid):
    """Whether a process runs (a zombie does not)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] != b"Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def traces(*pids):
    """Names that a mapping, or a host with one of these process ids, left behind (other programs of .NET leave theirs)."""
    marks = ("latentbridge-shm-", *(f"dotnet-diagnostic-{pid}-" for pid in pids), *(f"clr-debug-pipe-{pid}-" for pid in pids))
    return {path for path in temporary_files() if Path(path).name.startswith(marks)}


def temporary_files():
    """What lies where a mapping or a runtime could leave something. An older program's name may have the id of a later one."""
    folders = {Path(p) for p in ("/dev/shm", os.environ.get("TMPDIR", "/tmp")) if Path(p).is_dir()}
    return {str(entry) for folder in folders for entry in folder.iterdir()}


class BridgeTestCase(unittest.TestCase):
    def bridge(self, *quirks, **options):
        """A strict bridge to a fake host with these quirks, closed at the end of the test."""
        options = {"host": [sys.executable, "-S", str(FAKE_HOST), *quirks], "strict": True, **QUICK, **options}
        bridge = Bridge(**options)
        self.addCleanup(bridge.close)
        return bridge

    def show(self, bridge, run=0, step=0, total=0, axes=(1, 4, 8, 8), **more):
        """Submits a latent and waits for its picture."""
        buffer = latent(*axes, start=run * 100 + step)
        self.assertTrue(bridge.submit(buffer, run=run, step=step, total=total, **more))
        preview = bridge.wait(run=run, step=step, stream=more.get("stream", 0), timeout=20)
        self.assertIsNotNone(preview)
        return buffer, preview
