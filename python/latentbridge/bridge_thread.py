"""The bridge thread: it alone starts and ends hosts, sends what waits, and starts another host when one fails.

Other threads hand it actions through a queue (``post``), so nothing it owns needs a lock. What they may read: ``mapping``
(None while there is nothing to write to), ``off`` (closed or forked: nothing is taken any more) and ``down`` (why there is no
host now; each new run tries again).
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

from . import host_locator, inprocess, protocol, tensors
from ._version import VERSION
from .connection import HOST_ENDED, Answer, Connection, Listener
from .protocol import LatentHeader
from .restarts import Restarts
from .shared_memory import Mapping, SharedMemoryError
from .streams import Frame, Stream, options_for_host

log = logging.getLogger("latentbridge")

MINIMUM_LATENT_CAPACITY = 1 << 20
MINIMUM_IMAGE_CAPACITY = 4 << 20
MAXIMUM_GUESSED_IMAGE = 16 << 20
MAXIMUM_IMAGE_CAPACITY = 1 << 30
DEVICE_POLL = 0.001
MOST_HOSTS = 3
"""That get a latent again, after the one that was given it first."""
HOST_MODES = ("auto", "process", "pythonnet")


@dataclass
class HostSettings:
    """How hosts are started and watched; ``Bridge`` documents each."""

    host: str | os.PathLike[str] | Sequence[str] | None = None
    models: list[str] = field(default_factory=list)
    data: str | None = None
    largest: int = tensors.LARGEST
    patience: float = 5.0
    start_patience: float = 20.0
    attempts: int = 5
    back_off: float = 0.5


class BridgeThread:
    """One bridge's thread and its host. ``say`` logs a sentence once, ``refuse`` is the bridge's seam for exceptions,
    ``listener`` hears of pictures on the reader thread, ``changed`` is called when ``mapping``, ``off`` or ``down`` was set, ``watcher``
    sees each latent of a run before the host does."""

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
        watcher: Callable[[LatentHeader, memoryview], None] | None = None,
    ) -> None:
        self.settings, self.options, self.streams = settings, options, streams
        self._listener, self._changed, self._say, self._refuse, self._watcher = listener, changed, say, refuse, watcher
        self.off: str | None = None
        self.down: str | None = None
        self.mapping: Mapping | None = None
        self.connection: Connection | None = None
        self.restarts = Restarts(settings.back_off, settings.attempts)
        self.latent_limit = settings.largest
        self.latent_capacity = MINIMUM_LATENT_CAPACITY
        self.image_capacity = MINIMUM_IMAGE_CAPACITY
        self.in_flight: dict[int, tuple[int, LatentHeader]] = {}  # by sequence: when it was submitted, and its header
        self.spare: deque[bytearray] = deque(maxlen=4)
        self.counts = dict.fromkeys(("submitted", "shown", "replaced", "dropped", "stale", "hosts"), 0)
        self._decodes: deque[tuple[Frame, dict[str, Any], SimpleQueue[Any], Answer]] = deque()
        self._copies: deque[tuple[dict[str, Any], SimpleQueue[Any], Answer]] = deque()
        self._lessons: deque[tuple[Frame, dict[str, Any], Answer]] = deque(maxlen=4)
        self._greeted = False
        self._refused_in_process: str | None = None
        self._begun: dict[int, dict[str, Any]] = {}
        self._not_before = 0.0
        self._wanted = False
        self._is_down_said = False
        self._is_difference_said = False
        self._actions: SimpleQueue[tuple[Any, ...]] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._guard = threading.Lock()

    # --- for all threads ---------------------------------------------------------------------------------------------

    def try_again(self, *action: Any) -> None:
        """Posts an action that tries a host at once; until that has failed, previews count as possible."""
        self.down = None
        self.post(*action)

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

    def retry(self) -> None:
        """A new run, or somebody who waits: a host is tried now, even where the pause is not over."""
        self._wanted = True
        if self.restarts.is_down:
            self._not_before = 0.0

    def begin_run(self, state: Stream) -> None:
        """A new run of a stream."""
        self.retry()
        self.send_begin(state)

    def decode(self, frame: Frame, params: dict[str, Any], answer: SimpleQueue[Any], answered: Answer) -> None:
        """A frame to decode; ``answered`` is called with the host's answer, ``answer`` gets the reason when there will be none."""
        self.retry()
        self._decodes.append((frame, params, answer, answered))
        if self.off is not None:
            answer.put(self.off)

    def encode(self, params: dict[str, Any], answer: SimpleQueue[Any], answered: Answer) -> None:
        """A picture to encode once more; no host is started for it, because a new one has none."""
        if self.connection is not None and self.off is None:
            self._copies.append((params, answer, answered))
        else:
            answer.put(self.off or self.down or "no host runs that has a picture")

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
            connection.send(protocol.notification("begin", **begin))

    def send_leave(self, method: str, state: Stream, run: int) -> None:
        """Tells the host of a run's ``end`` or ``cancel``, if it knew the run."""
        connection = self.connection
        if connection is not None and self._begun.get(state.number, {}).get("run") == run:
            connection.send(protocol.notification(method, stream=state.number, run=run))

    def submit(self, mapping: Mapping, slot: int, fields: tuple[Any, ...], started: int) -> None:
        """Rings for a slot that a sampler's thread has filled; ``fields`` are its header's."""
        header = LatentHeader(*fields)
        connection, state = self.connection, self.streams[header.stream]
        self._overwritten(mapping, slot)
        if not state.shows(header.run):
            mapping.free.append(slot)
            self.counts["stale"] += 1
        elif connection is None or not connection.owns(mapping):
            self._keep_for_the_next_host(state, mapping, slot, header, started)
        elif header.sequence < state.sent:  # a newer one that waited in private memory found a slot first
            mapping.free.append(slot)
            self.counts["replaced"] += 1
        else:
            self.send_begin(state)  # its own action may still stand behind this one
            mapping.write_header(slot, header)
            state.sent = header.sequence
            state.newest = (mapping, slot, header, started)
            self.in_flight[header.sequence] = (started, header)
            if self._watcher is not None:
                self._watch(self._watcher, header, mapping.payloads[slot][0][:header.length])
            connection.submit(slot, header.sequence)

    def give_back(self, mapping: Mapping, slot: int) -> None:
        """A slot that somebody began to fill and did not."""
        self._overwritten(mapping, slot)
        mapping.free.append(slot)

    def _overwritten(self, mapping: Mapping, slot: int) -> None:
        """Other values are in a slot now: no next host can be given those that were there."""
        for state in tuple(self.streams.values()):
            if (newest := state.newest) is not None and newest[0] is mapping and newest[1] == slot:
                state.newest = None

    def _watch(self, watcher: Callable[[LatentHeader, memoryview], None], header: LatentHeader, payload: memoryview) -> None:
        try:
            watcher(header, payload)
        except Exception as error:
            self._say(f"on_latent raised {error!r}")

    def configure(self) -> None:
        if (connection := self.connection) is not None and self._greeted:
            connection.ask("configure", self._configured, **options_for_host(self.options))

    def ask_status(self, answer: SimpleQueue[Any]) -> None:
        connection = self.connection
        if connection is None:
            answer.put(None)
        else:
            connection.ask("status", lambda result, error: answer.put(result if isinstance(result, dict) else None))

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
        self._let_go_of_all_but(None)

    def _next_action(self, pause: float | None) -> tuple[Any, ...]:
        """The next action, waited for at most ``pause`` seconds (None: without end); ``Empty`` when there is none."""
        try:
            return self._actions.get_nowait()
        except Empty:
            if pause == 0:
                raise
            if pause == DEVICE_POLL and sys.platform == "win32":  # a queue's wait takes 15 ms at least there, a sleep does not
                time.sleep(pause)
                return self._actions.get_nowait()
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
            self._disconnect(0)
            self._refused(connection.refusal)
            return 0.0
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
            self._compare_versions(connection)
            if self.options:
                connection.ask("configure", self._configured, **options_for_host(self.options))
            for state in tuple(self.streams.values()):
                self.send_begin(state)
        self.mapping = connection.mapping
        if self.mapping is not None:
            self._let_go_of_all_but(self.mapping)
        self.down = None
        self._changed()

    def _let_go_of_all_but(self, mapping: Mapping | None) -> None:
        """What lies in another mapping is of no use any more; whoever names it keeps its memory."""
        for state in tuple(self.streams.values()):
            if (newest := state.newest) is not None and newest[0] is not mapping:
                state.newest = None

    def _compare_versions(self, connection: Connection) -> None:
        """Says once that host and shim are of different releases. They work together as long as their protocols meet."""
        found = connection.version
        if not self._is_difference_said and found[:1].isdigit() and found != VERSION:
            self._is_difference_said = True
            self._say(f"the host is LatentBridge {found} ({connection.command[0]}), the shim is {VERSION} ({host_locator.PACKAGE}); they go on "
                      f"together. For one version of both: {host_locator.INSTALLING}")

    def _connect(self) -> None:
        command = self._command()
        if command is None:
            return
        hello = {"client": f"latentbridge-python {VERSION}", **({"models": self.settings.models} if self.settings.models else {}),
                 **({"data": self.settings.data} if self.settings.data else {}),
                 **({"avoid": self.avoided()} if self.restarts.avoided else {})}
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
        if host == "pythonnet" and inprocess.is_ending():
            return None  # nobody is left to read a word about it
        if host is not None and host not in HOST_MODES:
            return [os.fspath(host), "serve"] if isinstance(host, (str, os.PathLike)) else list(host)
        if host == "pythonnet":
            if (problem := self._problem_in_process()) is None:
                return list(inprocess.COMMAND)
            self._say(f"{problem}; previews go on in a process of their own, if there is one")
        command = host_locator.find()
        if command is not None:
            return [*command, "serve"]
        reason = host_locator.trouble()
        if host in (None, "auto") and not os.environ.get("LATENTBRIDGE_HOST"):
            if (problem := self._problem_in_process()) is None:
                return list(inprocess.COMMAND)
            if inprocess.find() is not None:  # else pythonnet would not help
                reason += f". In this process neither: {problem}"
        self._refused(reason)
        return None

    def _problem_in_process(self) -> str | None:
        return self._refused_in_process or inprocess.problem()

    def _disconnect(self, seconds: float) -> int | None:
        """Ends the host, if there is one."""
        connection, self.connection, self.mapping = self.connection, None, None
        return connection.end(seconds) if connection is not None else None

    def avoided(self) -> list[dict[str, Any]]:
        """The decoders that ended a host too often, as ``hello`` names them."""
        return [{"decoder": decoder, "file": file} for decoder, file in self.restarts.avoided]

    def _fail(self, reason: str, connection: Connection | None) -> None:
        """The host failed: it is ended, what it had is kept, and another one is started, sooner or later."""
        self.mapping = None  # from here on no sampler begins to write to its memory
        if connection is not None:
            for state in tuple(self.streams.values()):
                self._keep_newest(connection, state)
        code = self._disconnect(0.2 if reason == "it ended" else 0)
        words = connection.last_words if connection else []
        has_shown, loading = (connection.has_shown, connection.loading) if connection else (False, None)
        if code == 3:
            self._refused(words[-1] if words else "host and shim are of different versions; install both from one release")
            return
        self.in_flight.clear()
        detail = f"{reason}{_how_it_ended(code)}"
        if words:
            detail += f"; its last words: {words[-1]}"
        avoided = len(self.restarts.avoided)
        pause = self.restarts.failed(time.monotonic(), has_shown, loading)
        self._not_before = time.monotonic() + pause
        self._wanted = bool(self._decodes) or any(state.live for state in tuple(self.streams.values()))
        for decoder, file in self.restarts.avoided[avoided:]:
            self._say(f"the decoder {decoder}{f' ({file})' if file else ''} ended the host twice and is left out from now on "
                      f"({detail}); choose another, or reload the UI to try it again")
        if self.restarts.is_down:
            self._go_down(f"the host failed {self.restarts.failures} times in a row ({detail}); {host_locator.doctor()} shows more")
        else:
            log.info("LatentBridge: the host failed (%s); starting another", detail)

    def _refused(self, reason: str) -> None:
        """There is no host, or none that works with this shim: nothing to try soon."""
        self._not_before = time.monotonic() + self.restarts.refused()
        self._go_down(reason)

    def _go_down(self, reason: str) -> None:
        """There is no host for now: whoever waits hears it, and the UI can show its own previews."""
        if not self._is_down_said:
            self._is_down_said = True
            log.warning("LatentBridge: no previews: %s. Each new run tries again", reason)
        self.down = f"{reason}. Each new run tries again"
        self._answer_decodes(self.down)
        self._decodes.clear()
        self._changed()

    def shown(self) -> None:
        """Reader thread: a picture came, so the host works."""
        self.restarts.failures = 0
        self._is_down_said = False

    def _turn_off(self, reason: str) -> None:
        self.off = self.off or reason
        self.mapping = None
        for state in tuple(self.streams.values()):
            state.waiting.clear()
            state.held = None
        self._lessons.clear()
        self._answer_decodes(self.off)
        self._changed()

    def _answer_decodes(self, reason: str) -> None:
        """Nobody will make these pictures."""
        for _, _, answer, _ in tuple(self._decodes):
            answer.put(reason)
        while self._copies:
            self._copies.popleft()[1].put(reason)

    def _keep_newest(self, connection: Connection, state: Stream) -> None:
        """The newest latent that a dead host was given lies in its slot still, and the next host gets it: for its first picture, or, where that is shown already,
        to be ready for the next step, with its decoders loaded. One that ends a host before any picture is sent once more, not twice."""
        newest, state.newest = state.newest, None
        if newest is None:
            return
        mapping, slot, header, started = newest
        state.kept = (header.sequence, state.kept[1] + 1 if state.kept[0] == header.sequence else 1)
        if (state.lost_step >= header.step or not state.shows(header.run) or state.kept[1] > (MOST_HOSTS if connection.has_shown else 1)
                or not connection.still_has(mapping, slot, header.sequence)):
            return
        state.sent = header.sequence - 1
        self._keep_for_the_next_host(state, mapping, slot, header, started)

    def _keep_for_the_next_host(self, state: Stream, mapping: Mapping, slot: int, header: LatentHeader, started: int) -> None:
        """Takes a latent out of a dead host's memory, unless a newer one waits already."""
        if state.held is not None and state.held.header.sequence > header.sequence:
            self.counts["replaced"] += 1
            return
        self.counts["replaced"] += state.held is not None
        payload, _ = mapping.payloads[slot]
        state.held = Frame(None, header, bytearray(payload[:header.length]), started)
        self._wanted = True

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
            self.in_flight[frame.header.sequence] = (frame.started, frame.header)
            connection.decode(slot, frame.header.sequence, answered, **params)
        while self._copies:
            params, _, answered = self._copies.popleft()
            connection.ask("encode", answered, **params)
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
            if not frame.ready():
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
        """The frame of a stream to send next. One that a device still writes is seen through, and one that is ready gives way only to a newer one
        that is ready too: else the frames of a sampler that is ahead of its device would replace one another until its last."""
        frame, state.held = state.held, None
        if frame is None or (frame.ready() and _is_ready(state.waiting)):
            try:
                other = state.waiting.popleft()
            except IndexError:
                pass
            else:
                self.counts["replaced"] += frame is not None
                if frame is None or other.header.sequence > frame.header.sequence:
                    frame = other
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
        self._overwritten(mapping, slot)
        frame.copy_into(*mapping.payloads[slot])
        return slot

    def _measure(self, frame: Frame) -> None:
        """Makes the next geometry big enough for a frame and, by a guess of 8 x 8 pixels of 3 bytes a cell, its picture."""
        axes = frame.header.axes
        picture = axes[0] * axes[-1] * axes[-2] * 8 * 8 * 3 if len(axes) > 3 else 0
        self.latent_capacity = max(self.latent_capacity, frame.header.length)
        self.image_capacity = max(self.image_capacity, min(picture, MAXIMUM_GUESSED_IMAGE))


def _is_ready(waiting: deque[Frame]) -> bool:
    try:
        return waiting[0].ready()
    except IndexError:
        return False


def _how_it_ended(code: int | None) -> str:
    """An exit code as words behind a reason; nothing for a host that had to be killed."""
    if code is None:
        return ""
    if code >= 0 or sys.platform == "win32":
        return f", exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    often = ", or by macOS for its quarantine (xattr -d com.apple.quarantine PROGRAM)" if sys.platform == "darwin" else ""
    return f", killed by {name}{f', often for want of memory{often}' if name == 'SIGKILL' else ''}"
