"""The bridge: a sampler's latents go in, finished pictures come out, and the sampler never waits.

    bridge = Bridge(on_preview=lambda preview: show(preview.data))
    for step in range(20):
        ...
        bridge.submit(x0, run=1, step=step, total=20, latent_format="SDXL")

Design notes. Three kinds of threads meet here:

- The **sampler's** threads call ``submit``: check, one copy into a free slot (or, when none is free, into one private
  buffer of the stream, where the newest wins), one ``SimpleQueue.put``, return. They take no lock that another thread
  works under.
- The **bridge thread** (``bridge_thread.py``) alone starts and ends hosts, writes pipes, attaches and touches fresh pages
  (``connection.py``). It runs actions from a queue, so everything it owns needs no lock either.
- The **reader thread** of each host (``host_process.py``) takes pictures out of shared memory and calls ``on_preview``.

Every exception is caught at one seam (``_refuse``) and logged once: a preview can never raise into the sampler. Only
``decode``, ``configure`` and ``begin`` with an unknown option raise, because their callers ask for an answer.
"""

from __future__ import annotations

import atexit
import itertools
import logging
import operator
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

from . import protocol, tensors
from .bridge_thread import BridgeThread, HostSettings
from .connection import HOST_ENDED
from .options import check as check_options
from .preview import ALARMS, ClipPlace, Preview
from .protocol import LatentHeader
from .say_once import SayOnce
from .shared_memory import SharedMemoryError
from .streams import Frame, Stream, choice_of, options_for_host

log = logging.getLogger("latentbridge")


class BridgeError(Exception):
    """``decode`` or another call that waits for an answer did not get one; the message says why and what helps."""


