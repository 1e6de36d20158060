"""Recorded runs in the browser, on the page of the live view.

    python -m latentbridge view run.safetensors other.safetensors [--port 8189]
"""

from __future__ import annotations

import argparse
import sys
import threading
from pathlib import Path

from .. import protocol, safetensors
from ..client import Bridge
from ..protocol import LatentHeader
from .board import Board
from .server import serve


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recordings", nargs="+", type=Path, help="files of recorded runs, or of latents")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: 127.0.0.1, this machine alone)")
    parser.add_argument("--port", type=int, default=0, help="the port to listen on (default: any that is free)")


def run(arguments: argparse.Namespace) -> int:
    board = Board()
    try:
        for number, path in enumerate(arguments.recordings, 1):
            add(board, number, path)
        view = serve(board, host=arguments.host, port=arguments.port)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    with view, Bridge() as bridge:
        board.bridge = lambda: bridge
        print(f"{view.url}\nCtrl+C ends it.", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print()
    return 0


def add(board: Board, run: int, path: Path) -> None:
    """Puts a recording's steps on the board."""
    metadata, tensors = safetensors.read(path)
    latents = next((tensors[name] for name in ("latents", "x0", "latent") if name in tensors), None)
    if latents is None or len(latents.axes) < 3:
        raise ValueError(f"{path}: expected a tensor latents, x0 or latent of [steps, channels, ...]; found {', '.join(tensors) or 'none of F32, F16, BF16'}")
    total, *axes = latents.axes
    length = len(latents.data) // max(total, 1)
    latent_format = metadata.get("latent_format")
    board.describe(run, latent_format=latent_format, name=path.stem, started=path.stat().st_mtime)
    for step in range(total):
        header = LatentHeader(step + 1, run, 0, step, total, 0, protocol.ELEMENT_TYPES.index(latents.element_type), (1, *axes), length)
        board.history.add(header, memoryview(latents.data)[step * length:(step + 1) * length])
