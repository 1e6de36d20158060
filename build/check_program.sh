#!/usr/bin/env bash
# build/check_program.sh PROGRAM: a published program does what trimming and compiling ahead could break: pictures of every kind, an animation, ONNX Runtime.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
program=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export LATENTBRIDGE_MODELS=$PWD/models

# starts_with FILE BYTES WHERE WHAT: ends the check when the file has other bytes there.
starts_with() {
    found=$(dd if="$1" bs=1 skip="$3" count="${#2}" 2>/dev/null)
    [ "$found" = "$2" ] || { echo "$1: expected $4, found '$found' at byte $3"; exit 1; }
}

for kind in png jpeg webp; do
    "$program" decode examples/latents/SDXL_kodim23.safetensors -d tiny --encode $kind -o "$folder"
done
starts_with "$folder/SDXL_kodim23.tiny.png" PNG 1 "a PNG"
starts_with "$folder/SDXL_kodim23.tiny.jpeg" JFIF 6 "a JPEG"
starts_with "$folder/SDXL_kodim23.tiny.webp" WEBP 8 "a WebP"
"$program" replay examples/latents/SD15_run8.safetensors -d tiny --animate gif -o "$folder"
starts_with "$folder/SD15_run8.tiny.gif" GIF89a 0 "a GIF"
"$program" models convert models/tiny/tiny-sd1.safetensors --output "$folder/tiny.onnx"
"$program" compare examples/latents/SD15_run8.safetensors --decoders tiny --against "$folder/tiny.onnx" --runs 1
