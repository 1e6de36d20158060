#!/usr/bin/env bash
# ./package.sh [RUNTIME ...]: dist/ gets all that a release has: a wheel and an archive for each runtime, the pure wheel, the node pack for ComfyUI's
# registry, the packages for NuGet, and SHA256SUMS. The programs in wheels and archives need no .NET.
# Without a RUNTIME: all those that can be made on this machine. On Windows it runs in Git's Bash.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. build/setup.sh
require_dotnet
require_python

can_link() { command -v "$1" >/dev/null && command -v ld.lld >/dev/null && command -v llvm-objcopy >/dev/null; }
case ${1:-}-$(uname -s)-$(uname -m) in
    -Linux-x86_64) set -- linux-x64 $(can_link clang && echo linux-arm64) linux-musl-x64 win-x64 osx-arm64 osx-x64 ;;
    -Linux-*) set -- linux-arm64 ;;
    -Darwin-*) set -- osx-arm64 osx-x64 ;;
    -*) set -- win-x64 ;;
esac

version=$(tr -d '[:space:]' <python/version.txt)
programs=() folders=()
rm -rf dist artifacts/package/pure
for runtime; do
    say "Publishing for $runtime ..."
    folder=artifacts/package/$runtime
    rm -rf "$folder"
    folders+=("$runtime=$folder")
    build/publish.sh "$runtime" "$folder"
    case $runtime in win-*) programs+=("$runtime=$folder/latentbridge.exe") ;; *) programs+=("$runtime=$folder/latentbridge") ;; esac
done

say "Publishing the assembly for pythonnet ..."
rm -rf artifacts/package/inprocess
dotnet publish src/LatentBridge.InProcess -c Release -o artifacts/package/inprocess -nologo --verbosity quiet </dev/null

if builder=$(wheel_builder) || { apt_install python3-pip python3-setuptools python3-wheel && builder=$(wheel_builder); }; then
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

say "Packing for NuGet ..."
for project in LatentBridge LatentBridge.Onnx LatentBridge.ImageSharp; do
    dotnet pack src/$project -c Release -o dist -nologo --verbosity quiet </dev/null
done
# Elsewhere than by default, where the shim would find it and take it for this clone's newest build.
dotnet pack src/LatentBridge.Host -c Release -o dist -p:PublishDir="$PWD/artifacts/package/tool/" -nologo --verbosity quiet </dev/null
"$python" build/package.py "$version" dist "${programs[@]}"
