"""The bridge: a sampler's latents go in, finished pictures come out, and the sampler never waits.

    bridge = Bridge(on_preview=lambda preview: show(preview.data))
    for step in range(20):
        ...
        bridge.submit(x0, run=1, step=step, total=20, latent_format="SDXL")

Design notes. Three kinds of threads meet here:

- The **sampler's** threads call ``submit``: check, one copy into a free slot (or, when none is free, into one private
  buffer of the stream, where the newest wins), one ``SimpleQueue.put``, return. They take no lock that another thread
  works under.
- The **bridge thread** alone starts and ends hosts, writes pipes, attaches and touches fresh pages. It runs actions from a
  queue, so everything it owns needs no lock either.
- The **reader thread** of each host takes pictures out of shared memory and calls ``on_preview``.

Every exception is caught at one seam (``_refuse``) and logged once: a preview can never raise into the sampler. Only
``decode``, ``configure`` and ``begin`` with an unknown option raise, because their callers ask for an answer.
"""

from __future__ import annotations

import atexit
import itertools
import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

from . import host_locator, protocol, tensors
from ._version import VERSION
from .connection import HOST_ENDED, Connection
from .preview import Preview
from .protocol import LatentHeader
from .shared_memory import Mapping, SharedMemoryError

log = logging.getLogger("latentbridge")

MINIMUM_LATENT_CAPACITY = 1 << 20
MINIMUM_IMAGE_CAPACITY = 4 << 20
MAXIMUM_GUESSED_IMAGE = 16 << 20
MAXIMUM_IMAGE_CAPACITY = 1 << 30
DEVICE_POLL = 0.001
BACK_OFF_LIMIT = 30.0


class BridgeError(Exception):
    """``decode`` or another call that waits for an answer did not get one; the message says why and what helps."""


class _Frame:
    """A latent that waits in private memory (or in pinned memory, still on its way) for a slot."""

    __slots__ = ("source", "header", "buffer", "started")

    def __init__(self, source: tensors.Source, header: LatentHeader, buffer: bytearray | None, started: int) -> None:
        self.source, self.header, self.buffer, self.started = source, header, buffer, started

    def copy_into(self, target: memoryview) -> None:
        if self.buffer is None:
            self.source.copy_into(target)
        else:
            target[:] = memoryview(self.buffer)[:len(target)]


class _Stream:
    """One place where previews are shown. Runs follow one another on it."""

    __slots__ = ("number", "run", "live", "fresh", "begin", "options", "choice", "waiting", "held", "latest", "lost_step", "sent")

    def __init__(self, number: int) -> None:
        self.number = number
        self.run = -1
        self.live = False  # begun, not yet ended or cancelled
        self.fresh = True  # nothing of the run was submitted yet
        self.begin: dict[str, Any] = {}
        self.options: dict[str, Any] = {}
        self.choice = tensors.Choice()
        self.waiting: deque[_Frame] = deque(maxlen=1)
        self.held: _Frame | None = None
        self.latest: Preview | None = None
        self.lost_step = -1  # the last step that was given up
        self.sent = 0  # the last sequence the host was given

    def shows(self, run: int) -> bool:
        return self.live and self.run == run


