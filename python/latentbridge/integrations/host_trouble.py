"""Whether there is a host to be had on this machine."""

from __future__ import annotations

from .. import host_locator, inprocess


def host_trouble(mode: str) -> str | None:
    """Why no host can be had in this host mode, and what helps; None when all is well."""
    if host_locator.find() is not None or (mode != "process" and inprocess.problem() is None):
        return None
    return host_locator.trouble()
