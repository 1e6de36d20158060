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

# What to type on this very system for the .NET 10 SDK.
dotnet_advice() {
    local system='' like=''
    [ "$(uname -s)" != Darwin ] || system=macos
    [ -n "$system" ] || [ ! -r /etc/os-release ] || read -r system like < <(. /etc/os-release && echo "${ID:-} ${ID_LIKE:-}")
    case " $system $like " in
        *" macos "*) echo "brew install --cask dotnet-sdk" ;;
        *" ubuntu "*) echo "sudo apt install dotnet-sdk-10.0" ;;
        *" fedora "* | *" rhel "*) echo "sudo dnf install dotnet-sdk-10.0" ;;
        *" arch "*) echo "sudo pacman -S dotnet-sdk" ;;
        *" alpine "*) echo "apk add dotnet10-sdk" ;;
        *) echo "see https://learn.microsoft.com/dotnet/core/install/linux" ;;
    esac
}

# Microsoft's installer, into .dotnet of the clone: nothing else of the machine changes. False when there is no network, or it fails.
install_dotnet() {
    local source=https://dot.net/v1/dotnet-install.sh script
    say "The .NET 10 SDK is missing. Getting it with $source into $dotnet_folder (about 800 MB; delete the folder to undo) ..."
    script=$(mktemp)
    if { curl -fsSL --max-time 60 -o "$script" "$source" || wget -q -T 60 -O "$script" "$source"; } 2>/dev/null \
        && timeout 1200 bash "$script" --jsonfile "${dotnet_folder%/.dotnet}/global.json" --install-dir "$dotnet_folder" --no-path >&2 </dev/null; then
        rm -f "$script"
        has_dotnet
    else
        rm -f "$script"
        say "That did not work; the lines above say why, if there are any. Without them: no network, or neither curl nor wget."
        return 1
    fi
}

# require_dotnet [apt]: the .NET 10 SDK is there, or the script ends. It is installed where it can be: by apt when asked for, else into the clone.
dotnet_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/.dotnet
require_dotnet() {
    has_dotnet && return
    export PATH="$dotnet_folder:$PATH"
    has_dotnet && return
    if [ "${1:-}" = apt ]; then
        say "The .NET 10 SDK is missing; trying apt (package dotnet-sdk-10.0) ..."
        apt_install dotnet-sdk-10.0 && has_dotnet && return
    fi
    install_dotnet && return
    say "LatentBridge is built with the .NET 10 SDK, which was not found on PATH (found: $(command -v dotnet || echo 'no dotnet'))."
    say "  on this system:   $(dotnet_advice)"
    say "  any system:       https://dotnet.microsoft.com/download/dotnet/10.0  (SDK, any 10.0.x)"
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
        if "$candidate" -W ignore -c 'import setuptools, pip, wheel' 2>/dev/null; then echo "$candidate"; return; fi
    done
    return 1
}