class Bridge:
    """A bridge to one host, which is started at the first use and restarted when it fails.

    ``on_preview`` is called on a thread of the bridge with each ``Preview`` of a run that is going on (it may end while the
    callback runs, so compare ``preview.run`` where that matters); a slow one delays later previews and nothing else. ``host`` is the host's path, or a whole command (default: found by ``host_locator``), ``models`` are more folders to look
    for weights in. ``options`` are those of the protocol (``decoder``, ``size``, ``batch``, ``encoding``...).

    ``patience`` is the silence in seconds after which a host counts as hung, ``attempts`` how many failures in a row
    (without a picture in between) end in giving up, ``back_off`` the pause in seconds before the second of them; it
    doubles each time. ``strict`` lets errors out of ``submit`` (for tests).
    """

    def __init__(
        self,
        *,
        on_preview: Callable[[Preview], None] | None = None,
        host: str | os.PathLike[str] | Sequence[str] | None = None,
        models: Iterable[str | os.PathLike[str]] = (),
        patience: float = 5.0,
        start_patience: float = 20.0,
        attempts: int = 5,
        back_off: float = 0.5,
        strict: bool = False,
        **options: Any,
    ) -> None:
        self._options = protocol.check_options(options)
        self._on_preview = on_preview
        self._host = host
        self._models = [os.fspath(folder) for folder in models]
        self._patience = (start_patience, patience)
        self._attempts, self._back_off, self._strict = attempts, back_off, strict

        self._off: str | None = None
        self._streams: dict[int, _Stream] = {}
        self._sequence = itertools.count(1)
        self._submitted_at: dict[int, int] = {}
        self._spare: deque[bytearray] = deque(maxlen=4)
        self._staging = tensors.Staging()
        self._said: set[str] = set()
        self._counts = dict.fromkeys(("submitted", "shown", "replaced", "dropped", "stale", "hosts"), 0)
        self._arrived = threading.Condition()

        self._mapping: Mapping | None = None
        self._connection: Connection | None = None
        self._decodes: deque[tuple[_Frame, dict[str, Any], SimpleQueue[Any]]] = deque()
        self._greeted = False
        self._begun: dict[int, dict[str, Any]] = {}
        self._failures = 0
        self._not_before = 0.0
        self._wanted = False
        self._latent_limit = protocol.MAXIMUM_NUMBER
        self._latent_capacity = MINIMUM_LATENT_CAPACITY
        self._image_capacity = MINIMUM_IMAGE_CAPACITY
        self._actions: SimpleQueue[tuple[Any, ...]] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._thread_guard = threading.Lock()
        _bridges.add(self)

    # --- for samplers ------------------------------------------------------------------------------------------------

    def submit(
        self,
        latent: Any,
        *,
        run: int,
        step: int,
        total: int = 0,
        stream: int = 0,
        latent_format: str | None = None,
        space: str = "sampler",
    ) -> bool:
        """Takes a snapshot of a step's latent for a preview and returns at once; never raises, never writes to the latent.

        ``latent`` has the shape ``[B,C,H,W]``, ``[C,H,W]``, ``[B,C,T,H,W]`` or ``[B,C,N]``; a torch tensor, numpy array,
        buffer, nested set or list. ``run`` counts the samplings of a stream from 0: a bigger number than the last begins a new run (with
        ``latent_format``, a format id such as ``"SDXL"``, or None for a guess). ``step`` is 0-based, ``total`` 0 when unknown.

        True when the latent was taken; False when the bridge is off (``off_reason``), the run is over, or it cannot be shown.
        """
        if self._off is not None:
            return False
        try:
            started = time.perf_counter_ns()
            state = self._streams.get(stream)
            if state is None or state.run < run:
                state = self._begin(stream, run, latent_format, space, {})
            elif not state.shows(run):
                return False
            source = tensors.read(latent, state.choice, self._staging)
            if source.length > self._latent_limit:
                raise tensors.LatentError(f"the latent has {source.length} bytes; there is shared memory for {self._latent_limit}")
            if step < 0 or total < 0 or run < 0:
                raise ValueError(f"run {run}, step {step} of {total}; expected numbers of at least 0")
            flags = (protocol.FLAG_LAST_STEP if 0 < total <= step + 1 else 0) | (protocol.FLAG_FIRST_FRAME if state.fresh else 0)
            header = LatentHeader(
                next(self._sequence), run, stream, step, total, flags, source.element_type, source.axes, source.length)
            if not self._fill_slot(source, header, started):
                self._keep(state, source, header, started)
            state.fresh = False
            self._counts["submitted"] += 1
            return True
        except Exception as error:
            self._refuse(error)
            return False

    def begin(
        self, *, run: int, stream: int = 0, latent_format: str | None = None, space: str = "sampler", **options: Any,
    ) -> None:
        """Begins a run on a stream and starts the host if need be. Options hold for this run, over those of ``configure``."""
        protocol.check_options(options)
        try:
            if self._off is None:
                self._begin(stream, run, latent_format, space, options)
        except Exception as error:
            self._refuse(error)

    def end(self, *, run: int, stream: int = 0) -> None:
        """The run is over: nothing of it is shown any more."""
        self._leave("end", stream, run)

    def cancel(self, *, run: int, stream: int = 0) -> None:
        """The run was cancelled: decoding stops, nothing of it is shown any more."""
        self._leave("cancel", stream, run)

    def wait(self, *, run: int, step: int, stream: int = 0, timeout: float = 0.05) -> Preview | None:
        """Waits at most ``timeout`` seconds for the preview of this step (or a later one) of the run; for the last step."""
        try:
            end = time.monotonic() + timeout
            with self._arrived:
                while self._off is None:
                    state = self._streams.get(stream)
                    if state is None or not state.shows(run):
                        return None
                    if (latest := self.latest(stream)) is not None and latest.step >= step:
                        return latest
                    left = end - time.monotonic()
                    if left <= 0 or state.lost_step >= step:
                        return None
                    self._arrived.wait(left)
        except Exception as error:
            self._refuse(error)
        return None

    def latest(self, stream: int = 0) -> Preview | None:
        """The newest preview of the stream's current run, None before the first."""
        state = self._streams.get(stream)
        preview = state.latest if state is not None else None
        return preview if preview is not None and state.shows(preview.run) else None

    # --- for everybody else ------------------------------------------------------------------------------------------

    @property
    def off_reason(self) -> str | None:
        """Why nothing is taken any more (given up, closed, forked); None while the bridge works or tries to."""
        return self._off

    @property
    def host_pid(self) -> int:
        """Process id of the running host, 0 without one."""
        connection = self._connection
        return connection.pid if connection is not None else 0

    def start(self, timeout: float = 0.0) -> bool:
        """Starts the host now instead of at the first latent; waits up to ``timeout`` seconds and says whether it is ready."""
        self._post(self._want)
        with self._arrived:
            self._arrived.wait_for(lambda: self._mapping is not None or self._off is not None, timeout)
            return self._mapping is not None

    def restart(self) -> None:
        """Takes up work again after giving up: the next latent starts a host. Does nothing while the bridge works."""
        if self._off is not None:
            self.close()
            self._actions = SimpleQueue()
            self._failures, self._not_before, self._thread, self._off = 0, 0.0, None, None
            self._latent_limit = protocol.MAXIMUM_NUMBER
            self._said.clear()
            _bridges.add(self)

    def configure(self, **options: Any) -> None:
        """Changes options for all streams, now and for hosts to come; ``ValueError`` for an unknown name or value."""
        protocol.check_options(options)
        self._options = {**self._options, **options}
        for state in tuple(self._streams.values()):
            state.choice = _choice({**self._options, **state.options})
        self._post(self._configure)

    def status(self, timeout: float = 1.0) -> dict[str, Any]:
        """What the bridge counts and, under ``"host"``, what the host says of itself (None when it does not answer in time)."""
        answer: SimpleQueue[Any] = SimpleQueue()
        self._post(self._ask_status, answer)
        try:
            host = answer.get(timeout=timeout) if self._off is None else None
        except Empty:
            host = None
        connection = self._connection
        return {
            "off": self._off,
            "process": connection.pid if connection else 0,
            "failures": self._failures,
            "latentCapacity": self._latent_capacity,
            "imageCapacity": self._image_capacity,
            **self._counts,
            "host": host,
        }

    def decode(
        self, latent: Any, *, latent_format: str | None = None, space: str = "sampler", stream: int = 65535,
        timeout: float = 60.0, **options: Any,
    ) -> Preview:
        """Decodes one latent and waits for the picture; never replaced by a newer one. ``BridgeError`` says why there is none."""
        protocol.check_options(options)
        if self._off is not None:
            raise BridgeError(self._off)
        chosen = {**self._options, **options}
        source = tensors.read(latent, _choice(chosen))
        buffer = bytearray(source.length)
        source.copy_into(memoryview(buffer))
        sequence = next(self._sequence)
        header = LatentHeader(sequence, 0, stream, 0, 0, 0, source.element_type, source.axes, source.length)
        params = {"stream": stream, "format": latent_format, "space": space, **_for_host(chosen)}
        answer: SimpleQueue[Any] = SimpleQueue()
        self._post(self._want_decode, (_Frame(source, header, buffer, time.perf_counter_ns()), params, answer))
        try:
            found = answer.get(timeout=timeout if self._off is None else 0.0)
        except Empty:
            found = self._off or f"no picture within {timeout:g} s"
        if isinstance(found, Preview):
            return found
        raise BridgeError(str(found))

    def close(self, timeout: float = 1.0) -> None:
        """Ends the host (politely for ``timeout`` seconds, then at once) and the bridge's threads. May be called twice."""
        thread = self._thread
        self._turn_off("closed")
        if thread is not None and thread is not threading.current_thread():
            self._actions.put((self._stop, timeout))
            thread.join(timeout)
            if (connection := self._connection) is not None:
                connection.kill()
                thread.join(timeout)
        _bridges.discard(self)

    def __enter__(self) -> Bridge:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- the sampler's thread ----------------------------------------------------------------------------------------

    def _fill_slot(self, source: tensors.Source, header: LatentHeader, started: int) -> bool:
        mapping = self._mapping
        if mapping is None or source.on_device or source.length > mapping.latent_capacity:
            return False
        try:
            slot = mapping.free.popleft()
        except IndexError:
            return False
        try:
            mapping.write_latent(slot, header, source.copy_into)
        except BaseException:
            mapping.free.append(slot)
            raise
        self._actions.put((self._submit, mapping, slot, header, started))
        return True

    def _keep(self, state: _Stream, source: tensors.Source, header: LatentHeader, started: int) -> None:
        """No slot: the newest latent of the stream waits in private memory and replaces the one that waited."""
        buffer = None
        try:
            replaced = state.waiting.popleft()
        except IndexError:
            pass
        else:
            buffer = replaced.buffer
            self._counts["replaced"] += 1
        if not source.on_device:
            if buffer is None:
                try:
                    buffer = self._spare.popleft()
                except IndexError:
                    pass
            if buffer is None or len(buffer) < source.length:
                buffer = bytearray(source.length)
            source.copy_into(memoryview(buffer)[:source.length])
        state.waiting.append(_Frame(source, header, buffer, started))
        self._post(self._want)

    def _begin(self, stream: int, run: int, latent_format: str | None, space: str, options: dict[str, Any]) -> _Stream:
        begin = {"stream": int(stream), "run": int(run), "format": latent_format, "space": space, **_for_host(options)}
        state = self._streams.setdefault(stream, _Stream(stream))
        if run < state.run or (run == state.run and not state.live):
            raise ValueError(f"run {run} of stream {stream} is over, the last was {state.run}; number runs upwards")
        state.begin, state.options, state.choice = begin, options, _choice({**self._options, **options})
        state.lost_step, state.fresh = -1, True
        state.run, state.live = run, True
        self._post(self._send_begin, state)
        return state

    def _leave(self, method: str, stream: int, run: int) -> None:
        state = self._streams.get(stream)
        if state is not None and state.shows(run):
            with self._arrived:
                state.live = False
                self._arrived.notify_all()
            self._post(self._send_leave, method, state, run)

    def _refuse(self, error: Exception) -> None:
        """The one seam: says each kind of trouble once and goes on."""
        if self._strict:
            raise error
        self._say(f"a preview was left out: {error}" if isinstance(error, (ValueError, SharedMemoryError))
                  else f"a preview was left out: {error!r}")

    def _say(self, text: str) -> None:
        if text not in self._said and len(self._said) < 50:
            self._said.add(text)
            log.warning("LatentBridge: %s", text)

    def _post(self, *action: Any) -> None:
        """Hands an action to the bridge thread, which is started with the first."""
        if self._off is not None:
            return
        self._actions.put(action)
        if self._thread is None:
            with self._thread_guard:
                if self._thread is None:
                    thread = threading.Thread(target=self._work, name="latentbridge", daemon=True)
                    thread.start()
                    self._thread = thread

    # --- the bridge thread -------------------------------------------------------------------------------------------

    def _work(self) -> None:
        pause: float | None = None
        while self._off is None or not self._actions.empty():
            try:
                try:
                    action, *arguments = self._actions.get(timeout=pause)
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

    def _advance(self) -> float | None:
        """Brings everything forward that can be; the seconds until that is worth another try."""
        connection = self._connection
        if connection is None:
            if not self._wanted or self._off is not None:
                return None
            left = self._not_before - time.monotonic()
            if left > 0:
                return left
            self._connect()
            return 0.0
        mapping = self._mapping
        polling = mapping is not None and mapping is connection.mapping and self._send_waiting(connection, mapping)
        try:
            pause = connection.tick()
        except SharedMemoryError as error:
            self._latent_limit = self._latent_capacity = connection.capacity
            self._say(f"{error}; latents of more than {connection.capacity} bytes get no preview")
            pause = None
        if connection.refusal is not None:
            self._give_up(connection.refusal)
        elif connection.failure is not None:
            self._fail(connection.failure, connection)
            return 0.0
        elif self._mapping is not connection.mapping:
            self._show_mapping(connection)
            return 0.0
        return DEVICE_POLL if polling else pause

    def _show_mapping(self, connection: Connection) -> None:
        """Shows the samplers a new mapping, or that there is none; a host that has just attached hears of options and runs first."""
        if not self._greeted:
            self._greeted = True
            if self._options:
                connection.ask("configure", self._configured, **_for_host(self._options))
            for state in tuple(self._streams.values()):
                self._send_begin(state)
        with self._arrived:
            self._mapping = connection.mapping
            self._arrived.notify_all()

    def _connect(self) -> None:
        command = self._command()
        if command is None:
            return
        hello = {"client": f"latentbridge-python {VERSION}", **({"models": self._models} if self._models else {})}
        for state in tuple(self._streams.values()):
            for frame in tuple(state.waiting):
                self._measure(frame)
        geometry = protocol.Geometry.of(self._latent_capacity, self._image_capacity)
        self._greeted = False
        self._begun.clear()
        self._counts["hosts"] += 1
        try:
            self._connection = Connection(command, geometry, hello, self._post, self._listen, self._patience)
        except OSError as error:
            self._fail(str(error), None)

    def _command(self) -> list[str] | None:
        if self._host is not None:
            return [os.fspath(self._host), "serve"] if isinstance(self._host, (str, os.PathLike)) else list(self._host)
        command = host_locator.find()
        if command is None:
            self._give_up("no host was found; " + host_locator.ADVICE)
            return None
        return [*command, "serve"]

    def _disconnect(self, seconds: float) -> int | None:
        connection, self._connection, self._mapping = self._connection, None, None
        return connection.end(seconds) if connection is not None else None

    def _fail(self, reason: str, connection: Connection | None) -> None:
        """The host failed: it is ended; another one is started after a pause, or never again after too many."""
        words = connection.last_words if connection else []
        code = self._disconnect(0.2 if reason == "it ended" else 0)
        if code == 3:
            self._give_up(words[-1] if words else "host and shim are of different versions; install the same release of both")
            return
        self._failures += 1
        self._submitted_at.clear()
        detail = f"{reason}, exit code {code}" if code is not None else reason
        if words:
            detail += f"; its last words: {words[-1]}"
        if self._failures >= self._attempts:
            self._give_up(f"the host failed {self._failures} times in a row ({detail}); "
                          "`python -m latentbridge doctor` shows more")
            return
        self._not_before = time.monotonic() + min(self._back_off * 2 ** (self._failures - 1), BACK_OFF_LIMIT)
        self._wanted = any(state.waiting for state in self._streams.values()) or bool(self._decodes)
        log.info("LatentBridge: the host failed (%s); starting another", detail)

    def _give_up(self, reason: str) -> None:
        log.warning("LatentBridge: previews are off: %s", reason)
        self._turn_off(reason)
        self._disconnect(0)

    def _turn_off(self, reason: str) -> None:
        self._off = self._off or reason
        self._mapping = None
        for state in self._streams.values():
            state.waiting.clear()
            state.held = None
        for _, _, answer in self._decodes:
            answer.put(self._off)
        with self._arrived:
            self._arrived.notify_all()

    def _stop(self, timeout: float) -> None:
        self._disconnect(timeout / 2)

    def _want(self) -> None:
        self._wanted = True

    def _want_decode(self, decode: tuple[_Frame, dict[str, Any], SimpleQueue[Any]]) -> None:
        self._wanted = True
        self._decodes.append(decode)
        if self._off is not None:
            decode[2].put(self._off)

    def _send_begin(self, state: _Stream) -> None:
        self._wanted = True
        begin, connection = state.begin, self._connection
        if connection is not None and self._greeted and state.live and self._begun.get(state.number) is not begin:
            self._begun[state.number] = begin
            connection.send(protocol.notification("begin", **begin))

    def _send_leave(self, method: str, state: _Stream, run: int) -> None:
        connection = self._connection
        if connection is not None and self._begun.get(state.number, {}).get("run") == run:
            connection.send(protocol.notification(method, stream=state.number, run=run))

    def _submit(self, mapping: Mapping, slot: int, header: LatentHeader, started: int) -> None:
        """Rings for a slot that a sampler's thread has filled."""
        connection, state = self._connection, self._streams[header.stream]
        if connection is None or not connection.owns(mapping):
            self._counts["dropped"] += 1
        elif header.sequence < state.sent:  # a newer one that waited in private memory found a slot first
            mapping.free.append(slot)
            self._counts["replaced"] += 1
        else:
            self._send_begin(state)  # its own action may still stand behind this one
            state.sent = header.sequence
            self._submitted_at[header.sequence] = started
            connection.submit(slot, header.sequence)

    def _send_waiting(self, connection: Connection, mapping: Mapping) -> bool:
        """Moves what waits in private memory into free slots; True while a device is still writing some of it."""
        while self._decodes:
            frame, params, answer = self._decodes[0]
            slot = self._copy(connection, mapping, frame)
            if slot is None:
                break
            self._decodes.popleft()
            self._submitted_at[frame.header.sequence] = frame.started
            connection.decode(slot, frame.header.sequence, partial(self._decoded, answer), **params)
        polling = False
        for state in tuple(self._streams.values()):
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
                self._spare.append(frame.buffer)
            self._submit(mapping, slot, frame.header, frame.started)
        return polling

    def _next(self, state: _Stream) -> _Frame | None:
        """The frame of a stream to send next. One that a device still writes is seen through, or a fast sampler's frames
        would replace one another for ever; any other gives way to a newer one."""
        frame, state.held = state.held, None
        if frame is None or frame.source.ready():
            try:
                newer = state.waiting.popleft()
            except IndexError:
                pass
            else:
                self._counts["replaced"] += frame is not None
                frame = newer
        if frame is None or (state.shows(frame.header.run) and frame.header.sequence > state.sent
                             and frame.header.length <= self._latent_limit):
            return frame
        self._counts["stale"] += 1
        return None

    def _copy(self, connection: Connection, mapping: Mapping, frame: _Frame) -> int | None:
        """Copies a frame into a free slot; None when there is none, or none big enough (then the mapping grows)."""
        if frame.header.length > mapping.latent_capacity:
            self._measure(frame)
            connection.grow(self._latent_capacity, self._image_capacity)
            return None
        try:
            slot = mapping.free.popleft()
        except IndexError:
            return None
        mapping.write_latent(slot, frame.header, frame.copy_into)
        return slot

    def _measure(self, frame: _Frame) -> None:
        """Makes the next geometry big enough for a frame and, by a guess of 8 x 8 pixels of 3 bytes a cell, its picture."""
        axes = frame.header.axes
        picture = axes[0] * axes[-1] * axes[-2] * 8 * 8 * 3 if len(axes) > 3 else 0
        self._latent_capacity = max(self._latent_capacity, frame.header.length)
        self._image_capacity = max(self._image_capacity, min(picture, MAXIMUM_GUESSED_IMAGE))

    def _grow_images(self, needed: int) -> None:
        if (connection := self._connection) is not None and self._image_capacity < needed <= MAXIMUM_IMAGE_CAPACITY:
            self._image_capacity = needed
            connection.grow(self._latent_capacity, needed)

    def _configure(self) -> None:
        if (connection := self._connection) is not None and self._greeted:
            connection.ask("configure", self._configured, **_for_host(self._options))

    def _configured(self, _: Any, error: dict[str, Any] | None) -> None:
        if error is not None and error.get("code") != HOST_ENDED:
            self._say(f"the host refused the options: {error.get('message')}")

    def _ask_status(self, answer: SimpleQueue[Any]) -> None:
        connection = self._connection
        if connection is None:
            answer.put(None)
        else:
            connection.ask("status", lambda result, error: answer.put(result))

    def _decoded(self, answer: SimpleQueue[Any], result: Any, error: dict[str, Any] | None) -> None:
        if error is not None or not isinstance(result, dict) or "image" not in result:
            answer.put((error or {}).get("message", "the host gave no picture"))
        else:
            answer.put(self._preview(result, *result["image"]))

    # --- the reader thread -------------------------------------------------------------------------------------------

    def _listen(self, method: str, params: dict[str, Any], image: tuple[protocol.ImageHeader, bytes] | None) -> None:
        try:
            if method == "ready" and image is not None:
                self._ready(self._preview(params, *image))
            elif method == "dropped":
                self._dropped(params)
            else:
                self._say(f"the host sent what it should not: {params.get('detail')}")
        except Exception as error:
            log.debug("LatentBridge: a message could not be used", exc_info=True)
            self._say(f"a message of the host could not be used: {error!r}")

    def _preview(self, params: dict[str, Any], header: protocol.ImageHeader, data: bytes) -> Preview:
        started = self._submitted_at.pop(header.sequence, None)
        milliseconds = (time.perf_counter_ns() - started) / 1e6 if started else 0.0
        return Preview(
            data, protocol.ENCODINGS[header.encoding], header.width, header.height, header.run, header.stream, header.step,
            header.total, header.sequence, str(params.get("decoder")), milliseconds,
            *(_number(params.get(name)) for name in ("decodeMilliseconds", "encodeMilliseconds", "waitMilliseconds")),
            tuple(map(str, params.get("warnings") or ())),
        )

    def _ready(self, preview: Preview) -> None:
        self._failures = 0
        with self._arrived:
            state = self._streams.get(preview.stream)
            if state is None or not state.shows(preview.run) or (
                    (latest := self.latest(preview.stream)) is not None and latest.sequence >= preview.sequence):
                self._counts["stale"] += 1
                return
            state.latest = preview
            self._counts["shown"] += 1
            self._arrived.notify_all()
        if self._on_preview is not None and self._off is None:
            try:
                self._on_preview(preview)
            except Exception as error:
                self._say(f"on_preview raised {error!r}")

    def _dropped(self, params: dict[str, Any]) -> None:
        reason = params.get("reason")
        self._submitted_at.pop(params.get("sequence"), None)
        self._counts["replaced" if reason == "replaced" else "dropped"] += 1
        if reason in ("replaced", "cancelled", "ended"):
            return
        state, step = self._streams.get(params.get("stream")), params.get("step")
        with self._arrived:
            if state is not None and state.shows(params.get("run")) and isinstance(step, int):
                state.lost_step = max(state.lost_step, step)
                self._arrived.notify_all()
        if reason == "image-slot-too-small" and isinstance(params.get("needed"), int):
            self._post(self._grow_images, params["needed"])
        else:
            self._say(f"the host could not show a latent ({reason}): {params.get('detail')}")

    # --- fork --------------------------------------------------------------------------------------------------------

    def _forked(self) -> None:
        """In a forked child there are no threads, and the host is the parent's: this bridge stays off."""
        self._off = self._off or "the process was forked; make a new Bridge in the child"
        self._mapping = None
        self._arrived = threading.Condition()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.forget()


def _choice(options: dict[str, Any]) -> tensors.Choice:
    return tensors.Choice(**{name: options[name] for name in ("batch", "item", "frame") if name in options})


def _for_host(options: dict[str, Any]) -> dict[str, Any]:
    """The options as the host needs them: item and frame are chosen here, before anything is copied."""
    sent = {name: value for name, value in options.items() if name not in ("item", "frame")}
    if sent.get("batch") == "item":
        sent["batch"] = "first"
    return sent


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


_bridges: weakref.WeakSet[Bridge] = weakref.WeakSet()


def _close_all() -> None:
    for bridge in tuple(_bridges):
        bridge.close(0.5)


def _forget_all() -> None:
    for bridge in tuple(_bridges):
        bridge._forked()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
