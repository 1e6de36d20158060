"""The host in this process: the real host's contract once more, signals, exit and fork, each in a child Python that has pythonnet.

The child's virtual environment is made from the test data's wheels, without a package index.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
from pathlib import Path
from types import SimpleNamespace

from latentbridge import inprocess
from latentbridge.host_locator import ROOT

WHEELS = Path(os.environ.get("LATENTBRIDGE_TEST_DATA") or ROOT.parent / "shared") / "wheels"
PATIENCE = 120
OPEN = """
import array, os, signal, sys, threading, time
from latentbridge import Bridge
latent = memoryview(array.array("f", [i / 16384 for i in range(16384)])).cast("B").cast("f", (1, 4, 64, 64))
before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
bridge = Bridge(host="pythonnet", strict=True, decoder="latent2rgb")
assert bridge.start(60), bridge.off_reason
assert before == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
assert bridge.submit(latent, run=1, step=0, latent_format="SDXL")
assert bridge.wait(run=1, step=0, timeout=60).data.startswith(b"\\x89PNG")
assert bridge.host_pid == os.getpid()
"""


class InProcess(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not WHEELS.is_dir():
            raise unittest.SkipTest(f"no test data: {WHEELS} is not there")
        if inprocess.find() is None:
            raise unittest.SkipTest(f"{inprocess.ASSEMBLY} is not built: dotnet build src/{inprocess.ASSEMBLY} -c Release")
        if shutil.which("dotnet") is None:
            raise unittest.SkipTest("no .NET is installed")
        cls.folder = Path(tempfile.mkdtemp(prefix="latentbridge-test-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.python = cls.folder / "bin" / "python"
        for name in dict.fromkeys((sys.executable, *filter(None, map(shutil.which, ("python3.12", "python3.13", "python3.11"))))):
            shutil.rmtree(cls.folder, ignore_errors=True)
            made = subprocess.run([name, "-m", "venv", cls.folder], capture_output=True, text=True)
            if made.returncode == 0:
                made = subprocess.run([cls.python, "-m", "pip", "install", "-q", "--no-index", "--find-links", WHEELS, "pythonnet"],
                                      capture_output=True, text=True)
            if made.returncode == 0:
                return
        raise unittest.SkipTest(f"no virtual environment with pythonnet could be made: {(made.stderr or made.stdout).strip()[-300:]}")

    def start(self, code, before="", **environment):
        child = subprocess.Popen([self.python, "-c", "import os\n" + before + OPEN + code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                 env={**os.environ, "PYTHONPATH": str(ROOT / "python"), **environment})
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        self.addCleanup(child.stderr.close)
        self.addCleanup(child.stdout.close)
        return child

    def finish(self, child):
        output, errors = child.communicate(timeout=PATIENCE)
        return child.returncode, output.strip(), errors.strip()

    def test_pictures_come_and_the_exit_does_not_hang_with_the_bridge_open(self):
        self.assertEqual(self.finish(self.start("print(bridge.status()['host']['streams'][0]['decoder'])")), (0, "latent2rgb", ""))

    def test_the_real_hosts_contract_holds_in_this_mode(self):
        done = subprocess.run(
            [self.python, "-m", "unittest", "-q", "tests.test_real_host"], cwd=ROOT / "python", capture_output=True, text=True, timeout=300,
            env={**os.environ, "LATENTBRIDGE_TEST_HOST": "pythonnet"})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("OK", done.stderr)

    def test_the_keyboard_interrupts_as_before(self):
        child = self.start("try:\n    print('ready', flush=True)\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    print('interrupted')")
        self.assertEqual(child.stdout.readline(), "ready\n")
        child.send_signal(signal.SIGINT)
        self.assertEqual(self.finish(child), (0, "interrupted", ""))

    def test_SIGTERM_ends_the_process_as_before_and_a_handler_of_the_UI_is_called(self):
        child = self.start("print('ready', flush=True)\ntime.sleep(60)")
        self.assertEqual(child.stdout.readline(), "ready\n")
        child.terminate()
        self.assertEqual(self.finish(child)[0], -signal.SIGTERM)
        child = self.start("signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\nprint('ready', flush=True)\ntime.sleep(60)")
        self.assertEqual(child.stdout.readline(), "ready\n")
        child.terminate()
        self.assertEqual(self.finish(child)[0], 7)

    def test_a_forked_child_is_refused_clearly_and_ends(self):
        code, output, errors = self.finish(self.start("""
