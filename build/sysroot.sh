#!/usr/bin/env bash
# build/sysroot.sh ARCHITECTURE FOLDER: FOLDER gets the C library and headers of Debian 11 (glibc 2.31) for amd64 or arm64. A program that is linked with them
# (SYSROOT=FOLDER build/publish.sh ...) runs on every Linux since 2020. Needs debootstrap, of Debian or Ubuntu, and root.
set -euo pipefail
architecture=$1 folder=$2
packages=(libc6 libc6-dev libgcc-10-dev libgcc-s1 linux-libc-dev)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

debootstrap --download-only --variant=minbase --arch="$architecture" --include="$(IFS=,; echo "${packages[*]}")" bullseye "$work" >&2
rm -rf "$folder"
mkdir -p "$folder"
for package in "${packages[@]}"; do
    dpkg-deb -x "$work"/var/cache/apt/archives/"${package}"_*_"$architecture".deb "$folder"
done

# Links that name places of the system must stay in the folder.
find "$folder" -type l -lname '/*' | while read -r link; do
    ln -sfn "$(realpath --relative-to="$(dirname "$link")" -m "$folder$(readlink "$link")")" "$link"
done
