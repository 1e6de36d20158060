#!/usr/bin/env bash
# build/check_windows.sh: the packaged program for Windows makes the pictures of the one for Linux, within one level, and passes the C# tests, built for Windows.
# Runs under Wine 10 or newer (Debian 13). First: ./package.sh linux-x64 win-x64
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. build/setup.sh
require_dotnet
require_python
version=$(wine --version 2>/dev/null || echo none)
[[ $version =~ ^wine-([0-9]+) && ${BASH_REMATCH[1]} -ge 10 ]] || { say "Wine 10 or newer is needed, found: $version. Wine 8 does not start the program."; exit 1; }
program=artifacts/package/win-x64/latentbridge.exe
folder=artifacts/package/check-windows
rm -rf "$folder"

# Wine 10 does not keep the 512-bit registers of a thread that it stops: with them, numbers are wrong now and then.
export DOTNET_EnableAVX512=0 WINEDEBUG=${WINEDEBUG:--all} LATENTBRIDGE_MODELS=models

wine "$program" doctor | grep -v "^note" || true
wine "$program" inspect examples/latents/SDXL_kodim23.safetensors --output "$folder" >/dev/null
for decoder in latent2rgb mlp tiny; do
    artifacts/package/linux-x64/latentbridge decode examples/latents/*_kodim23.safetensors -d $decoder -o "$folder/linux" >/dev/null
    wine "$program" decode examples/latents/*_kodim23.safetensors -d $decoder -o "$folder/windows" >/dev/null
done
"$python" build/same_pictures.py "$folder/linux" "$folder/windows"

unset LATENTBRIDGE_MODELS
failed=0
for project in LatentBridge Ipc Sessions Host Scanning ImageSharp Fitting Onnx; do
    tests=LatentBridge.${project#LatentBridge}
    tests=${tests%.}.Tests
    dotnet publish "tests/$tests" -c Release -r win-x64 --self-contained -o "$folder/$tests" -nologo --verbosity quiet </dev/null
    [ $project != Host ] || cp "$program" "$folder/$tests/LatentBridge.Host.exe" # `serve` and all commands of the packaged program
    wine "$folder/$tests/$tests.exe" >"$folder/$tests.txt" 2>&1 || failed=1
    grep -aE "\[FAIL\]|Total: " "$folder/$tests.txt" || true
done
exit $failed
