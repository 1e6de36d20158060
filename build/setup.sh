# Sourced by run.sh, test.sh and package.sh: finds what they need, or says precisely what to install.

export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1

say() { printf '%s\n' "$*" >&2; }

# Installs Debian or Ubuntu packages when this is root's machine to change; false when that is not possible.
apt_install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    local quietly="timeout 300 env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0"
    $quietly install -y "$@" >/dev/null 2>&1 </dev/null && return
    $quietly update >/dev/null 2>&1 </dev/null
    $quietly install -y "$@" >/dev/null 2>&1 </dev/null
}

has_dotnet() { command -v dotnet >/dev/null && dotnet --list-sdks 2>/dev/null | grep -q '^10\.'; }

# require_dotnet [install]: the .NET 10 SDK is there (installed by apt when asked for and possible), or the script ends.
require_dotnet() {
    has_dotnet && return
    if [ "${1:-}" = install ]; then
        say "The .NET 10 SDK is missing; trying apt (package dotnet-sdk-10.0) ..."
        apt_install dotnet-sdk-10.0 && has_dotnet && return
    fi
    say "LatentBridge is built with the .NET 10 SDK, which was not found on PATH (found: $(command -v dotnet || echo 'no dotnet'))."
    say "  Ubuntu:           sudo apt install dotnet-sdk-10.0"
    say "  other systems:    https://dotnet.microsoft.com/download/dotnet/10.0  (SDK, any 10.0.x)"
    exit 1
}

has_python() { [ -n "$1" ] && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; }
has_imaging() { has_python "$1" && "$1" -c 'import numpy, PIL' 2>/dev/null; }

# choose_python: sets $python to a Python 3.10 or newer, one that has numpy and Pillow where there is a choice.
choose_python() {
    local candidate
    python=
    for candidate in "${LATENTBRIDGE_PYTHON:-}" "$(command -v python3)" /usr/bin/python3; do
        if has_imaging "$candidate"; then python=$candidate; return; fi
        if [ -z "$python" ] && has_python "$candidate"; then python=$candidate; fi
    done
    [ -n "$python" ]
}

# require_python [install]: as choose_python, or the script ends. `install` also tries for numpy and Pillow, which more tests use.
require_python() {
    choose_python
    if [ "${1:-}" = install ] && ! has_imaging "$python"; then
        apt_install python3 && apt_install python3-numpy python3-pil
        choose_python
    fi
    if [ -z "$python" ]; then
        say "Python 3.10 or newer was not found on PATH (found: $(python3 --version 2>&1 || echo 'no python3'))."
        say "  Debian, Ubuntu:   sudo apt install python3"
        say "  other systems:    https://www.python.org/downloads/"
        exit 1
    fi
    export LATENTBRIDGE_PYTHON=$python
}

# wheel_builder: prints a Python that can build wheels without a package index.
wheel_builder() {
    local candidate
    for candidate in "$python" "$(command -v python3)" /usr/bin/python3; do
        if "$candidate" -W ignore -c 'import pip, setuptools, wheel' 2>/dev/null; then echo "$candidate"; return; fi
    done
    return 1
}
