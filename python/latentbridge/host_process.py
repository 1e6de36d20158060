"""The host as a child process: started without a shell, heard on its stdout, drained on its stderr, ended in time."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence

from . import host_locator, process_usage, protocol


LONGEST_WORDS = 500
LAST_WORDS_PATIENCE = 0.2


class HostProcess:
    """One started host. ``on_line`` and ``on_end`` are called on the reader thread.

    The host gets its own session (POSIX), so that a Ctrl-C in the UI's terminal does not reach it first; it ends when its
    stdin closes. On Linux it also asks the system to be killed with the thread that started it, even where it is stopped: so
    that thread must be the one that ends it.
    """

    def __init__(
        self,
        command: Sequence[str],
        descriptors: Sequence[int],
        on_line: Callable[[bytes], None],
        on_end: Callable[[], None],
    ) -> None:
        self.last_words: deque[str] = deque(maxlen=20)
        environment = {**host_locator.environment(), "LATENTBRIDGE_END_WITH_PARENT": "1"}
        platform: dict[str, object] = (
            {"creationflags": subprocess.CREATE_NO_WINDOW}
            if sys.platform == "win32"
            else {"start_new_session": True, "pass_fds": tuple(descriptors)}
        )
        try:
            self._process = subprocess.Popen(  # type: ignore[call-overload]
                list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
                env=environment, close_fds=True, **platform,
            )
        except OSError as error:
            raise OSError(host_locator.starting_problem(command[0], error)) from error
        self._on_line, self._on_end = on_line, on_end
        self._readers = [threading.Thread(target=target, name=f"latentbridge-{name}", daemon=True)
                         for name, target in (("reader", self._read), ("stderr", self._drain))]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def write(self, line: bytes) -> None:
        """Writes a whole line; ``OSError`` when the host is gone."""
        while line:
            line = line[os.write(self._process.stdin.fileno(), line):]

    def end(self, seconds: float) -> int | None:
        """Closes stdin, waits at most ``seconds`` for the host, kills it if need be; the exit code, None for a kill."""
        try:
            self._process.stdin.close()
        except OSError:
            pass
        try:
            return self._process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return None
        finally:
            for reader in self._readers:  # what it said last may still be in the pipes
                if reader is not threading.current_thread():
                    reader.join(LAST_WORDS_PATIENCE)

    def kill(self) -> None:
        """Ends the host at once and takes its exit code, so that no zombie stays."""
        try:
            self._process.kill()
            self._process.wait(timeout=5)
        except (OSError, subprocess.TimeoutExpired):
            pass

    def usage(self) -> tuple[float, bool]:
        """Seconds of processor time it has used, and whether it would run now if it were let; (0, False) where the system does not say."""
        return process_usage.of(self._process)

    def forget(self) -> None:
        """In a forked child: lets go of the pipes, so that they close when the parent ends."""
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            try:
                pipe.close()
            except OSError:
                pass
        self._process.returncode = 0

    def _read(self) -> None:
        try:
            with io.BufferedReader(self._process.stdout, 1 << 16) as lines:
                while line := lines.readline(protocol.MAXIMUM_LINE + 1):
                    self._on_line(line)
        except (OSError, ValueError):
            pass  # the pipe was closed under us
        self._on_end()

    def _drain(self) -> None:
        try:
            with io.BufferedReader(self._process.stderr) as lines:
                is_start = True
                while line := lines.readline(LONGEST_WORDS):  # a line without an end comes in pieces, and the first will do
                    if is_start:
                        self.last_words.append(line.decode("utf-8", "replace").rstrip())
                    is_start = line.endswith(b"\n")
        except (OSError, ValueError):
            pass
