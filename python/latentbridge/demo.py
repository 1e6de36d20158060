"""The main job on the bundled latents: a run of steps a model goes through the real bridge, pictures come out.

    python -m latentbridge demo --out out/demo [--json] [--latents examples/latents] [--step-milliseconds 200]

With ``--json`` stdout holds one object (paths as written, times in the units of their names):

    {"out": ..., "host": ..., "models": [{"model", "source", "shape", "steps": [{"step", "total", "file", "width", "height",
     "bytes", "decoder", "callbackMicroseconds", "milliseconds", "decodeMilliseconds", "encodeMilliseconds", "warnings"}],
     "still": {the same, of one more picture, by ``decode``}}], "status": {...}}

``file`` is null for a step that gave no picture.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from . import safetensors
from .client import Bridge, BridgeError
from .host_locator import HOME
from .preview import Preview
from .tensors import RawLatent

MODELS = ("SD15", "SDXL", "SD3", "Flux", "Flux2")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="folder for the pictures (default: out/demo)")
    parser.add_argument("--latents", type=Path, default=HOME / "examples" / "latents", help="folder with the example latents")
    parser.add_argument("--step-milliseconds", type=float, default=200.0, help="how long the pretended sampler takes for a step")
    parser.add_argument("--decoder", default="auto", help="a decoder's id (default: auto)")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout instead of a table")


def run(arguments: argparse.Namespace) -> int:
    sources = [(model, path) for model in MODELS if (path := _example(arguments.latents, model)) is not None]
    if not sources:
        print(f"No example latents (<Format>_run8.safetensors or <Format>_kodim23.safetensors) lie in {arguments.latents}; name their folder with --latents.",
              file=sys.stderr)
        return 2
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        print(f"The folder for the pictures cannot be made ({error}); name another with --out.", file=sys.stderr)
        return 1
    with Bridge(decoder=arguments.decoder) as bridge:
        if not bridge.start(30):
            print(f"The host did not start: {bridge.off_reason or 'no answer within 30 s'}", file=sys.stderr)
            return 1
        models = [_show(bridge, number, model, path, arguments) for number, (model, path) in enumerate(sources)]
        status = bridge.status(5)
    result = {"out": str(arguments.out), "host": (status["host"] or {}).get("host"), "models": models, "status": status}
    if arguments.json:
        print(json.dumps(result))
    else:
        _print_table(models, arguments.out)
    return 0 if all(step["file"] for model in models for step in model["steps"]) else 1


def _example(folder: Path, model: str) -> Path | None:
    """A run of eight steps, or where only that is there, a finished latent: a run of one step."""
    return next((path for name in ("run8", "kodim23") if (path := folder / f"{model}_{name}.safetensors").is_file()), None)


def _show(bridge: Bridge, number: int, model: str, path: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """One model: each item of the run's tensor is a step's latent."""
    _, tensors = safetensors.read(path)
    x0 = tensors["x0"] if "x0" in tensors else tensors["latent"]
    total = x0.axes[0]
    size = len(x0.data) // total
    bridge.begin(run=number, latent_format=model)
    steps = []
    for step in range(total):
        due = time.perf_counter() + arguments.step_milliseconds / 1000
        latent = RawLatent(x0.data[step * size:(step + 1) * size], x0.element_type, (1, *x0.axes[1:]))
        started = time.perf_counter_ns()
        bridge.submit(latent, run=number, step=step, total=total)
        callback = (time.perf_counter_ns() - started) / 1000
        preview = bridge.wait(run=number, step=step, timeout=10)
        file = arguments.out / f"{model}-{step + 1:02}.png"
        steps.append({"step": step, "total": total, "callbackMicroseconds": round(callback, 1), **_write(preview, file)})
        time.sleep(max(0.0, due - time.perf_counter()))
    bridge.end(run=number)
    return {"model": model, "source": path.name, "shape": list(x0.axes), "steps": steps, "still": _still(bridge, model, arguments)}


def _still(bridge: Bridge, model: str, arguments: argparse.Namespace) -> dict[str, Any] | None:
    for path in sorted(arguments.latents.glob(f"{model}_kodim*.safetensors")):
        latent = safetensors.read(path)[1].get("latent")
        if latent is not None:
            try:
                preview = bridge.decode(latent, latent_format=model, decoder=arguments.decoder, lastStepMilliseconds=1000)
            except BridgeError as error:
                print(f"{path.name}: {error}", file=sys.stderr)
                return None
            return _write(preview, arguments.out / f"{model}-still.png")
    return None


def _write(preview: Preview | None, file: Path) -> dict[str, Any]:
    if preview is None:
        return {"file": None}
    file.write_bytes(preview.data)
    return {
        "file": str(file), "width": preview.width, "height": preview.height, "bytes": len(preview.data), "decoder": preview.decoder,
        "milliseconds": round(preview.milliseconds, 3), "decodeMilliseconds": preview.decode_milliseconds,
        "encodeMilliseconds": preview.encode_milliseconds, "warnings": list(preview.warnings),
    }


def _print_table(models: list[dict[str, Any]], out: Path) -> None:
    print(f"{'model':8}{'size':>12}{'callback':>12}{'to bytes':>12}{'bytes':>10}  decoder")
    for model in models:
        shown = [step for step in model["steps"] if step["file"]]
        if not shown:
            print(f"{model['model']:8}{'no picture':>12}")
            continue
        last = shown[-1]
        print(f"{model['model']:8}{last['width']:>7}x{last['height']:<4}"
              f"{statistics.median(step['callbackMicroseconds'] for step in shown):>9.0f} us"
              f"{statistics.median(step['milliseconds'] for step in shown):>9.1f} ms"
              f"{last['bytes']:>10}  {', '.join(dict.fromkeys(step['decoder'] for step in shown))}")
    print("The runs are simulated (examples/latents). Medians; callback: the sampler's thread; to bytes: submit to PNG in Python.")
    print(f"The pictures lie in {out}")
