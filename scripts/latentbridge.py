"""A1111, Forge, reForge and SD.Next load this when the repository lies in ``extensions``."""

import sys
from importlib.util import find_spec
from pathlib import Path

import modules

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "python"))
try:
    is_sdnext = hasattr(modules, "__path__") and find_spec("modules.processing_callbacks") is not None
    if is_sdnext:
        from latentbridge.integrations import sdnext
    else:
        from latentbridge.integrations import a1111
finally:
    del sys.path[0]

if is_sdnext:
    sdnext.install()
elif a1111.install():
    from latentbridge.integrations.a1111 import corrections
    from latentbridge.integrations.a1111.compare import Compare  # noqa: F401 - the UI lists the scripts it finds here
    from latentbridge.integrations.a1111.corrections import CorrectionScript  # noqa: F401

    corrections.install()
