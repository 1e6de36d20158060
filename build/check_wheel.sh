#!/usr/bin/env bash
# build/check_wheel.sh: installs the wheel of dist/ as a user would, into a new environment without an index, and makes pictures with it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. build/setup.sh
require_python
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$python" -m venv "$folder/venv"
for inside in bin/python Scripts/python.exe; do
    [ ! -e "$folder/venv/$inside" ] || inside_python=$folder/venv/$inside
done
"$inside_python" -m pip install -q --no-index --find-links dist latentbridge
cd "$folder"
"$inside_python" -m latentbridge doctor
"$inside_python" -m latentbridge demo
