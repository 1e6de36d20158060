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
"$python" build/same_pictures.py "$folder/x64" "$folder/arm64"
