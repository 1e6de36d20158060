#!/usr/bin/env bash
# ./run.sh                  builds when needed and runs the demo: example latents through the real bridge, pictures into out/demo/
# ./run.sh COMMAND ...      the command line: decode, inspect, models, bench, doctor, serve; see ./run.sh --help
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
host="$root/artifacts/bin/LatentBridge.Host/release/LatentBridge.Host"
stamp="$root/artifacts/run.stamp" # as old as the start of the last good build

is_built() {
    [ -x "$host" ] && [ -f "$stamp" ] && [ -z "$(cd "$root" && find src models/formats models/manifest.json python/version.txt \
        Directory.Build.props Directory.Packages.props global.json -newer "$stamp" -print -quit 2>&1)" ]
}

build() {
    . "$root/build/setup.sh"
    require_dotnet
    mkdir -p "$root/artifacts"
    touch "$stamp.new"
    say "Building (once) ..."
    if ! log=$(dotnet build "$root/src/LatentBridge.Host" -c Release --verbosity quiet -nologo </dev/null 2>&1); then
        say "$log"
        say "The build failed; the lines above say why."
        exit 1
    fi
    mv -f "$stamp.new" "$stamp"
}

if ! is_built; then
    if command -v flock >/dev/null; then
        mkdir -p "$root/artifacts"
        { flock 9; is_built || build; } 9>"$root/artifacts/run.lock"
    else
        build
    fi
fi

# The program looks for .NET at the system's places and in DOTNET_ROOT; one that is only on PATH, or in the clone, is named to it.
[ ! -d "$root/.dotnet" ] || PATH="$PATH:$root/.dotnet"
if [ -z "${DOTNET_ROOT:-}" ] && dotnet=$(command -v dotnet) && dotnet=$(dirname "$(readlink -f "$dotnet")") \
    && compgen -G "$dotnet/shared/Microsoft.NETCore.App/10.*" >/dev/null; then
    export DOTNET_ROOT="$dotnet"
fi

# .NET's diagnostics would leave their pipes in the temporary folder when the program is killed.
export DOTNET_EnableDiagnostics="${DOTNET_EnableDiagnostics:-0}"

[ $# -gt 0 ] || set -- demo
exec "$host" "$@"
