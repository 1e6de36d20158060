#!/usr/bin/env bash
# ./package.sh [RUNTIME ...]: dist/ gets wheels, one archive for each runtime (default: linux-x64 win-x64), the node pack for ComfyUI's registry,
# and SHA256SUMS. The programs in them need no .NET.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. build/setup.sh
require_dotnet
require_python

version=$(tr -d '[:space:]' <python/version.txt)
programs=() folders=()
rm -rf artifacts/package/pure
[ $# -gt 0 ] || set -- linux-x64 win-x64
for runtime; do
    say "Publishing for $runtime ..."
    folder=$PWD/artifacts/package/$runtime
    rm -rf "$folder"
    folders+=("$runtime=$folder")
    build/publish.sh "$runtime" "$folder"
    case $runtime in win-*) programs+=("$runtime=$folder/latentbridge.exe") ;; *) programs+=("$runtime=$folder/latentbridge") ;; esac
done

say "Publishing the assembly for pythonnet ..."
rm -rf artifacts/package/inprocess
dotnet publish src/LatentBridge.InProcess -c Release -o artifacts/package/inprocess -nologo --verbosity quiet </dev/null

rm -rf dist
if builder=$(wheel_builder); then
    say "Building the wheels ..."
    # Of a copy: pip leaves its own files beside what it builds.
    rm -rf artifacts/package/python
    mkdir -p artifacts/package/python
    cp -r python/pyproject.toml python/version.txt python/latentbridge artifacts/package/python
    "$builder" -m pip wheel artifacts/package/python --no-index --no-build-isolation --no-deps -q -w artifacts/package/pure
    "$python" build/wheel.py artifacts/package/pure/latentbridge-"$version"-py3-none-any.whl dist "${folders[@]}"
else
    say "No wheels: no Python here has pip, setuptools and wheel (Debian: apt install python3-pip python3-setuptools python3-wheel)."
fi
"$python" build/package.py "$version" dist "${programs[@]}"
