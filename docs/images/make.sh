#!/usr/bin/env bash
# Makes the pictures of the README anew, from the example latents. The one of TAESD needs its weights in LATENTBRIDGE_MODELS.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
./run.sh demo -o "$work"
cp "$work/SDXL.sheet.png" docs/images/demo-sdxl.png
for decoder in latent2rgb tiny taesd; do
    ./run.sh decode examples/latents/SDXL_kodim23.safetensors -o "$work" --decoder "$decoder" --size 256
    cp "$work/SDXL_kodim23.$decoder.png" "docs/images/sdxl-$decoder.png"
done
./run.sh inspect examples/latents/SDXL_kodim23.safetensors -o "$work"
cp "$work/SDXL_kodim23.channels.png" docs/images/inspect-sdxl.png
