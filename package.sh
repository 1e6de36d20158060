#!/usr/bin/env bash
# ./package.sh: dist/ gets one archive a system, each with a self-contained program that needs no .NET, and SHA256SUMS.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. build/setup.sh
require_dotnet
require_python

version=$(tr -d '[:space:]' <python/version.txt)
programs=()
for runtime in linux-x64 win-x64; do
    say "Publishing for $runtime ..."
    folder=$PWD/artifacts/package/$runtime
    rm -rf "$folder"
    build/publish.sh "$runtime" "$folder" # a trimming warning is an error
    case $runtime in win-*) programs+=("$runtime=$folder/latentbridge.exe") ;; *) programs+=("$runtime=$folder/latentbridge") ;; esac
done

say "Publishing the assembly for pythonnet ..."
rm -rf artifacts/package/inprocess
dotnet publish src/LatentBridge.InProcess -c Release -o artifacts/package/inprocess -nologo --verbosity quiet </dev/null

rm -rf dist
"$python" build/package.py "$version" dist "${programs[@]}"
