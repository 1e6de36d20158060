"""Python's floors: which module may import which. What is read is the source, so nothing is imported here."""

import ast
import unittest
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "latentbridge"


def floor(module):
    """What a module belongs to: one of the folders, the command line, or the shim itself."""
    if module == "__main__":
        return "commands"
    for folder in ("integrations.comfyui", "integrations.a1111", "integrations.sdnext", "integrations", "reference", "diffusers", "live"):
        if module == folder or module.startswith(folder + "."):
            return folder
    return "shim"


MAY_USE = {
    "shim": {"shim"},
    "reference": {"reference", "shim"},
    "diffusers": {"diffusers", "shim"},
    "live": {"live", "shim"},
    "commands": {"live", "shim"},
    "integrations": {"integrations", "live", "reference", "shim"},
    "integrations.comfyui": {"integrations.comfyui", "integrations", "live", "reference", "shim"},
    "integrations.sdnext": {"integrations.sdnext", "integrations", "diffusers", "shim"},
    "integrations.a1111": {"integrations.a1111", "integrations", "live", "reference", "shim"},
}


def imports(module, source):
    """The modules of this package that a module imports, at its top or within a function, as paths below the package."""
    package = ["latentbridge", *module.split(".")][:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = package[:len(package) - node.level + 1] if node.level else []
            base = ".".join([*start, *filter(None, [node.module])])
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            first, _, rest = name.partition(".")
            if first == "latentbridge" and rest:
                yield rest


def offences(sources):
    """Each import that goes up or sideways, as one sentence."""
    for module, source in sources.items():
        here = floor(module)
        for used in sorted(set(imports(module, source))):
            if floor(used) not in MAY_USE[here]:
                yield f"{module} ({here}) imports {used} ({floor(used)}); {here} may use {', '.join(sorted(MAY_USE[here]))}"


def sources():
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        # a package's own file counts as a module in it, so that its relative imports start in the right folder
        found[".".join(path.relative_to(PACKAGE).with_suffix("").parts)] = path.read_text(encoding="utf-8")
    return found


class FloorTests(unittest.TestCase):
    def test_no_module_imports_one_of_a_floor_above_or_beside_it(self):
        found = sources()
        self.assertGreater(len(found), 40)
        self.assertEqual(list(offences(found)), [])

    def test_every_floor_has_modules(self):
        self.assertEqual({floor(module) for module in sources()}, set(MAY_USE))

    def test_an_arrow_the_wrong_way_is_found_however_it_is_written(self):
        for module, source in (
                ("client", "from .integrations.settings import COMMON"),
                ("client", "from . import integrations"),
                ("client", "from latentbridge import reference"),
                ("bridge_thread", "def f():\n    import latentbridge.integrations.recorder"),
                ("reference.taesd", "from ..integrations import settings"),
                ("integrations.settings", "from .comfyui.settings import TABLE"),
                ("integrations.__init__", "from . import a1111"),
                ("integrations.a1111.ui", "from ..comfyui import pack"),
                ("integrations.comfyui.pack", "from latentbridge.integrations.a1111.ui import Ui")):
            with self.subTest(source):
                self.assertIn(module, next(offences({module: source}), "nothing was found"))

    def test_an_arrow_down_is_none(self):
        for module, source in (
                ("integrations.a1111.__init__", "from .extension import Extension"),
                ("integrations.a1111.extension", "from ... import host_locator\nfrom ..settings import DecoderList\nfrom . import settings"),
                ("integrations.comparison", "from ..reference import taesd\nimport modules.shared"),
                ("client", "from . import protocol")):
            self.assertEqual(list(offences({module: source})), [])


if __name__ == "__main__":
    unittest.main()
