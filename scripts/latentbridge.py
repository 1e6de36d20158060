"""A1111, Forge and reForge load this when the repository lies in ``extensions``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "python"))
try:
    from latentbridge.integrations import a1111
finally:
    del sys.path[0]

if a1111.install():
    from latentbridge.integrations.a1111 import corrections
    from latentbridge.integrations.a1111.compare import Compare  # noqa: F401 - the UI lists the scripts it finds here
    from latentbridge.integrations.a1111.corrections import CorrectionScript  # noqa: F401

    corrections.install()