from latentbridge import inprocess
if (child := os.fork()) == 0:
    print(bridge.off_reason is not None, "before this process was forked" in inprocess.problem(), flush=True)
    sys.exit(5)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
assert bridge.submit(latent, run=1, step=1) and bridge.wait(run=1, step=1, timeout=60)
"""))
        self.assertEqual((code, output, errors), (0, "True True\n5", ""))

    def test_at_exit_a_host_that_has_ended_is_not_called_again_and_none_is_started(self):
        code, output, errors = self.finish(self.start("""
from latentbridge import inprocess
host, = inprocess._hosts
inprocess._end_all()
host._host = None
print(host.end(1), host.kill(), inprocess.problem())
try:
    host.write(b"{}")
except OSError as error:
    print(error)
"""))
        self.assertEqual((code, output, errors), (0, "0 None this process is ending\nthe host has ended", ""))

    def test_a_CLR_that_somebody_else_has_started_serves(self):
        before = 'import pythonnet\npythonnet.load("coreclr", runtime_config=r"' + str(inprocess.find().with_suffix(".runtimeconfig.json")) + '")\nimport clr\n'
        self.assertEqual(self.finish(self.start("print(bridge.status()['hosts'])", before=before)), (0, "1", ""))

    def test_a_missing_runtime_is_named_with_what_helps(self):
        code, output, errors = self.finish(self.start("", before="""
from latentbridge import inprocess
try:
    inprocess._load()
except inprocess.InProcessError as error:
    print(error)
os._exit(3)
""", DOTNET_ROOT=str(self.folder)))
        self.assertEqual((code, errors), (3, ""))
        self.assertRegex(output, r"^the \.NET 10 runtime did not start \(.*\); install it .*DOTNET_ROOT$")

    def test_no_thread_of_ours_holds_the_interpreter(self):
        code, output, errors = self.finish(self.start("""
bridge.configure(decoder="tiny")
counted = 0
bridge.submit(latent, run=2, step=0, latent_format="SDXL")
while bridge.latest() is None:
    counted += 1
print(counted > 100)
bridge.close()
print([thread.name for thread in threading.enumerate()])
"""))
        self.assertEqual((code, output, errors), (0, "True\n['MainThread']", ""))


class Missing(unittest.TestCase):
    def test_what_is_missing_is_named_with_what_helps(self):
        try:
            import pythonnet  # noqa: F401
        except ImportError:
            self.assertRegex(inprocess.problem(), "pip install pythonnet|too old for pythonnet")
        else:
            self.skipTest("pythonnet is installed here")

    def test_a_pythonnet_of_an_unsupported_version_is_named(self):
        with unittest.mock.patch("importlib.metadata.version", return_value="2.5.2"):
            self.assertRegex(inprocess.problem(), "pythonnet 2.5.2 is too old, 3 is needed; .*pip install --upgrade pythonnet|too old for pythonnet")

    def test_a_second_kind_of_CLR_is_refused_with_that_of_the_first(self):
        loaded = SimpleNamespace(get_runtime_info=lambda: SimpleNamespace(kind="Mono", initialized=True))
        with unittest.mock.patch.dict(sys.modules, pythonnet=loaded), self.assertRaisesRegex(inprocess.InProcessError, "runs Mono .* one CLR; use host='process'"):
            inprocess._start(Path("LatentBridge.InProcess.dll"))
