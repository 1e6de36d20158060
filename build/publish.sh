#!/usr/bin/env bash
# build/publish.sh RUNTIME FOLDER: the one program, which needs no .NET, as FOLDER/latentbridge[.exe]. A warning of the trimmer or the compiler is an error.
# For Linux on x64 and arm64 it is compiled ahead of time (NativeAOT), on x64 three times (src/LatentBridge.Host/FasterBuild.cs); for the other processor than this
# machine's that takes clang, lld and llvm-objcopy. For other systems, which cannot be compiled ahead from here, the runtime is in the file.
# SYSROOT names a folder with an older system's libraries and headers to link with, so that the program runs there too. Without it, build/sysroot.sh makes one
# where it can.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
runtime=$1 folder=$2

# publish FOLDER PROPERTY ...
publish() {
    dotnet publish src/LatentBridge.Host -c Release -r "$runtime" -o "$@" -p:IncludeSourceRevisionInInformationalVersion=true -nologo --verbosity quiet </dev/null
}

ahead() {
    publish "$1" -p:LatentBridgeAhead=true ${2:+-p:IlcInstructionSet="$2"} ${SYSROOT:+-p:SysRoot="$SYSROOT"} -p:CppCompilerAndLinker="$compiler" "${@:3}"
    mv -f "$1/LatentBridge.Host" "$1/latentbridge"
}

compiler=$(command -v clang >/dev/null && echo clang || echo gcc)
sysroot_of() {
    if [ -z "${SYSROOT:-}" ] && command -v debootstrap >/dev/null && [ "$(id -u)" = 0 ]; then
        SYSROOT=$PWD/artifacts/sysroot/$1
        [ -d "$SYSROOT" ] || build/sysroot.sh "$1" "$SYSROOT"
    fi
}

case $runtime-$(uname -s)-$(uname -m) in
    linux-x64-Linux-x86_64)
        sysroot_of amd64
        for level in v3 v4; do
            ahead "$folder/$level" "x86-64-$level"
            mv -f "$folder/$level/latentbridge" "$folder/latentbridge-$level"
            rm -rf "${folder:?}/$level"
        done
        ahead "$folder" x86-64-v2
        ;;
    linux-arm64-Linux-*)
        sysroot_of arm64
        if [ "$(uname -m)" = x86_64 ]; then
            ahead "$folder" "" -p:LinkerFlavor=lld -p:ObjCopyName=llvm-objcopy
        else
            ahead "$folder" ""
        fi
        ;;
    win-*)
        publish "$folder" --self-contained -p:LatentBridgeSingleFile=true
        mv -f "$folder/LatentBridge.Host.exe" "$folder/latentbridge.exe"
        ;;
    *)
        publish "$folder" --self-contained -p:LatentBridgeSingleFile=true
        mv -f "$folder/LatentBridge.Host" "$folder/latentbridge"
        ;;
esac
case $runtime in linux-musl-*) rm -f "$folder"/libonnxruntime*.so ;; esac # NuGet has it for glibc only
rm -f "$folder"/*.pdb "$folder"/*.dbg "$folder"/*.lib
