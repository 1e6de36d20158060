#!/usr/bin/env bash
# build/publish.sh RUNTIME FOLDER: the one program, self-contained, trimmed, compiled ahead where possible, as FOLDER/latentbridge[.exe].
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
runtime=$1 folder=$2
dotnet publish src/LatentBridge.Host -c Release -r "$runtime" --self-contained -p:LatentBridgeSingleFile=true \
    -o "$folder" -nologo --verbosity quiet </dev/null
case $runtime in win-*) extension=.exe ;; *) extension= ;; esac
mv -f "$folder/LatentBridge.Host$extension" "$folder/latentbridge$extension"
