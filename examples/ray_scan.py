"""Checks cached latents with Ray Data: as many machines as the cluster has, no engine of ours.

    pip install "ray[data]" latentbridge
    python ray_scan.py FOLDER SDXL        # FOLDER: .npy files of one latent [C,H,W] each

Prints the files with something wrong. The function is the same that runs under Dask, a DataLoader or multiprocessing.
"""

import sys
from pathlib import Path

import numpy

import latentbridge

FAULTS = ("nan", "inf", "zero", "constant", "scale", "saturated", "letterbox", "black", "white")


def check(batch: dict[str, numpy.ndarray], latent_format: str) -> dict[str, numpy.ndarray]:
    """One batch of file names; latents of one size are checked in one call."""
    latents = [numpy.load(path) for path in batch["path"]]
    faults = numpy.full(len(latents), "", dtype=object)
    for shape in {latent.shape for latent in latents}:
        where = [i for i, latent in enumerate(latents) if latent.shape == shape]
        found = latentbridge.check(numpy.stack([latents[i] for i in where]), latent_format)
        for row, i in enumerate(where):
            faults[i] = " ".join(name for name in FAULTS if found[name][row])
    return {"path": batch["path"], "faults": faults.astype(str)}


def main(folder: str, latent_format: str) -> None:
    import ray

    paths = [{"path": str(path)} for path in sorted(Path(folder).rglob("*.npy"))]
    checked = ray.data.from_items(paths).map_batches(check, batch_size=256, fn_kwargs={"latent_format": latent_format})
    for row in checked.iter_rows():
        if row["faults"]:
            print(f"{row['path']}: {row['faults']}")


if __name__ == "__main__":
    main(*sys.argv[1:])
