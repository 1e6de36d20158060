"""A1111, Forge, Forge neo and reForge: "LatentBridge" as a live-preview method. ``scripts/latentbridge.py`` calls ``install`` at each load.

Where things are: ``extension`` has the hooks, ``sampling`` is what it knows of one run, ``ui`` is where the UIs differ, ``settings`` adds
their page, ``last_picture`` makes the picture of an interrupted job, ``teacher`` learns colours; ``compare`` and ``corrections`` are scripts of their own.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

from . import settings
from .extension import Extension
from .ui import MissingHookPoint, Ui

log = logging.getLogger("latentbridge")

_extension: Extension | None = None


def install(**bridge: Any) -> bool:
    """Joins the running UI; False, with one line in the log, when it lacks a hook point. Called by the UI for each (re)load."""
    global _extension
    uninstall()
    try:
        _extension = Extension(Ui(), _unloaded, **bridge)
    except MissingHookPoint as missing:
        text = f"LatentBridge is off. It needs {missing}, which this UI does not have. A1111 1.6 to 1.10, Forge, Forge neo and reForge have it."
        log.warning("%s", text)
        _say_in_settings(text)
        return False
    _extension.install()
    return True


def uninstall() -> None:
    """Takes everything back but the entry in the list of methods, which goes on as the method that stands in."""
    global _extension
    extension, _extension = _extension, None
    if extension is not None:
        extension.uninstall()


def _say_in_settings(text: str) -> None:
    """In a UI that lacks something it may lack this too."""
    try:
        from modules import shared

        settings.add_status(shared, lambda: text)
    except Exception as error:
        log.debug("LatentBridge: the settings page does not say so: %r", error)


def _unloaded() -> None:
    """The UI reloads its scripts: the next load takes this package from disk again, which an update may have changed."""
    uninstall()
    package = __name__.partition(".")[0]
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[name]
