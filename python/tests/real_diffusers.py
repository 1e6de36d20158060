"""The real diffusers, where it is installed or LATENTBRIDGE_DIFFUSERS names the ``src`` of a checkout; else the tests are skipped."""

import importlib
import os
import sys
import unittest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
if (folder := os.environ.get("LATENTBRIDGE_DIFFUSERS")) and folder not in sys.path:
    sys.path.insert(0, folder)


def missing():
    """Why the real diffusers cannot be used; None when it can."""
    for name, wanted in (("torch", "Tensor"), ("transformers", "CLIPTextModel"), ("diffusers", "DiffusionPipeline")):
        try:
            if not hasattr(importlib.import_module(name), wanted):
                return f"{name} is not whole"
        except Exception as error:
            return f"{name} cannot be imported ({error}); install diffusers, or set LATENTBRIDGE_DIFFUSERS to the src folder of its checkout"
    return None


REASON = missing()
needed = unittest.skipIf(REASON, REASON)
if REASON is None:
    import diffusers
    import torch
    import transformers

    diffusers.logging.set_verbosity_error()
    print(f"diffusers {diffusers.__version__}, torch {torch.__version__}, transformers {transformers.__version__}", file=sys.stderr)
