"""``python -m latentbridge``: doctor, demo and bench, and where they look for the host."""

import contextlib
import errno
import io
import json
import os
import re
import shlex
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
from pathlib import Path

from latentbridge import doctor, host_locator, safetensors
from latentbridge._version import VERSION
from latentbridge.__main__ import main
from tests.bridges import real_host

LATENTS = host_locator.ROOT / "examples" / "latents"


def call(*arguments):
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        code = main(list(arguments))
    return code, output.getvalue()


class Locating(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        for name in ("ROOT", "PACKAGE"):
            patch = unittest.mock.patch.object(host_locator, name, self.folder / name.lower())
            patch.start()
            self.addCleanup(patch.stop)
        patch = unittest.mock.patch.object(host_locator, "SITE_PACKAGES", (self.folder / "site",))
        patch.start()
        self.addCleanup(patch.stop)
        environment = {name: value for name, value in os.environ.items() if name != "LATENTBRIDGE_HOST"}
        patch = unittest.mock.patch.dict(os.environ, {**environment, "PATH": str(self.folder / "path")}, clear=True)
        patch.start()
        self.addCleanup(patch.stop)

    def program(self, *parts, content=b"\x7fELF"):
        path = self.folder.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    @unittest.skipIf(os.name == "nt", "POSIX asks nobody")
    def test_a_planted_program_is_not_started(self):
        self.program("latentbridge")
        self.program("dotnet")
        self.program("root", "artifacts", "bin", "LatentBridge.Host", "release", "LatentBridge.Host.dll")
        here = os.getcwd()
        self.addCleanup(os.chdir, here)
        os.chdir(self.folder)
        for path in (".", "", f".{os.pathsep}", "./", f"{os.pathsep}"):
            with self.subTest(path):
                os.environ["PATH"] = path
                self.assertIsNone(host_locator.find())
        os.environ["LATENTBRIDGE_HOST"] = "latentbridge"
        self.assertIsNone(host_locator.find())
        self.assertIn("not an absolute path", next(host_locator.places()).problem)

    def test_windows_is_not_asked_for_its_processor(self):
        for platform, expected in (("win-amd64", ["win-x64"]), ("win-arm64", ["win-arm64", "win-x64"]), ("win32", ["win-x64"])):
            with self.subTest(platform), unittest.mock.patch("sys.platform", "win32"), unittest.mock.patch(
                    "sysconfig.get_platform", return_value=platform), unittest.mock.patch(
                    "platform.machine", side_effect=AssertionError("WMI was asked")):
                self.assertEqual(host_locator.runtime_identifiers(), expected)

    def test_dotnets_diagnostics_are_off_in_every_start(self):
        self.assertEqual(host_locator.environment()["DOTNET_EnableDiagnostics"], "0")
        os.environ["DOTNET_EnableDiagnostics"] = "1"
        self.assertEqual(host_locator.environment()["DOTNET_EnableDiagnostics"], "1")

    def test_nothing_anywhere_is_none_and_every_place_says_why(self):
        self.assertIsNone(host_locator.find())
        self.assertTrue(all(place.problem for place in host_locator.places()))

    def test_the_places_come_in_their_order(self):
        expected = []
        for parts in (("path", "latentbridge"), ("site", "latentbridge", "bin", host_locator.EXECUTABLE), ("root", "artifacts", "bin", "LatentBridge.Host", "debug", host_locator.BUILT),
                      ("root", "artifacts", "bin", "LatentBridge.Host", "release", host_locator.BUILT),
                      ("root", "bin", host_locator.runtime_identifiers()[0], host_locator.EXECUTABLE)):
            expected = [self.program(*parts)]
            self.assertEqual(host_locator.find(), expected)

    def test_an_installed_package_finds_its_own_host_first(self):
        self.program("root", "artifacts", "bin", "LatentBridge.Host", "release", host_locator.BUILT)
        own = self.program("package", "bin", host_locator.EXECUTABLE)
        self.assertEqual(host_locator.find(), [own])

    def test_the_variable_decides_alone(self):
        self.program("path", "latentbridge")
        chosen = self.program("mine")
        os.environ["LATENTBRIDGE_HOST"] = chosen
        self.assertEqual(host_locator.find(), [chosen])
        os.environ["LATENTBRIDGE_HOST"] = chosen + "-not"
        self.assertIsNone(host_locator.find())

    def test_a_dll_is_started_by_dotnet(self):
        dll = self.program("root", "artifacts", "bin", "LatentBridge.Host", "release", "LatentBridge.Host.dll")
        self.assertIsNone(host_locator.find())
        self.assertIn("dotnet is not on PATH", [p.problem for p in host_locator.places() if p.finder == "dotnet"][0])
        dotnet = self.program("path", "dotnet")
        self.assertEqual(host_locator.find(), [dotnet, dll])

    @unittest.skipIf(os.name == "nt", "links need a privilege on Windows")
    def test_a_dotnet_that_is_only_on_path_is_named_to_the_host(self):
        os.environ.pop("DOTNET_ROOT", None)
        (self.folder / "path").mkdir()
        (self.folder / "path" / "dotnet").symlink_to(self.program("net", "dotnet"))
        self.assertNotIn("DOTNET_ROOT", host_locator.environment())  # a link or a wrapper, or .NET 8
        (self.folder / "net" / "shared" / "Microsoft.NETCore.App" / "10.0.1").mkdir(parents=True)
        self.assertEqual(host_locator.environment()["DOTNET_ROOT"], str((self.folder / "net").resolve()))
        os.environ["DOTNET_ROOT"] = "mine"
        self.assertEqual(host_locator.environment()["DOTNET_ROOT"], "mine")

    @unittest.skipIf(os.name == "nt" or os.geteuid() == 0 and not hasattr(os, "access"), "Windows has no execute bit")
    def test_a_file_without_the_execute_bit_says_how_to_mend_it(self):
        path = Path(self.program("root", "bin", host_locator.runtime_identifiers()[0], host_locator.EXECUTABLE))
        path.chmod(0o644)
        self.assertIsNone(host_locator.find())
        self.assertIn(f"chmod +x {path}", [place.problem for place in host_locator.places()][2])

    def test_a_script_of_that_name_on_path_is_not_the_host(self):
        self.program("path", "latentbridge", content=b"#!/usr/bin/python3\n")
        self.assertIsNone(host_locator.find())


class Doctor(unittest.TestCase):
    def test_the_report_names_places_python_libraries_and_memory(self):
        with unittest.mock.patch.dict(os.environ, {"LATENTBRIDGE_HOST": sys.executable}):
            code, output = call("doctor", "--json")
        report = json.loads(output)
        self.assertEqual(code, 0)
        self.assertEqual(report["places"][0]["finder"], "LATENTBRIDGE_HOST")
        self.assertIn("Python", report["places"][0]["version"])
        self.assertEqual(set(report["libraries"]), {"torch", "numpy", "PIL"})
        self.assertEqual([package["name"] for package in report["optional"]], ["pythonnet", "onnxruntime", "diffusers"])
        self.assertIsNone(report["sharedMemory"]["problem"])

    def test_an_optional_package_is_shown_with_its_version_and_place_or_what_it_is_for(self):
        with unittest.mock.patch.dict(doctor.OPTIONAL, {"json": "nothing here", "no_such_package": "a test"}, clear=True):
            found, missing = doctor.examine()["optional"]
        self.assertEqual((found["version"], found["path"]), ("installed", json.__file__))
        self.assertEqual(missing, {"name": "no_such_package", "version": None, "path": None, "serves": "a test"})

    def test_a_host_of_another_version_is_named(self):
        with unittest.mock.patch.object(host_locator, "places", lambda: iter([host_locator.Place("pip", Path("/a"), ("/a",), None)])), \
                unittest.mock.patch.object(doctor, "_host_version", lambda command: ("0.1.0+abc", None)):
            self.assertIn("It is of version 0.1.0, this shim", call("doctor")[1])

    def test_a_program_that_does_not_start_is_named_with_what_helps(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        program = Path(folder.name, "latentbridge")
        program.write_bytes(b"half an archive")
        program.chmod(0o755)
        with unittest.mock.patch.dict(os.environ, {"LATENTBRIDGE_HOST": str(program)}):
            found = doctor.examine()["places"][0]
        self.assertIn(f"{program} does not start", found["problem"])
        self.assertIn("download is incomplete" if sys.platform != "win32" else "another system", found["problem"])

    def test_each_way_not_to_start_has_its_own_cure(self):
        there, gone = sys.executable, "/nonexistent/latentbridge"
        for error, program, cure in (
            (PermissionError(errno.EACCES, "Permission denied"), there, "noexec"),
            (OSError(errno.ENOEXEC, "Exec format error"), there, "another system or processor"),
            (FileNotFoundError(errno.ENOENT, "No such file"), there, "glibc or musl"),
            (FileNotFoundError(errno.ENOENT, "No such file"), gone, "antivirus"),
            (OSError(errno.EMFILE, "Too many open files"), there, "LATENTBRIDGE_HOST"),
        ):
            with self.subTest(error=error):
                self.assertIn(cure, host_locator.starting_problem(program, error))

    def test_a_host_that_was_chosen_and_is_not_there_has_no_other_cure(self):
        with unittest.mock.patch.dict(os.environ, {"LATENTBRIDGE_HOST": "/nonexistent"}):
            self.assertEqual(host_locator.trouble(), "no host was found: /nonexistent (LATENTBRIDGE_HOST) is not there; set it to the path of a host, or unset it")

    def test_a_host_that_is_there_and_cannot_be_started_is_named_before_the_advice(self):
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder, "latentbridge")
            program.touch()
            places = [host_locator.Place("PATH", None, (), "no latentbridge on PATH"), host_locator.Place("packaged", program, (), "not executable")]
            with unittest.mock.patch.object(host_locator, "places", return_value=places):
                self.assertRegex(host_locator.trouble(), r"^no host was found: .*latentbridge \(packaged\) is not executable; install it with ")
            with unittest.mock.patch.object(host_locator, "places", return_value=places[:1]):
                self.assertEqual(host_locator.trouble(), f"no host was found; {host_locator.ADVICE}")

    def test_a_missing_host_ends_with_one_and_advice(self):
        with unittest.mock.patch.dict(os.environ, {"LATENTBRIDGE_HOST": "/nonexistent"}):
            code, output = call("doctor")
        self.assertEqual(code, 1)
        self.assertIn("./run.sh", output)


class Installing(unittest.TestCase):
    """install.py, which A1111 runs at every start, in a clone without a host."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name) / "clone"
        shutil.copytree(host_locator.PACKAGE, self.root / "python" / "latentbridge", ignore=shutil.ignore_patterns("__pycache__", "bin"))
        shutil.copy(host_locator.ROOT / "install.py", self.root)
        shutil.copy(host_locator.ROOT / "python" / "version.txt", self.root / "python")
        self.ui = Path(folder.name) / "ui"
        self.ui.mkdir()

    def start(self, **variables):
        environment = {name: value for name, value in os.environ.items() if name != "LATENTBRIDGE_HOST"}
        environment |= {"PYTHONPATH": str(self.ui), "PATH": "", **variables}
        done = subprocess.run([sys.executable, str(self.root / "install.py")], capture_output=True, text=True, env=environment, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout.splitlines()

    def test_with_a_host_nothing_is_said(self):
        program = self.root / "bin" / host_locator.runtime_identifiers()[0] / host_locator.EXECUTABLE
        program.parent.mkdir(parents=True)
        program.write_bytes(b"\x7fELF")
        program.chmod(0o755)
        self.assertEqual(self.start(), [])

    def test_the_uis_pip_is_asked_once_for_the_pinned_wheel(self):
        (self.ui / "launch.py").write_text("def run_pip(command, description):\n    print(command)\n    raise RuntimeError('no network\\nat all')\n")
        version = (self.root / "python" / "version.txt").read_text().strip()
        first, second = self.start(), self.start()
        self.assertEqual(first[:2], [f"install latentbridge=={version}", f"LatentBridge: pip did not install latentbridge=={version}: no network"])
        self.assertEqual(first[2:], second)
        self.assertEqual(len(second), 1)
        self.assertIn(f"pip install latentbridge=={version}", second[0])

    def test_without_such_a_ui_nothing_is_installed(self):
        self.assertEqual(len(self.start()), 1)
        self.assertFalse((self.root / ".host-asked").exists())

    def test_a_chosen_host_that_is_not_there_is_named(self):
        self.assertIn("/nowhere/host is not there", self.start(LATENTBRIDGE_HOST="/nowhere/host")[0])


class Packing(unittest.TestCase):
    def test_the_registrys_version_is_the_only_one(self):
        text = (host_locator.ROOT / "pyproject.toml").read_text(encoding="utf-8")
        self.assertIn(f'version = "{VERSION}"', text)

    def test_pip_installs_every_package_from_the_repositorys_address_too(self):
        """The repository's pyproject.toml has to list them: it also lays the latent formats beside them."""
        text = (host_locator.ROOT / "pyproject.toml").read_text(encoding="utf-8")
        listed = set(re.findall(r'"([^"]+)"', re.search(r"^packages = \[(.*?)\]", text, re.DOTALL | re.MULTILINE)[1]))
        there = {".".join(path.parent.relative_to(host_locator.PACKAGE.parent).parts) for path in host_locator.PACKAGE.rglob("__init__.py")}
        self.assertEqual(listed, there | {"latentbridge.models.formats"})

    def test_a_package_without_a_host_is_installed_again(self):
        """pip would answer that this version is there already."""
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(host_locator.PACKAGE, Path(folder) / "latentbridge", ignore=shutil.ignore_patterns("__pycache__"))
            metadata = Path(folder) / f"latentbridge-{VERSION}.dist-info" / "METADATA"
            metadata.parent.mkdir()
            metadata.write_text(f"Metadata-Version: 2.1\nName: latentbridge\nVersion: {VERSION}\n")
            code = ("import sysconfig; get = sysconfig.get_path; "
                    f"sysconfig.get_path = lambda name, *more: {folder!r} if name in ('platlib', 'purelib') else get(name, *more); "
                    "import latentbridge.host_locator as found; print(found.ADVICE)")
            done = subprocess.run([sys.executable, "-s", "-c", code], capture_output=True, text=True, timeout=60, cwd=folder)
            self.assertIn(f" --force-reinstall --no-deps latentbridge=={VERSION}`", done.stdout, done.stderr)


class Words(unittest.TestCase):
    """What is written into a pipe where the system's encoding lacks a letter."""

    def run_in_ascii(self, *command, **variables):
        environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii:strict", **variables}
        return subprocess.run([sys.executable, *command], capture_output=True, env=environment, timeout=60, cwd=tempfile.gettempdir())

    def test_doctor_and_install_write_paths_of_any_letters(self):
        host = os.path.join(tempfile.gettempdir(), "größer 縮小")
        for command in ([str(host_locator.PACKAGE), "doctor"], [str(host_locator.ROOT / "install.py")]):
            with self.subTest(command):
                done = self.run_in_ascii(*command, LATENTBRIDGE_HOST=host)
                self.assertIn(host, done.stdout.decode("utf-8"))
                self.assertNotIn(b"could not be looked for", done.stdout)
                self.assertEqual(done.stderr, b"")

    def test_demo_writes_paths_of_any_letters(self):
        done = self.run_in_ascii(str(host_locator.PACKAGE), "demo", "--latents", "/nonexistent/größer 縮小")
        self.assertEqual(done.returncode, 2)
        self.assertIn("/nonexistent/größer 縮小", done.stderr.decode("utf-8"))

    def test_the_doctors_command_line_works_as_it_is_written(self):
        """Isolated, as the Python of a portable ComfyUI is: it heeds neither the current folder nor PYTHONPATH."""
        command = shlex.split(host_locator.doctor().strip("`"))
        done = subprocess.run([command[0], "-I", *command[1:]], capture_output=True, text=True, timeout=60, cwd=tempfile.gettempdir())
        self.assertEqual((done.returncode in (0, 1), done.stderr), (True, ""))
        self.assertIn("LatentBridge", done.stdout)


class Demo(unittest.TestCase):
    def test_without_latents_it_says_what_to_do(self):
        with contextlib.redirect_stderr(io.StringIO()) as error:
            code, _ = call("demo", "--latents", "/nonexistent")
        self.assertEqual(code, 2)
        self.assertIn("--latents", error.getvalue())

    def test_a_folder_that_cannot_be_made_is_named(self):
        with contextlib.redirect_stderr(io.StringIO()) as error:
            code, _ = call("demo", "--out", os.path.join(__file__, "below"))
        self.assertEqual(code, 1)
        self.assertIn("name another with --out", error.getvalue())

    @unittest.skipUnless(LATENTS.is_dir(), "the example latents are missing")
    def test_every_step_of_every_model_is_a_file(self):
        real_host()
        with tempfile.TemporaryDirectory() as folder:
            code, output = call("demo", "--out", folder, "--step-milliseconds", "20", "--json")
            result = json.loads(output)
            self.assertEqual(code, 0)
            self.assertEqual([model["model"] for model in result["models"]], ["SD15", "SDXL", "SD3", "Flux", "Flux2"])
            for model in result["models"]:
                for step in [*model["steps"], model["still"]]:
                    self.assertEqual(Path(step["file"]).stat().st_size, step["bytes"])


class Bench(unittest.TestCase):
    def test_the_rows_bear_the_names_of_the_table(self):
        real_host()
        code, output = call("bench", "bridge", "--repeat", "3", "--json")
        self.assertEqual(code, 0)
        rows = json.loads(output)["rows"]
        self.assertEqual([row["name"] for row in rows], [
            "submit sdxl 1024", "submit flux2 1024", "roundtrip latent2rgb 64x64", "roundtrip latent2rgb 128x128", "host start",
            "host idle memory", "allocation per frame"])
        self.assertTrue(all(set(row) == {"name", "unit", "ours", "p99", "peer", "peer_name", "ratio"} for row in rows))


class Safetensors(unittest.TestCase):
    def file(self, data):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = Path(folder.name) / "x.safetensors"
        path.write_bytes(data)
        return path

    def build(self, header, data=b""):
        text = json.dumps(header).encode()
        return self.file(struct.pack("<Q", len(text)) + text + data)

    def test_tensors_and_metadata_are_read(self):
        path = self.build({"__metadata__": {"a": "b"}, "x": {"dtype": "F16", "shape": [1, 2], "data_offsets": [0, 4]},
                           "i": {"dtype": "I64", "shape": [0], "data_offsets": [4, 4]}}, b"abcd")
        metadata, tensors = safetensors.read(path)
        self.assertEqual((metadata, list(tensors)), ({"a": "b"}, ["x"]))
        self.assertEqual((bytes(tensors["x"].data), tensors["x"].element_type, tensors["x"].axes), (b"abcd", "F16", (1, 2)))

    def test_broken_files_are_refused_with_a_sentence(self):
        entry = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
        for name, path in (("empty", self.file(b"")), ("cut off", self.file(b"\x10\0\0")),
                           ("huge header", self.file(struct.pack("<Q", 1 << 63) + b"{}")),
                           ("no JSON", self.file(struct.pack("<Q", 4) + b"oops")), ("a list", self.build([1])),
                           ("no data", self.build({"x": entry})),
                           ("beyond the end", self.build({"x": {**entry, "data_offsets": [4, 12]}}, bytes(8))),
                           ("wrong length", self.build({"x": {**entry, "shape": [3]}}, bytes(8))),
                           ("negative", self.build({"x": {**entry, "data_offsets": [-8, 0]}}, bytes(8)))):
            with self.subTest(name), self.assertRaises(ValueError):
                safetensors.read(path)
