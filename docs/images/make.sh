#!/usr/bin/env bash
# Makes the pictures of the README and of docs/quality.md anew, from the example latents and, where a folder is given, the Kodak pictures:
#     docs/images/make.sh [KODAK]
# For the latter TAESD's weights must be in LATENTBRIDGE_MODELS.
set -euo pipefail
kodak=${1:+$(realpath "$1")}
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
./run.sh demo -o "$work"
cp "$work/SDXL.sheet.png" docs/images/demo-sdxl.png
./run.sh inspect examples/latents/SDXL_kodim23.safetensors -o "$work"
cp "$work/SDXL_kodim23.channels.png" docs/images/inspect-sdxl.png
if [ -n "$kodak" ]; then
    ./run.sh quality "$kodak/kodim23.png" --without-cost -f SDXL -d latent2rgb:comfyui tiny --sheet docs/images/first.png --crop 320 --show latent2rgb:comfyui tiny taesd
    ./run.sh quality "$kodak"/kodim{04,15,23}.png --without-cost -f SDXL -d latent2rgb:comfyui latent2rgb mlp tiny \
        --sheet docs/images/quality-sdxl.png --crop 172 --show latent2rgb:comfyui latent2rgb mlp tiny taesd
    ./run.sh codec "$kodak" -f SDXL Flux --plot docs/images/codec.svg
fi