class Bridge:
    """A bridge to one host, which is started at the first use and restarted when it fails.

    ``on_preview`` is called on a thread of the bridge with each ``Preview`` of a run that is going on (it may end while the
    callback runs, so compare ``preview.run`` where that matters); a slow one delays later previews and nothing else. ``on_clip`` gets
    the pictures of moving pictures (option ``clip``), each with its ``preview.clip``. ``on_latent`` is called on the bridge's thread with
    the header and the bytes of each latent that goes to the host; the bytes are the caller's only while it runs. ``host``
    is ``"process"`` (a child, found by ``host_locator``), ``"pythonnet"`` (this process, see ``inprocess``), ``"auto"`` (the
    default: a child where one is found, else this process), or a host's path or whole command. ``models`` are more folders to
    look for weights in, ``data`` the folder where the host keeps what it learns (None: the user's own).
    ``options`` are those of the protocol (``decoder``, ``size``, ``batch``, ``encoding``...).

    ``patience`` is the silence in seconds after which a host counts as hung. A host that fails is started again: at once when
    it had shown a picture, else after ``back_off`` seconds, which double with each failure up to five minutes. After ``attempts``
    failures in a row ``off_reason`` says so, and each new run tries at once. ``largest`` is the length in bytes of the largest
    latent that ``submit`` takes. ``strict`` lets errors out of ``submit`` (for tests).
    """

    def __init__(
        self,
        *,
        on_preview: Callable[[Preview], None] | None = None,
        on_clip: Callable[[Preview], None] | None = None,
        on_latent: Callable[[LatentHeader, memoryview], None] | None = None,
        host: str | os.PathLike[str] | Sequence[str] | None = None,
        models: Iterable[str | os.PathLike[str]] = (),
        data: str | os.PathLike[str] | None = None,
        patience: float = 5.0,
        start_patience: float = 20.0,
        attempts: int = 5,
        back_off: float = 0.5,
        largest: int = tensors.LARGEST,
        strict: bool = False,
        **options: Any,
    ) -> None:
        self._settings = HostSettings(host, [os.fspath(folder) for folder in models],
                                     os.fspath(data) if data is not None else None, largest, patience, start_patience, attempts,
                                     back_off)
        self._on_preview, self._on_clip, self._on_latent, self._strict = on_preview, on_clip, on_latent, strict
        self._streams: dict[int, Stream] = {}
        self._sequence = itertools.count(1)
        self._staging = tensors.Staging(largest)
        self._say = SayOnce()
        self._learned: dict[str, Any] | None = None
        self._arrived = threading.Condition()
        self._thread = self._new_thread(check_options(options))
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

        ``latent`` is a torch tensor, numpy array, buffer, nested set or list of the shape ``[B,C,H,W]``, ``[B,C,T,H,W]`` or ``[B,C,N]``.
        The batch may be missing, frames may stand before channels, channels may stand last, and tokens may stand for a square
        picture: ``axes.py`` takes the order that fits the format. ``run`` counts the samplings of a stream from 0: a bigger number
        than the last begins a new run (with ``latent_format``, a format id such as ``"SDXL"``, or None for a guess). ``step`` is
        0-based, ``total`` 0 or None when unknown. Whole numbers may come as floats and as tensors or arrays without axes.

        True when the latent was taken; False when there is no host (``off_reason``), the run is over, or it cannot be shown.
        """
        thread = self._thread
        if thread.off is not None:
            return False
        try:
            started = time.perf_counter_ns()
            if not (type(run) is type(step) is type(total) is type(stream) is int and 0 <= step <= _MOST_STEPS
                    and 0 <= total <= _MOST_STEPS and 0 <= run <= _MOST_RUNS and 0 <= stream <= _MOST_STREAMS):
                run, step, total, stream = _run(run), _step(step), _step(0 if total is None else total), _stream(stream)
            state = self._streams.get(stream)
            if state is None or state.run < run:
                state = self._begin(stream, run, latent_format, space, {})
            elif state.run != run or not state.live or thread.down is not None:
                return False
            source = state.reader.read(latent)
            if source.length > thread.latent_limit:
                raise tensors.LatentError(tensors.too_large(source.length, thread.latent_limit))
            flags = ((protocol.FLAG_LAST_STEP if 0 < total <= step + 1 else 0) | (protocol.FLAG_FIRST_FRAME if state.fresh else 0)
                     | (protocol.FLAG_SHOWS_LAST_FRAME if source.has_past else 0))
            fields = (next(self._sequence), run, stream, step, total, flags, source.element_type, source.axes, source.length)
            if not self._fill_slot(source, fields, started):
                self._keep(state, source, fields, started)
            state.fresh = False
            thread.counts["submitted"] += 1
            return True
        except Exception as error:
            self._refuse(error)
            return False

    def begin(
        self, *, run: int, stream: int = 0, latent_format: str | None = None, space: str = "sampler", model: str | None = None,
        **options: Any,
    ) -> None:
        """Begins a run on a stream and starts the host if need be. Options hold for this run, over those of ``configure``.

        ``model`` is whatever names the model (``calibration.identity``, a hash): with it, what ``teach`` taught of it is used.
        """
        check_options(options)
        try:
            if self._thread.off is None:
                self._begin(_stream(stream), _run(run), latent_format, space, options, model)
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
            run, step, stream = _run(run), _step(step), _stream(stream)
            end = time.monotonic() + timeout
            with self._arrived:
                while self.off_reason is None:
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
        """Why there are no previews: closed, forked, or no host that works, which each new run tries to start again; None when all is well."""
        return self._thread.off or self._thread.down

    @property
    def host_pid(self) -> int:
        """Process id of the running host, 0 without one."""
        connection = self._thread.connection
        return connection.pid if connection is not None else 0

    def start(self, timeout: float = 0.0) -> bool:
        """Starts the host now instead of at the first latent; waits up to ``timeout`` seconds and says whether it is ready."""
        thread = self._thread
        thread.try_again(thread.retry)
        with self._arrived:
            self._arrived.wait_for(lambda: thread.mapping is not None or self.off_reason is not None, timeout)
            return thread.mapping is not None

    def restart(self) -> None:
        """Takes up work again after ``close``, or where no host works: everything is forgotten that was wrong. Else does nothing."""
        if self.off_reason is not None:
            self.close()
            self._say.forget()
            self._thread = self._new_thread(self._thread.options)
            _bridges.add(self)

    def configure(self, **options: Any) -> None:
        """Changes options for all streams, now and for hosts to come; ``ValueError`` for an unknown name or value."""
        check_options(options)
        self._thread.options = {**self._thread.options, **options}
        for state in tuple(self._streams.values()):
            state.reader = self._reader(state.options, state.begin.get("format"))
        self._thread.post(self._thread.configure)

    def status(self, timeout: float = 1.0) -> dict[str, Any]:
        """What the bridge counts and, under ``"host"``, what the host says of itself (None when it does not answer in time)."""
        answer: SimpleQueue[Any] = SimpleQueue()
        self._thread.post(self._thread.ask_status, answer)
        try:
            host = answer.get(timeout=timeout) if self._thread.off is None else None
        except Empty:
            host = None
        connection = self._thread.connection
        return {
            "off": self.off_reason,
            "process": connection.pid if connection else 0,
            "failures": self._thread.restarts.failures,
            "avoided": self._thread.avoided(),
            "latentCapacity": self._thread.latent_capacity,
            "imageCapacity": self._thread.image_capacity,
            **self._thread.counts,
            "learned": self._learned,
            "host": host,
        }

    def decode(
        self, latent: Any, *, latent_format: str | None = None, space: str = "sampler", model: str | None = None, stream: int = 65535,
        timeout: float = 60.0, **options: Any,
    ) -> Preview:
        """Decodes one latent and waits for the picture; never replaced by a newer one. ``BridgeError`` says why there is none. ``model`` as for ``begin``."""
        check_options(options)
        if self._thread.off is not None:
            raise BridgeError(self._thread.off)
        stream = _stream(stream)
        chosen = {**self._thread.options, **options}
        source = tensors.read(latent, choice_of(chosen, latent_format))
        buffer = bytearray(source.length)
        source.copy_into(memoryview(buffer))
        sequence = next(self._sequence)
        flags = protocol.FLAG_SHOWS_LAST_FRAME if source.has_past else 0
        header = LatentHeader(sequence, 0, stream, 0, 0, flags, source.element_type, source.axes, source.length)
        params = {"format": latent_format, "space": space, **({"model": model} if model else {}), **options_for_host(chosen)}
        frame = Frame(source, header, buffer, time.perf_counter_ns())
        found, rooms = None, set()
        end = time.monotonic() + timeout
        while found is None:  # the mapping was too small, it grew for another latent meanwhile, or the host died: once more
            answer: SimpleQueue[Any] = SimpleQueue()
            self._thread.try_again(self._thread.decode, frame, params, answer, partial(self._decoded, sequence, answer, rooms))
            try:
                found = answer.get(self._thread.off is None, max(0.0, end - time.monotonic()))
            except Empty:
                found = self._thread.off or f"no picture within {timeout:g} s"
        if isinstance(found, Preview):
            return found
        raise BridgeError(str(found))

    def encode(self, *, stream: int = 0, timeout: float = 10.0, **options: Any) -> Preview:
        """The stream's newest picture once more: smaller (``size``), or as another ``encoding`` of some ``quality``. Nothing is decoded; the host has the
        picture still. ``BridgeError`` says why there is none. The host must run: it is not started for this."""
        check_options(options)
        rooms: set[int] = set()
        end = time.monotonic() + timeout
        found: Preview | str | None = None
        while found is None:  # the image slots grew for it
            answer: SimpleQueue[Any] = SimpleQueue()
            params = {"stream": _stream(stream), **options_for_host(options)}
            self._thread.post(self._thread.encode, params, answer, partial(self._decoded, 0, answer, rooms))
            try:
                found = answer.get(self._thread.off is None, max(0.0, end - time.monotonic()))
            except Empty:
                found = self._thread.off or f"no picture within {timeout:g} s"
        if isinstance(found, Preview):
            return found
        raise BridgeError(found)

    def teach(self, pair: Any, *, model: str, latent_format: str | None = None) -> None:
        """Teaches the host this model's colours from a latent and its picture, as ``calibration.pair`` gives them; returns at once.

        ``status()["learned"]`` says what came of it. Without a running host nothing does.
        """
        source = tensors.read(pair, tensors.Choice(latent_format="pair"))
        buffer = bytearray(source.length)
        source.copy_into(memoryview(buffer))
        header = LatentHeader(next(self._sequence), 0, 0, 0, 0, 0, source.element_type, source.axes, source.length)
        frame = Frame(source, header, buffer, time.perf_counter_ns())
        self._thread.post(self._thread.teach, frame, {"format": latent_format, "model": model}, self._taught)

    def close(self, timeout: float = 1.0) -> None:
        """Ends the host (politely for ``timeout`` seconds, then at once) and the bridge's threads. May be called twice."""
        self._thread.close("closed", timeout)
        _bridges.discard(self)

    def __enter__(self) -> Bridge:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- the sampler's thread ----------------------------------------------------------------------------------------

    def _fill_slot(self, source: tensors.Source, fields: tuple[Any, ...], started: int) -> bool:
        thread = self._thread
        mapping = thread.mapping
        if mapping is None or source.on_device or source.length > mapping.latent_capacity:
            return False
        try:
            slot = mapping.free.popleft()
        except IndexError:
            return False
        try:
            source.copy_into(*mapping.payloads[slot])
        except BaseException:
            thread.post(thread.give_back, mapping, slot)
            raise
        thread.post(thread.submit, mapping, slot, fields, started)  # who writes the header and rings
        return True

    def _keep(self, state: Stream, source: tensors.Source, fields: tuple[Any, ...], started: int) -> None:
        """No slot: the newest latent of the stream waits in private memory and replaces the one that waited."""
        buffer = None
        try:
            replaced = state.waiting.popleft()
        except IndexError:
            pass
        else:
            buffer = replaced.buffer
            self._thread.counts["replaced"] += 1
        if not source.on_device:
            if buffer is None:
                try:
                    buffer = self._thread.spare.popleft()
                except IndexError:
                    pass
            if buffer is None or len(buffer) < source.length:
                buffer = bytearray(source.length)
            source.copy_into(memoryview(buffer))
        state.waiting.append(Frame(source, LatentHeader(*fields), buffer, started))
        self._thread.post(self._thread.want)

    def _begin(self, stream: int, run: int, latent_format: str | None, space: str, options: dict[str, Any],
               model: str | None = None) -> Stream:
        begin = {"stream": stream, "run": run, "format": latent_format, "space": space,
                 **({"model": model} if model else {}), **options_for_host(options)}
        state = self._streams.setdefault(stream, Stream(stream))
        if run < state.run or (run == state.run and not state.live):
            raise ValueError(f"run {run} of stream {stream} is over, the last was {state.run}; number runs upwards")
        state.begin, state.options, state.reader = begin, options, self._reader(options, latent_format)
        state.lost_step, state.fresh = -1, True
        state.run, state.live = run, True
        self._thread.try_again(self._thread.begin_run, state)
        return state

    def _reader(self, options: dict[str, Any], latent_format: str | None) -> tensors.Reader:
        return tensors.Reader(choice_of({**self._thread.options, **options}, latent_format), self._staging)

    def _leave(self, method: str, stream: int, run: int) -> None:
        try:
            stream, run = _stream(stream), _run(run)
            state = self._streams.get(stream)
            if state is not None and state.shows(run):
                with self._arrived:
                    state.live = False
                    self._arrived.notify_all()
                self._thread.post(self._thread.send_leave, method, state, run)
        except Exception as error:
            self._refuse(error)

    def _refuse(self, error: Exception) -> None:
        """The one seam: says each kind of trouble once and goes on."""
        if self._strict:
            raise error
        self._say(f"a preview was left out: {error}" if isinstance(error, (ValueError, SharedMemoryError))
                  else f"a preview was left out: {error!r}")

    def _new_thread(self, options: dict[str, Any]) -> BridgeThread:
        return BridgeThread(self._settings, options, self._streams, listener=self._listen, changed=self._changed,
                            say=self._say, refuse=self._refuse, watcher=self._on_latent)

    # --- what the host says (on its reader thread; `_decoded` on the bridge thread) ----------------------------------

    def _decoded(self, sequence: int, answer: SimpleQueue[Any], rooms: set[int], result: Any, error: dict[str, Any] | None) -> None:
        """Gives the waiting ``decode`` its picture, or why there is none, or None when another try is worth it; ``rooms`` are
        the sizes that were made for it, and ``HOST_ENDED`` once a host had died."""
        if error is not None:
            self._thread.in_flight.pop(sequence, None)
        data = (error or {}).get("data")
        needed = data.get("needed") if isinstance(data, dict) else None
        if isinstance(needed, int) and needed not in rooms:
            rooms.add(needed)
            self._thread.grow_images(needed)
            answer.put(None)
        elif error is not None and error.get("message") == "cancelled":  # which only a new mapping does
            answer.put(None)
        elif error is not None and error.get("code") == HOST_ENDED and HOST_ENDED not in rooms:
            rooms.add(HOST_ENDED)
            answer.put(None)
        elif error is not None or not isinstance(result, dict) or "image" not in result:
            answer.put((error or {}).get("message", "the host gave no picture"))
        else:
            answer.put(self._preview(result, *result["image"]))

    def _taught(self, result: Any, error: dict[str, Any] | None) -> None:
        if isinstance(result, dict):
            self._learned = result
        else:
            self._say(f"nothing was learned from a picture: {(error or {}).get('message', 'the host gave no answer')}")

    def _listen(self, method: str, params: dict[str, Any], image: tuple[protocol.ImageHeader, bytes] | None) -> None:
        try:
            if method == "ready" and image is not None:
                self._ready(self._preview(params, *image))
            elif method == "clip" and image is not None:
                self._clip(self._preview(params, *image))
            elif method == "dropped":
                self._dropped(params)
            else:
                self._say(f"the host sent what it should not: {params.get('detail')}")
        except Exception as error:
            log.debug("LatentBridge: a message could not be used", exc_info=True)
            self._say(f"a message of the host could not be used: {error!r}")

    def _preview(self, params: dict[str, Any], header: protocol.ImageHeader, data: bytes) -> Preview:
        is_clip = "pictures" in params  # made beside the picture that answers the latent
        started, _ = (None, None) if is_clip else self._thread.in_flight.pop(header.sequence, (None, None))
        milliseconds = (time.perf_counter_ns() - started) / 1e6 if started else 0.0
        return Preview(
            data, protocol.ENCODINGS[header.encoding], header.width, header.height, header.run, header.stream, header.step,
            header.total, header.sequence, str(params.get("decoder")), milliseconds,
            *(_number(params.get(name)) for name in ("decodeMilliseconds", "encodeMilliseconds", "waitMilliseconds")),
            tuple(map(str, params.get("warnings") or ())), str(params.get("note") or ""),
            alarm if (alarm := params.get("alarm")) in ALARMS else "",
            ClipPlace(int(params["picture"]), int(params["pictures"]), int(params.get("sharp", 0)), _number(params.get("rate"))) if is_clip else None,
        )

    def _clip(self, preview: Preview) -> None:
        state = self._streams.get(preview.stream)
        if state is not None and state.shows(preview.run) and self._on_clip is not None and self._thread.off is None:
            self._on_clip(preview)

    def _ready(self, preview: Preview) -> None:
        self._thread.shown()
        with self._arrived:
            state = self._streams.get(preview.stream)
            if state is None or not state.shows(preview.run) or (
                    (latest := self.latest(preview.stream)) is not None and latest.sequence >= preview.sequence):
                self._thread.counts["stale"] += 1
                return
            state.latest = preview
            self._thread.counts["shown"] += 1
            self._arrived.notify_all()
        if self._on_preview is not None and self._thread.off is None:
            try:
                self._on_preview(preview)
            except Exception as error:
                self._say(f"on_preview raised {error!r}")

    def _dropped(self, params: dict[str, Any]) -> None:
        reason = params.get("reason")
        _, header = self._thread.in_flight.pop(params.get("sequence"), (None, None))
        self._thread.counts["replaced" if reason == "replaced" else "dropped"] += 1
        if reason in ("replaced", "cancelled", "ended"):
            return
        if header is not None:
            state = self._streams[header.stream]
            with self._arrived:
                if state.shows(header.run):
                    state.lost_step = max(state.lost_step, header.step)
                    self._arrived.notify_all()
        if reason == "image-slot-too-small" and isinstance(params.get("needed"), int):
            self._thread.post(self._thread.grow_images, params["needed"])
        else:
            self._say(f"the host could not show a latent ({reason}): {params.get('detail')}")

    def _changed(self) -> None:
        """The host is there, or will not come: whoever waits should look."""
        with self._arrived:
            self._arrived.notify_all()

    def _forked(self) -> None:
        self._arrived = threading.Condition()
        self._thread.forget()


_MOST_STEPS, _MOST_RUNS, _MOST_STREAMS = 0x7FFFFFFF, protocol.MAXIMUM_NUMBER - 1, 0xFFFFFFFF


def _whole(name: str, value: Any, most: int) -> int:
    """A count that a caller named: an int, or a float, array or tensor that is one. A tensor on a device would have to be waited for."""
    number = value
    if getattr(value, "is_cpu", True) and getattr(value, "ndim", 0) == 0:
        try:
            number = value.item() if hasattr(value, "item") else value
            number = int(number if isinstance(number, float) and number.is_integer() else operator.index(number))
        except (TypeError, ValueError, RuntimeError):
            pass
    if type(number) is not int or not 0 <= number <= most:
        shown = f"{type(value).__name__} of {getattr(value, 'device', '')}" if not getattr(value, "is_cpu", True) else f"{value!r:.80}"
        raise ValueError(f"{name} is {shown}; expected a whole number from 0 to {most}")
    return number


_run = partial(_whole, "run", most=_MOST_RUNS)
_step = partial(_whole, "a step or the total", most=_MOST_STEPS)
_stream = partial(_whole, "stream", most=_MOST_STREAMS)


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
