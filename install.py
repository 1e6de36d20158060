"""Run by A1111 and Forge at every start. Says nothing when a host is there; when none is, asks once for the wheel that has it. Never fails the start."""

import sys
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "python"))


def main() -> None:
    try:
        from latentbridge import host_locator
        from latentbridge._version import VERSION

        if host_locator.find() is not None:
            return
        chosen = next(host_locator.places())  # LATENTBRIDGE_HOST
        if chosen.path is not None:
            _say(f"no host is at LATENTBRIDGE_HOST: {chosen.path} is {chosen.problem}; set it to the path of a host, or unset it")
            return
        _install(f"latentbridge=={VERSION}")
        if host_locator.find() is None:
            _say(f"no host was found, so simple previews stand in; {host_locator.ADVICE}")
    except Exception as error:
        _say(f"its host could not be looked for: {error!r}")


def _say(text: str) -> None:
    sys.stdout.buffer.write(f"LatentBridge: {text}\n".encode("utf-8", "surrogateescape"))  # whatever letters a path has
    sys.stdout.flush()


def _install(requirement: str) -> None:
    """By the UI's own pip, and once for each version: a machine without network is not asked at every start."""
    try:
        import launch
    except ImportError:
        return  # not started by A1111 or Forge
    asked = ROOT / ".host-asked"
    if asked.is_file() and asked.read_text(encoding="utf-8") == requirement:
        return
    asked.write_text(requirement, encoding="utf-8")
    try:
        launch.run_pip(f"install {requirement}", "LatentBridge's host")
    except Exception as error:
        _say(f"pip did not install {requirement}: {(str(error).splitlines() or [repr(error)])[0]}")


if __name__ == "__main__":
    main()
