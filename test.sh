#!/usr/bin/env bash
# Every test, C# and Python, with one closing line: N passed, N failed, N skipped. Sets up what it needs. Exit code 1 when one failed.
#
# A "leg" is one command. Its results are the TRX and JSON files it leaves in its folder; a leg without any (a format check, a publish) counts
# as one test by its exit code, 77 meaning skipped. build/test_summary.py adds them up.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
. build/setup.sh
require_dotnet apt
require_python install

results=$PWD/artifacts/test-results
rm -rf "$results"
mkdir -p "$results"

# leg NAME COMMAND ...: runs the command with $leg naming its results folder.
leg() {
    local name=$1 started=$SECONDS
    shift
    leg=$results/$name
    mkdir -p "$leg"
    say "--- $name"
    "$@" >"$leg/output.txt" 2>&1 </dev/null
    local code=$?
    echo "$code" >"$leg/exit-code"
    if [ "$code" != 0 ] && [ "$code" != 77 ]; then cat "$leg/output.txt" >&2; fi
    say "    $("$python" build/test_summary.py "$leg") ($((SECONDS - started)) s)"
    return "$code"
}

# Every test program by itself; one that ends before its tests are done has no TRX and counts as one failed test.
run_csharp() {
    local code=0 program
    for program in artifacts/bin/*.Tests/release/*.Tests; do
        timeout 600 "$program" -trx "$leg/$(basename "$program").trx" || code=1
    done
    return $code
}

run_python() { timeout 900 "$python" build/python_tests.py "$leg/python.json"; }

# run_kernels NAME=VALUE: the kernels' own tests with the processor narrowed, straight from the test program, so that only it is narrowed.
run_kernels() {
    timeout 300 env "$1" artifacts/bin/LatentBridge.Tests/release/LatentBridge.Tests -trait Category=Kernels -trx "$leg/kernels.trx"
}

run_format() { timeout 300 dotnet format LatentBridge.sln --verify-no-changes --no-restore --exclude artifacts; }

# A self-contained, trimmed publish must come without a warning, and the program must work. Skipped (77) where the feed has no runtime pack.
run_trimmed_publish() {
    local log
    log=$(timeout 600 build/publish.sh linux-x64 "$leg/publish" 2>&1)
    local code=$?
    echo "$log"
    if echo "$log" | grep -q 'error NU11'; then return 77; fi
    if [ $code != 0 ] || echo "$log" | grep -q 'warning'; then return 1; fi
    timeout 120 build/check_program.sh "$leg/publish/latentbridge"
}

if leg build dotnet build LatentBridge.sln -c Release -nologo --verbosity quiet; then
    leg csharp run_csharp
    leg python run_python
    for width in scalar vector128 vector256 vector512; do
        leg "kernels-$width" run_kernels "LATENTBRIDGE_FORCE_KERNEL=$width"
    done
    for switch in EnableHWIntrinsic EnableAVX2 EnableAVX512; do
        leg "kernels-no-${switch#Enable}" run_kernels "DOTNET_$switch=0"
    done
    leg format run_format
    leg trimmed-publish run_trimmed_publish
fi

exec "$python" build/test_summary.py "$results"/*
