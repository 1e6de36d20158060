"""The PowerShell scripts, where there is a PowerShell: how run.ps1 ends, and what a session is left with."""

import os
import shutil
import stat
import subprocess
import tempfile
import unittest
from pathlib import Path

from latentbridge.host_locator import ROOT

POWERSHELL = shutil.which("pwsh") or shutil.which("powershell")


@unittest.skipUnless(POWERSHELL, "no PowerShell is installed")
@unittest.skipIf(os.name == "nt", "the program is a script here, which Windows does not start")
class Scripts(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        for name in ("run.ps1", "build/setup.ps1"):
            (self.root / name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, self.root / name)
        for name in ("src", "models/formats", "python"):
            (self.root / name).mkdir(parents=True)
        for name in ("models/manifest.json", "python/version.txt", "Directory.Build.props", "Directory.Packages.props", "global.json"):
            (self.root / name).touch()
        self.program = self.root / "artifacts/bin/LatentBridge.Host/release/LatentBridge.Host.exe"
        self.program.parent.mkdir(parents=True)
        (self.root / "artifacts/run.stamp").touch()
        os.utime(self.root / "artifacts/run.stamp", (2**32, 2**32))

    def write_program(self, text):
        self.program.write_text(text)
        self.program.chmod(self.program.stat().st_mode | stat.S_IXUSR)

    def powershell(self, *arguments):
        return subprocess.run([POWERSHELL, "-NoProfile", *arguments], capture_output=True, text=True, timeout=120, cwd=tempfile.gettempdir())

    def test_a_program_that_cannot_start_is_a_failure(self):
        self.write_program("no program")
        done = self.powershell("-File", str(self.root / "run.ps1"), "doctor")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("LatentBridge.Host.exe", done.stderr)

    def test_arguments_and_the_exit_code_go_through(self):
        self.write_program('#!/bin/sh\nprintf "%s|" "$@" "$DOTNET_EnableDiagnostics"\nexit 7\n')
        done = self.powershell("-File", str(self.root / "run.ps1"), "decode", "a b")
        self.assertEqual((done.returncode, done.stdout.strip()), (7, "decode|a b|0|"))

    def test_a_session_keeps_its_folder_and_its_variables(self):
        self.write_program("#!/bin/sh\n")
        (self.root / "net/shared/Microsoft.NETCore.App/10.0.1").mkdir(parents=True)  # a .NET that is on PATH only is named to the program
        (self.root / "net/dotnet").write_text("#!/bin/sh\n")
        (self.root / "net/dotnet").chmod(0o755)
        enter = f"Remove-Item env:DOTNET_ROOT -ErrorAction Ignore; $env:PATH = '{self.root / 'net'}:' + $env:PATH"
        show = "(Get-Location).Path; Get-ChildItem env: | Sort-Object Name | ForEach-Object { $_.Name + '=' + $_.Value }"
        done = self.powershell("-Command", f"{enter}; {show}; 'then'; & '{self.root / 'run.ps1'}' doctor; {show}")
        before, _, after = done.stdout.partition("then\n")
        self.assertTrue(before)
        self.assertEqual(after, before)

    def test_a_program_is_given_a_time_and_its_arguments_as_they_are(self):
        output = self.root / "output.txt"
        script = (f". '{self.root / 'build/setup.ps1'}'; $output = '{output}'\n"
                  "Invoke-Limited 60 $output 'sh' @('-c', 'printf \"%s|\" \"$@\"; exit 5', 'x', 'a b', 'q\"t', 'tr\\'); Get-Content $output\n"
                  "Invoke-Limited 1 $output 'sleep' @('30'); Get-Content $output\n"
                  "Invoke-Limited 1 $output '/nonexistent/x' @('30')\n")
        done = self.powershell("-Command", script)
        self.assertEqual(done.stdout.splitlines(), ["5", 'a b|q"t|tr\\|', "124", "It took longer than 1 s and was ended.", "127"], done.stderr)


if __name__ == "__main__":
    unittest.main()
