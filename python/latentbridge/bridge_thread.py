"""The bridge thread: it alone starts and ends hosts, sends what waits, and decides between trying again and giving up.

Other threads hand it actions through a queue (``post``), so nothing it owns needs a lock. What they may read: ``mapping``
(None while there is nothing to write to) and ``off`` (why nothing is taken any more).
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

from . import host_locator, inprocess, protocol
from ._version import VERSION
from .connection import HOST_ENDED, Answer, Connection, Listener
from .protocol import LatentHeader
from .shared_memory import Mapping, SharedMemoryError
from .streams import Frame, Stream, options_for_host

log = logging.getLogger("latentbridge")

MINIMUM_LATENT_CAPACITY = 1 << 20
MINIMUM_IMAGE_CAPACITY = 4 << 20
MAXIMUM_GUESSED_IMAGE = 16 << 20
MAXIMUM_IMAGE_CAPACITY = 1 << 30
DEVICE_POLL = 0.001
BACK_OFF_LIMIT = 30.0
HOST_MODES = ("auto", "process", "pythonnet")


@dataclass
class HostSettings:
    """How hosts are started and watched; ``Bridge`` documents each."""

    host: str | os.PathLike[str] | Sequence[str] | None = None
    models: list[str] = field(default_factory=list)
    data: str | None = None
    patience: float = 5.0
    start_patience: float = 20.0
    attempts: int = 5
    back_off: float = 0.5


class BridgeThread:
    """One bridge's thread and its host. ``say`` logs a sentence once, ``refuse`` is the bridge's seam for exceptions,
    ``listener`` hears of pictures on the reader thread, ``changed`` is called when ``mapping`` came or ``off`` was set."""

    def __init__(
        self,
        settings: HostSettings,
        options: dict[str, Any],
        streams: dict[int, Stream],
        *,
        listener: Listener,
        changed: Callable[[], None],
        say: Callable[[str], None],
        refuse: Callable[[Exception], None],
    ) -> None:
        self.settings, self.options, self.streams = settings, options, streams
        self._listener, self._changed, self._say, self._refuse = listener, changed, say, refuse
        self.off: str | None = None
        self.mapping: Mapping | None = None
        self.connection: Connection | None = None
        self.latent_limit = protocol.MAXIMUM_NUMBER
        self.latent_capacity = MINIMUM_LATENT_CAPACITY
        self.image_capacity = MINIMUM_IMAGE_CAPACITY
        self.failures = 0
        self.submitted_at: dict[int, int] = {}
        self.spare: deque[bytearray] = deque(maxlen=4)
        self.counts = dict.fromkeys(("submitted", "shown", "replaced", "dropped", "stale", "hosts"), 0)
        self._decodes: deque[tuple[Frame, dict[str, Any], SimpleQueue[Any], Answer]] = deque()
        self._lessons: deque[tuple[Frame, dict[str, Any], Answer]] = deque(maxlen=4)
        self._greeted = False
        self._refused_in_process: str | None = None
        self._begun: dict[int, dict[str, Any]] = {}
        self._not_before = 0.0
        self._wanted = False
        self._actions: SimpleQueue[tuple[Any, ...]] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._guard = threading.Lock()

    # --- for all threads ---------------------------------------------------------------------------------------------

    def post(self, *action: Any) -> None:
        """Hands an action to the bridge thread, which is started with the first."""
        if self.off is not None:
            return
        self._actions.put(action)
        if self._thread is None:
            with self._guard:
                if self._thread is None:
                    thread = threading.Thread(target=self._work, name="latentbridge", daemon=True)
                    thread.start()
                    self._thread = thread

    def close(self, reason: str, timeout: float) -> None:
        """Turns the bridge off and ends the host: politely for half of ``timeout`` seconds, then at once."""
        self._turn_off(reason)
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            self._actions.put((self._disconnect, timeout / 2))
            thread.join(timeout)
            if (connection := self.connection) is not None:
                connection.kill()
                thread.join(timeout)

    def forget(self) -> None:
        """In a forked child there are no threads, and the host is the parent's: everything stays off."""
        self.off = self.off or "the process was forked; make a new Bridge in the child"
        self.mapping = None
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.forget()

    # --- actions: the bridge thread runs them ------------------------------------------------------------------------

    def want(self) -> None:
        """There is something to send, or soon will be: a host is needed."""
        self._wanted = True

    def decode(self, frame: Frame, params: dict[str, Any], answer: SimpleQueue[Any], answered: Answer) -> None:
        """A frame to decode; ``answered`` is called with the host's answer, ``answer`` gets the reason when there will be none."""
        self._wanted = True
        self._decodes.append((frame, params, answer, answered))
        if self.off is not None:
            answer.put(self.off)

    def teach(self, frame: Frame, params: dict[str, Any], answered: Answer) -> None:
        """A pair to learn from. A host that is not there is not started for it."""
        if self.connection is not None:
            self._lessons.append((frame, params, answered))

    def send_begin(self, state: Stream) -> None:
        """Tells the host of a stream's run, unless it knows."""
        self._wanted = True
        begin, connection = state.begin, self.connection
        if connection is not None and self._greeted and state.live and self._begun.get(state.number) is not begin:
            self._begun[state.number] = begin
            connection.send(protocol.notification("begin", **connection.supported(begin)))

    def send_leave(self, method: str, state: Stream, run: int) -> None:
        """Tells the host of a run's ``end`` or ``cancel``, if it knew the run."""
        connection = self.connection
        if connection is not None and self._begun.get(state.number, {}).get("run") == run:
            connection.send(protocol.notification(method, stream=state.number, run=run))

    def submit(self, mapping: Mapping, slot: int, fields: tuple[Any, ...], started: int) -> None:
        """Rings for a slot that a sampler's thread has filled; ``fields`` are its header's."""
        header = LatentHeader(*fields)
        connection, state = self.connection, self.streams[header.stream]
        if connection is None or not connection.owns(mapping):
            self.counts["dropped"] += 1
        elif not state.shows(header.run):
            mapping.free.append(slot)
            self.counts["stale"] += 1
        elif header.sequence < state.sent:  # a newer one that waited in private memory found a slot first
            mapping.free.append(slot)
            self.counts["replaced"] += 1
        else:
            self.send_begin(state)  # its own action may still stand behind this one
            mapping.write_header(slot, header)
            state.sent = header.sequence
            self.submitted_at[header.sequence] = started
            connection.submit(slot, header.sequence)

    def configure(self) -> None:
        if (connection := self.connection) is not None and self._greeted:
            connection.ask("configure", self._configured, **connection.supported(options_for_host(self.options)))

    def ask_status(self, answer: SimpleQueue[Any]) -> None:
        connection = self.connection
        if connection is None:
            answer.put(None)
        else:
            connection.ask("status", lambda result, error: answer.put(result))

    def grow_images(self, needed: int) -> None:
        """A picture of ``needed`` bytes found no room: the next one shall."""
        if (connection := self.connection) is not None and self.image_capacity < needed <= MAXIMUM_IMAGE_CAPACITY:
            self.image_capacity = needed
            connection.grow(self.latent_capacity, needed)

    # --- the loop ----------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        pause: float | None = None
        while self.off is None or not self._actions.empty():
            try:
                try:
                    action, *arguments = self._next_action(pause)
                except Empty:
                    pass
                else:
                    action(*arguments)
                pause = self._advance()
            except Exception as error:
                pause = 1.0
                try:
                    self._refuse(error)
                except Exception:
                    log.exception("LatentBridge: the bridge thread met an error")
        self._disconnect(0)

    def _next_action(self, pause: float | None) -> tuple[Any, ...]:
        """The next action, waited for at most ``pause`` seconds (None: without end); ``Empty`` when there is none."""
        try:
            return self._actions.get_nowait()
        except Empty:
            if pause == 0:
                raise
            # CPython 3.10 waits for ever when the time is over before it begins to wait; after the line above it begins at once.
            return self._actions.get(timeout=pause)

    def _advance(self) -> float | None:
        """Brings everything forward that can be; the seconds until that is worth another try."""
        connection = self.connection
        if connection is None:
            if not self._wanted or self.off is not None:
                return None
            left = self._not_before - time.monotonic()
            if left > 0:
                return left
            self._connect()
            return 0.0
        mapping = self.mapping
        polling = mapping is not None and mapping is connection.mapping and self._send_waiting(connection, mapping)
        try:
            pause = connection.tick()
        except SharedMemoryError as error:
            self.latent_limit = self.latent_capacity = connection.capacity
            self._say(f"{error}; latents of more than {connection.capacity} bytes get no preview")
            pause = None
        if connection.refusal is not None:
            self._give_up(connection.refusal)
        elif connection.failure is not None:
            self._fail(connection.failure, connection)
            return 0.0
        elif self.mapping is not connection.mapping:
            self._show_mapping(connection)
            return 0.0
        return DEVICE_POLL if polling else pause

    def _show_mapping(self, connection: Connection) -> None:
        """Shows the samplers a new mapping, or that there is none; a new host hears of options and runs first."""
        if not self._greeted:
            self._greeted = True
            if self.options:
                connection.ask("configure", self._configured, **connection.supported(options_for_host(self.options)))
            for state in tuple(self.streams.values()):
                self.send_begin(state)
        self.mapping = connection.mapping
        self._changed()

    def _connect(self) -> None:
        command = self._command()
        if command is None:
            return
        hello = {"client": f"latentbridge-python {VERSION}", **({"models": self.settings.models} if self.settings.models else {}),
                 **({"data": self.settings.data} if self.settings.data else {})}
        for state in tuple(self.streams.values()):
            for frame in tuple(state.waiting):
                self._measure(frame)
        geometry = protocol.Geometry.of(self.latent_capacity, self.image_capacity)
        self._greeted = False
        self._begun.clear()
        self.counts["hosts"] += 1
        try:
            patience = (self.settings.start_patience, self.settings.patience)
            self.connection = Connection(command, geometry, hello, self.post, self._listener, patience)
        except inprocess.InProcessError as error:
            self._refused_in_process = str(error)  # known for good: the next try takes another way
        except Exception as error:
            self._fail(str(error) or repr(error), None)
            if not isinstance(error, OSError):
                raise  # a fault of ours: it is said, and the next try waits all the same

    def _command(self) -> list[str] | None:
        host = self.settings.host
        if host is not None and host not in HOST_MODES:
            return [os.fspath(host), "serve"] if isinstance(host, (str, os.PathLike)) else list(host)
        if host == "pythonnet":
            if (problem := self._problem_in_process()) is None:
                return list(inprocess.COMMAND)
            self._say(f"{problem}; previews go on in a process of their own, if there is one")
        command = host_locator.find()
        if command is not None:
            return [*command, "serve"]
        reason = "no host was found; " + host_locator.ADVICE
        if host in (None, "auto") and not os.environ.get("LATENTBRIDGE_HOST"):
            if (problem := self._problem_in_process()) is None:
                return list(inprocess.COMMAND)
            reason += f". In this process neither: {problem}"
        self._give_up(reason)
        return None

    def _problem_in_process(self) -> str | None:
        return self._refused_in_process or inprocess.problem()

    def _disconnect(self, seconds: float) -> int | None:
        """Ends the host, if there is one."""
        connection, self.connection, self.mapping = self.connection, None, None
        return connection.end(seconds) if connection is not None else None

    def _fail(self, reason: str, connection: Connection | None) -> None:
        """The host failed: it is ended; another one is started after a pause, or never again after too many."""
        words = connection.last_words if connection else []
        code = self._disconnect(0.2 if reason == "it ended" else 0)
        if code == 3:
            self._give_up(words[-1] if words else "host and shim are of different versions; install the same release of both")
            return
        self.failures += 1
        self.submitted_at.clear()
        detail = f"{reason}, exit code {code}" if code is not None else reason
        if words:
            detail += f"; its last words: {words[-1]}"
        if self.failures >= self.settings.attempts:
            self._give_up(f"the host failed {self.failures} times in a row ({detail}); "
                          "`python -m latentbridge doctor` shows more")
            return
        self._not_before = time.monotonic() + min(self.settings.back_off * 2 ** (self.failures - 1), BACK_OFF_LIMIT)
        self._wanted = any(state.waiting or state.held for state in self.streams.values()) or bool(self._decodes)
        log.info("LatentBridge: the host failed (%s); starting another", detail)

    def _give_up(self, reason: str) -> None:
        log.warning("LatentBridge: previews are off: %s", reason)
        self._turn_off(reason)
        self._disconnect(0)

    def _turn_off(self, reason: str) -> None:
        self.off = self.off or reason
        self.mapping = None
        for state in tuple(self.streams.values()):
            state.waiting.clear()
            state.held = None
        self._lessons.clear()
        for _, _, answer, _ in tuple(self._decodes):
            answer.put(self.off)
        self._changed()

    def _configured(self, _: Any, error: dict[str, Any] | None) -> None:
        if error is not None and error.get("code") != HOST_ENDED:
            self._say(f"the host refused the options: {error.get('message')}")

    def _send_waiting(self, connection: Connection, mapping: Mapping) -> bool:
        """Moves what waits in private memory into free slots; True while a device is still writing some of it."""
        while self._decodes:
            frame, params, _, answered = self._decodes[0]
            slot = self._copy(connection, mapping, frame)
            if slot is None:
                break
            self._decodes.popleft()
            mapping.write_header(slot, frame.header)
            self.submitted_at[frame.header.sequence] = frame.started
            connection.decode(slot, frame.header.sequence, answered, **connection.supported(params))
        while self._lessons:
            frame, params, answered = self._lessons[0]
            slot = self._copy(connection, mapping, frame)
            if slot is None:
                break
            self._lessons.popleft()
            mapping.write_header(slot, frame.header)
            connection.teach(slot, frame.header.sequence, answered, **params)
        polling = False
        for state in tuple(self.streams.values()):
            frame = self._next(state)
            if frame is None:
                continue
            if not frame.source.ready():
                state.held, polling = frame, True
                continue
            slot = self._copy(connection, mapping, frame)
            if slot is None:
                state.held = frame
                continue
            if frame.buffer is not None:
                self.spare.append(frame.buffer)
            self.submit(mapping, slot, frame.header, frame.started)
        return polling

    def _next(self, state: Stream) -> Frame | None:
        """The frame of a stream to send next. One that a device still writes is seen through, or a fast sampler's frames
        would replace one another for ever; any other gives way to a newer one."""
        frame, state.held = state.held, None
        if frame is None or frame.source.ready():
            try:
                newer = state.waiting.popleft()
            except IndexError:
                pass
            else:
                self.counts["replaced"] += frame is not None
                frame = newer
        if frame is None or (state.shows(frame.header.run) and frame.header.sequence > state.sent
                             and frame.header.length <= self.latent_limit):
            return frame
        self.counts["stale"] += 1
        return None

    def _copy(self, connection: Connection, mapping: Mapping, frame: Frame) -> int | None:
        """Copies a frame into a free slot; None when there is none, or none big enough (then the mapping grows)."""
        if frame.header.length > mapping.latent_capacity:
            self._measure(frame)
            connection.grow(self.latent_capacity, self.image_capacity)
            return None
        try:
            slot = mapping.free.popleft()
        except IndexError:
            return None
        frame.copy_into(*mapping.payloads[slot])
        return slot

    def _measure(self, frame: Frame) -> None:
        """Makes the next geometry big enough for a frame and, by a guess of 8 x 8 pixels of 3 bytes a cell, its picture."""
        axes = frame.header.axes
        picture = axes[0] * axes[-1] * axes[-2] * 8 * 8 * 3 if len(axes) > 3 else 0
        self.latent_capacity = max(self.latent_capacity, frame.header.length)
        self.image_capacity = max(self.image_capacity, min(picture, MAXIMUM_GUESSED_IMAGE))
