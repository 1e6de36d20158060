"""ComfyUI: every sampler's preview made by LatentBridge. The pack's root ``__init__.py`` calls ``install`` once.

Where things are: ``hook`` takes over ``latent_preview.get_previewer``, ``sampling`` is one sampling's way from latent to
picture, ``delivery`` brings pictures to the page, ``swarm`` does the same for SwarmUI's nodes, ``settings`` and ``routes`` talk with the settings page.
"""

from __future__ import annotations

import logging

from ..._version import VERSION

log = logging.getLogger("latentbridge")


def install() -> dict[str, type] | None:
    """Hooks LatentBridge into the ComfyUI this process runs; the nodes, or None, with one log line, in one that has no place for it."""
    try:
        from . import nodes, routes
        from .hook import Hook
        from .pack import Pack
    except ImportError as error:
        log.warning("LatentBridge: this ComfyUI is not supported (%s); its own previews go on. 0.3.45 or newer is needed", error)
        return None
    pack = Pack()
    hook = Hook(pack)
    hook.install()
    pack.teacher.install()
    routes.add(pack, hook)
    if pack.trouble() is not None:
        log.warning("LatentBridge: %s", pack.state())
    else:
        log.info("LatentBridge %s makes the previews; Settings > LatentBridge, /latentbridge/status", VERSION)
    return nodes.mappings(pack)
