#!/usr/bin/env bash
# The reliability campaign: ./campaign.sh [MINUTES] [--only PART,PART] [--comfyui URL] [--out docs/reliability.md]. See docs/reliability.md.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
. build/setup.sh
require_dotnet apt
require_python install
dotnet build LatentBridge.sln -c Release -nologo --verbosity quiet || exit 1
exec "$python" tests/campaign/campaign.py "$@"
