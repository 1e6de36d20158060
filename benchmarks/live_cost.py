"""What the live view's clients cost the process that serves them: processor time, memory, and whether each gets what it can take.

    python benchmarks/live_cost.py [--seconds 20] [--rate 10] [--bytes 40000]

Pictures come at a rate, as previews do, to the server for scripts. Clients run in another process. They read /stream; half of the many read nothing
after their request.
"""

import argparse
import multiprocessing
import socket
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))
from latentbridge.live import serve  # noqa: E402
from latentbridge.preview import Preview  # noqa: E402


def resident():
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * 4096 / 1e6


def watch(port, request, readers, stalled, seconds, results):
    """The clients: how many whole pictures each reader got."""
    counts = [0] * readers
    sockets = []
    for number in range(readers + stalled):
        client = socket.create_connection(("127.0.0.1", port), 20)
        if number >= readers:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(request)
        sockets.append(client)

    def read(number):
        film = sockets[number].makefile("rb")
        while line := film.readline():
            if line.startswith(b"Content-Length"):
                film.readline()
                film.read(int(line.split(b":")[1]))
                counts[number] += 1

    for number in range(readers):
        threading.Thread(target=read, args=(number,), daemon=True).start()
    time.sleep(seconds)
    results.put(counts)


def measure(readers, stalled, arguments):
    view = serve()
    with view:
        request = f"GET {view.url_of('/stream').partition(str(view.port))[2]} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        results = multiprocessing.Queue()
        clients = multiprocessing.Process(target=watch, args=(view.port, request, readers, stalled, arguments.seconds + 4, results), daemon=True)
        if readers + stalled:
            clients.start()
            while view.board.clients < readers + stalled:
                time.sleep(0.01)
        data, computing, before = bytes(arguments.bytes), time.process_time(), resident()
        shown = int(arguments.seconds * arguments.rate)
        for step in range(shown):
            view.board.arrived(Preview(
                run=1, stream=0, step=step, total=shown, width=512, height=512, encoding="jpeg", decoder="tiny", milliseconds=5.0, sequence=step + 1, data=data))
            time.sleep(1 / arguments.rate)
        computing = time.process_time() - computing
        after = resident()
        counts = results.get() if readers + stalled else []
    got = f"{min(counts[:readers])} to {max(counts[:readers])} of {shown}" if readers else ""
    print(f"| {readers} | {stalled} | {100 * computing / arguments.seconds:.2f} % | {got} | {after - before:+.1f} MB |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rate", type=float, default=10)
    parser.add_argument("--bytes", type=int, default=40_000)
    arguments = parser.parse_args()
    print("| clients that read | that stall | processor time | pictures each got | resident memory |\n| ---: | ---: | ---: | ---: | ---: |")
    for readers, stalled in ((0, 0), (1, 0), (25, 25)):
        measure(readers, stalled, arguments)


if __name__ == "__main__":
    main()
