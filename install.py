"""Run by ComfyUI-Manager and by A1111 after installing or updating. Installs nothing and downloads nothing: says what is there.

The same as ``python python/latentbridge doctor``. Ends well in any case: without a host the UI's own previews go on.
"""

import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent / "python"))


def main() -> None:
    try:
        from latentbridge.__main__ import main as latentbridge

        latentbridge(["doctor"])
    except Exception as error:
        print(f"LatentBridge could not look after itself: {error!r}")


if __name__ == "__main__":
    main()
