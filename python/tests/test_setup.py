"""build/setup.sh on machines that lack the .NET SDK: a folder that is the whole PATH, with a fake download."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOOLS = ("bash", "cat", "chmod", "dirname", "env", "grep", "mkdir", "mktemp", "rm", "sleep", "timeout", "uname")
INSTALLER = """#!/usr/bin/env bash
[ "$1 $3 $5" = "--jsonfile --install-dir --no-path" ] || exit 1
grep -q '"version": "10\\.' "$2" || exit 1
mkdir -p "$4"
printf '#!/usr/bin/env bash\\necho "10.0.100 [here]"\\n' >"$4/dotnet"
chmod +x "$4/dotnet"
"""
CURL = """#!/usr/bin/env bash
while [ $# -gt 0 ]; do
    case $1 in -o) target=$2 ;; https://dot.net/*) asked=yes ;; esac
    shift
done
[ "${asked:-}" = yes ] && cat "$INSTALLER" >"$target"
"""


@unittest.skipUnless(os.name == "posix" and shutil.which("bash"), "run.sh is for systems with bash")
class SetupTests(unittest.TestCase):
    def setUp(self):
        self.errors = ""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.clone = self.folder / "a clone"
        (self.clone / "build").mkdir(parents=True)
        shutil.copy(ROOT / "build" / "setup.sh", self.clone / "build")
        shutil.copy(ROOT / "global.json", self.clone)
        self.path = self.folder / "path"
        self.path.mkdir()
        for tool in TOOLS:
            (self.path / tool).symlink_to(shutil.which(tool))

    def test_the_official_installer_brings_it_into_the_clone(self):
        self.program("curl", CURL)
        self.assertEqual(self.require(), f"{self.clone}/.dotnet/dotnet", self.errors)
        self.assertIn(f"into {self.clone}/.dotnet (about 800 MB", self.errors)
        (self.path / "curl").unlink()
        self.assertEqual(self.require(), f"{self.clone}/.dotnet/dotnet")
        self.assertEqual(self.errors, "")

    def test_an_sdk_on_path_is_taken(self):
        self.program("dotnet", "#!/usr/bin/env bash\necho '10.0.401 [there]'\n")
        self.assertEqual(self.require(), f"{self.path}/dotnet")

    def test_without_network_it_says_what_to_type(self):
        self.program("dotnet", "#!/usr/bin/env bash\necho '8.0.100 [old]'\n")
        self.assertIsNone(self.require())
        self.assertIn(f"not found on PATH (found: {self.path}/dotnet).", self.errors)
        self.assertIn("https://dotnet.microsoft.com/download/dotnet/10.0", self.errors)

    def program(self, name, text):
        path = self.path / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)

    def require(self):
        """The dotnet that is on PATH after ``require_dotnet``, or None where it ended the script."""
        (self.folder / "installer").write_text(INSTALLER, encoding="utf-8")
        done = subprocess.run([self.path / "bash", "-c", ". build/setup.sh; require_dotnet; command -v dotnet"], cwd=self.clone, capture_output=True,
                              text=True, timeout=60, env={"PATH": str(self.path), "HOME": str(self.folder), "INSTALLER": str(self.folder / "installer")})
        self.errors = done.stderr
        return done.stdout.strip() if done.returncode == 0 else None
