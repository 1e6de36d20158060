#!/usr/bin/env bash
# build/check_emulated.sh: the program for arm64 makes the pictures of the program for x64, within one level. Runs it under QEMU on a Debian or Ubuntu with x64,
# with the C library that it was linked with. First: ./package.sh linux-x64 linux-arm64
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. build/setup.sh
require_python
command -v qemu-aarch64-static >/dev/null || apt_install qemu-user-static || { say "QEMU is missing: apt install qemu-user-static"; exit 1; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export LATENTBRIDGE_MODELS=$PWD/models

for decoder in latent2rgb mlp tiny; do
    artifacts/package/linux-x64/latentbridge decode examples/latents/*_kodim23.safetensors -d $decoder -o "$folder/x64" >/dev/null
    qemu-aarch64-static -L artifacts/sysroot/arm64 artifacts/package/linux-arm64/latentbridge decode examples/latents/*_kodim23.safetensors -d $decoder -o "$folder/arm64" >/dev/null
done
"$python" - "$folder" <<'COMPARE'
import pathlib, sys
import numpy
from PIL import Image

folder = pathlib.Path(sys.argv[1])
x64, arm64 = (sorted((folder / name).glob("*.png")) for name in ("x64", "arm64"))
if not x64 or [path.name for path in x64] != [path.name for path in arm64]:
    sys.exit(f"{len(x64)} pictures of x64 and {len(arm64)} of arm64; as many of the same names were expected.")
largest = max(int(numpy.abs(numpy.asarray(Image.open(a), int) - numpy.asarray(Image.open(b), int)).max()) for a, b in zip(x64, arm64))
print(f"{len(x64)} pictures, largest difference {largest} of 255 levels")
sys.exit(largest > 1)
COMPARE
