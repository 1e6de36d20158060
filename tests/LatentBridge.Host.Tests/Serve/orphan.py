"""A shim that leaves its host alone. Standard library only.

orphan.py PARENT HOST... : starts HOST... with a mapping, says hello as its parent, prints the host's process id, then
  plain   waits to be killed;
  forked  waits too, while a forked child holds the host's stdin open;
  child   is killed while it is not the host's parent itself: a shell stands between them.
"""
import json
import mmap
import os
import struct
import subprocess
import sys
import time

kind, command = sys.argv[1], sys.argv[2:]
descriptor = os.memfd_create("latentbridge-orphan", 0)
slots, stride = 4, 8192
length = 4096 + 2 * slots * stride
os.posix_fallocate(descriptor, 0, length)
memory = mmap.mmap(descriptor, length)
memory[:72] = struct.pack("<8sIIQIIQQQQII", b"LBRIDGE\0", 2, 4096, length, slots, slots, 4096, stride, 4096 + slots * stride, stride, os.getpid(), 1)
if kind == "child":
    # The shell must not be replaced by the host, hence the second command.
    command = ["sh", "-c", '"$@"; exit 0', "sh", *command]
host = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[descriptor], bufsize=0)


def send(**message):
    host.stdin.write((json.dumps({"jsonrpc": "2.0", **message}) + "\n").encode())


send(id=1, method="hello", params={"protocol": 2, "client": "orphan", "process": os.getpid()})
answer = json.loads(host.stdout.readline())
send(id=2, method="attach", params={"mapping": {"kind": "fd", "fd": descriptor}, "length": length, "generation": 1})
assert b'"generation":1' in host.stdout.readline()
holder = 0
if kind in ("forked", "child"):
    holder = os.fork()
    if holder == 0:
        time.sleep(60)
        os._exit(0)
print(answer["result"]["process"], holder, flush=True)
time.sleep(60)
