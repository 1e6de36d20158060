"""Wan2GP loads this when the repository lies in ``plugins``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "python"))
try:
    from latentbridge.integrations.wan2gp import LatentBridgePlugin  # noqa: F401 - the UI lists the plugins it finds here
finally:
    del sys.path[0]
