#!/usr/bin/env python3
"""What a preview costs in a real ComfyUI: previews off, its own and LatentBridge's, prompt after prompt in turn.

    python3 benchmarks/comfyui/measure.py http://127.0.0.1:8188 [--rounds 12] [--steps 20] [--deflate] [--json FILE]

The ComfyUI runs on this machine with two node packs: LatentBridge, and latentbridge_probe beside this file. Times are medians in
milliseconds. Callback: all of the sampler's thread in the preview callback of a step (the last step's wait apart). Loop: all of the
server's event loop in sending a preview. Loop whole: processor time of the loop's thread above that of prompts with
previews off, divided by the previews.
"""

from __future__ import annotations

import argparse
import json
import statistics

from client import Page, call, probe

CASES = {
    "SD1.5 512": ("SD15", "1,4,64,64"),
    "SDXL 1024": ("SDXL", "1,4,128,128"),
    "FLUX.1 1024": ("Flux", "1,16,128,128"),
    "FLUX.2 1024": ("Flux2", "1,128,64,64"),
    "Wan 2.1 832x480, 5 latent frames": ("Wan21", "1,16,5,60,104"),
}
DEFAULTS = {"enabled": True, "decoder": "auto", "size": 0, "batch": "grid", "every_steps": 1, "every_milliseconds": 0, "format": "auto", "threads": 0}
WAYS = {  # name: (ours, preview method)
    "off": (False, "none"),
    "ComfyUI latent2rgb": (False, "latent2rgb"),
    "LatentBridge PNG": (True, "auto"),
    "ComfyUI alone, PNG's bytes": (False, "none"),
    "LatentBridge JPEG": (True, "auto"),
    "ComfyUI alone, JPEG's bytes": (False, "none"),
}
SWARM = {"SwarmUI, none": (False, "latent2rgb"), "SwarmUI's own": (False, "latent2rgb"), "LatentBridge": (True, "auto")}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("url")
    arguments.add_argument("--rounds", type=int, default=12)
    arguments.add_argument("--steps", type=int, default=20)
    arguments.add_argument("--step-milliseconds", type=int, default=20)
    arguments.add_argument("--case", action="append", choices=list(CASES))
    arguments.add_argument("--taesd", type=int, default=0, metavar="STEPS", help="also ComfyUI's TAESD, one prompt of so many steps (3 or more) a case")
    arguments.add_argument("--deflate", action="store_true", help="ask for compressed messages, as browsers do")
    arguments.add_argument("--swarm", metavar="PREVIEWS", help="the callback of SwarmUI's sampler node, with this of its ways to show previews, in place of core's")
    arguments.add_argument("--json")
    options = arguments.parse_args()
    rows, all_ways = [], SWARM if options.swarm else WAYS
    with Page(options.url, deflate=options.deflate) as page:
        warm = call(options.url + "/latentbridge/probe")["imports"]
        for case in options.case or CASES:
            ways = {name: empty() for name in all_ways}
            if options.taesd:
                ways["ComfyUI TAESD"] = empty()
                one(page, case, ways["ComfyUI TAESD"], (False, "taesd"), options.taesd, options.step_milliseconds, "png")
            for number in range(options.rounds + 1):  # the first round warms up
                length = 0
                for name, way in all_ways.items():
                    found = ways[name] if number else empty()
                    encoding = name.split()[-1].lower() if way[0] and not options.swarm else "auto"
                    swarm = "none" if name.endswith(", none") else options.swarm or ""
                    one(page, case, found, way, options.steps, options.step_milliseconds, encoding, length if "alone" in name else 0, swarm)
                    length = int(statistics.median(found["bytes"] or [0]))
            rows += [row(case, name, found, next(iter(ways.values()))) for name, found in ways.items()]
    call(options.url + "/latentbridge/settings", DEFAULTS)
    print("| latent | previews | callback | least | p99 | last step | loop | loop CPU | loop whole | previews shown | bytes |")
    print("|" + " --- |" * 11)
    for found in rows:
        print("| " + " | ".join(str(value) if value is not None else "-" for value in found.values()) + " |")
    for path, milliseconds in warm.items():
        if "probe" not in path:
            print(f"import of {path.rsplit('/', 1)[-1]}: {milliseconds:.1f} ms")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"rows": rows, "imports": warm}, file, indent=1)


def empty() -> dict:
    return {"callback": [], "last": [], "loop": [], "loopCpu": [], "thread": [], "pictures": 0, "bytes": []}


def one(page: Page, case: str, found: dict, way: tuple[bool, str], steps: int, step_milliseconds: int, encoding: str, ready_bytes: int = 0,
        swarm: str = "") -> None:
    """Runs one prompt and adds its times."""
    ours, method = way
    call(page.url + "/latentbridge/settings", {**DEFAULTS, "enabled": ours, "format": encoding})
    before = call(page.url + "/latentbridge/probe")
    run = page.run(probe(*CASES[case], steps, step_milliseconds, ready_bytes, swarm), preview_method=method)
    if run.ended != "execution_success":
        raise SystemExit(f"{case}: {run.ended}: {run.error}")
    times = run.outputs["1"]["milliseconds"]
    loop = call(page.url + "/latentbridge/probe")
    found["callback"] += times[1:-1]
    found["last"].append(times[-1])
    found["loop"] += loop["loop"]
    found["loopCpu"] += loop["loopCpu"]
    found["thread"].append(loop["thread"] - before["thread"])
    found["pictures"] += len(run.pictures)
    found["bytes"] += [len(data) for _, _, data in run.pictures]


def row(case: str, name: str, found: dict, off: dict) -> dict:
    def median(values: list[float], digits: int | None = 3) -> float | None:
        return round(statistics.median(values), digits) if values else None

    callback = sorted(found["callback"])
    steps = len(callback) + 2 * len(found["last"])
    whole = (statistics.median(found["thread"]) - statistics.median(off["thread"])) * len(found["last"])
    return {"case": case, "previews": name, "callback": median(callback), "least": round(callback[0], 3),
            "p99": round(callback[int(len(callback) * 0.99)], 2), "last": median(found["last"]),
            "loop": median(found["loop"]), "loopCpu": median(found["loopCpu"]), "loopWhole": round(whole / found["pictures"], 2) if found["pictures"] else None,
            "shown": f"{found['pictures']} of {steps}", "bytes": median(found["bytes"], None)}


if __name__ == "__main__":
    main()
