"""Runs a command again and again for `latentbridge bench engine`, and says what processor time it took.

python processor_time.py PROGRAM ARGUMENT...

Answers each line on stdin with the milliseconds of processor time of one run, the system's included. PROGRAM "python" is this Python, with a script of this
folder as its first argument; the script's first line of output is then who it is. Ends with 3 where the system counts no such time.
"""

import json
import subprocess
import sys
from pathlib import Path

try:
    import resource
except ImportError:
    sys.exit(3)


def spent():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (usage.ru_utime + usage.ru_stime)


def main(program, *arguments):
    command = [program, *arguments]
    if program == "python":
        command = [sys.executable, str(Path(__file__).with_name(arguments[0])), *arguments[1:]]
    first = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    if first.returncode:
        sys.exit(3)
    print(json.dumps({"name": first.stdout.partition("\n")[0]}), flush=True)
    for _ in sys.stdin:
        before = spent()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        print(spent() - before, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
