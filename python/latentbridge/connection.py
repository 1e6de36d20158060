"""One running host, spoken to: handshake, slots, requests, growth of the mapping, and the watch over a host that hangs.

Design notes. Every method runs on the bridge thread, except ``_heard`` and ``_gone`` (the reader thread), which look at
images in the order of the lines and hand the rest over through ``post``. Nothing here is called by the sampler; it sees
``mapping`` only, which is None until the host has attached and while the mapping grows.

The bridge thread must not block in a write when the host has stopped reading (SIGSTOP, a debugger). So it never has more
than ``CREDIT`` bytes in the pipe since the host was last heard: that fits the smallest pipe there is (4096 bytes), on
every system, without non-blocking modes. When the credit is used up, or the host has been silent for a while and owes
something (a word since the last line, a slot, an answer), a ``status`` request asks whether it lives; silence for
``patience`` seconds ends it, unless it tries to run and gets no processor. Pauses of our own process (sleep, debugger) count
half a second at most.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from . import inprocess, protocol
from .host_process import HostProcess
from .restarts import Decoder
from .shared_memory import Mapping, SharedMemory, SharedMemoryError

CREDIT = 3500
PING_AFTER = 1.5
TICK = 0.5
STARVED_TIMES = 12
"""A host that gets no processor is waited for this many times as long as one that has nothing to do and says nothing."""

HOST_ENDED = 0
"""The error code of a request whose host ended before it answered (JSON-RPC has none for that)."""

Answer = Callable[[Any, "dict[str, Any] | None"], None]
"""Called with (result, None) or (None, error object)."""

Listener = Callable[[str, "dict[str, Any]", "tuple[protocol.ImageHeader, bytes] | None"], None]
"""Called on the reader thread with ``ready`` and ``clip`` (and their image) and ``dropped``."""


class Connection:
    """A host that was started with a mapping of the given geometry. ``end`` must be called, whatever happened."""

    def __init__(
        self,
        command: Sequence[str],
        geometry: protocol.Geometry,
        hello: dict[str, Any],
        post: Callable[..., None],
        listener: Listener,
        patience: tuple[float, float],
    ) -> None:
        self.command = tuple(command)
        self.version = ""
        """The host's, as ``hello`` names it."""
        self.mapping: Mapping | None = None
        self.failure: str | None = None
        self.refusal: str | None = None
        self.last_words: list[str] = []
        """The last lines of the host's stderr, complete once ``end`` was called."""
        self.has_shown = False
        """Whether it made a picture."""
        self._loading: list[Decoder] = []
        self._post, self._listener = post, listener
        self._start_patience, self._patience = patience
        self._requests: dict[int, Answer] = {}
        self._next_request = 1
        self._outgoing: deque[bytes] = deque()
        self._unheard_bytes = 0
        self._pinged = False
        self._silence = 0.0
        self._used = 0.0  # seconds of processor time the host had used when it fell silent
        self._ticked = time.monotonic()
        self._delivering = False
        self._at_host: dict[int, int] = {}
        self._drained: list[int] = []
        self._wanted = geometry
        self._attach_request = 0
        self._image_mapping: Mapping | None = None
        self._memory = SharedMemory(geometry.length)
        self._process: HostProcess | inprocess.InProcessHost | None = None
        try:
            descriptors = () if self._memory.descriptor is None else (self._memory.descriptor,)
            start = inprocess.InProcessHost if tuple(command) == inprocess.COMMAND else HostProcess
            self._process = start(command, descriptors, self._heard, self._gone)
            self.ask("hello", self._on_hello, protocol=protocol.VERSION, protocolMinimum=protocol.MINIMUM_VERSION,
                     process=os.getpid(), **hello)
            self._current = self._memory.map(geometry)  # takes some 10 ms, while the host starts
        except BaseException:
            self.end(0)
            raise

    # --- for the bridge thread ---

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    @property
    def loading(self) -> Decoder | None:
        """The decoder that the host named last, unless it loaded it or showed a picture of it since."""
        return self._loading[-1] if self._loading else None

    @property
    def capacity(self) -> int:
        """Bytes of the biggest latent the mapping can hold, or will once it has grown."""
        return self._wanted.latent_capacity

    def send(self, line: bytes) -> None:
        """Queues a line and writes what the credit allows."""
        self._outgoing.append(line)
        self._flush()

    def ask(self, method: str, answer: Answer, **params: Any) -> int:
        """Sends a request; ``answer`` is called on the bridge thread, in any case (an error when the host ends)."""
        identifier = self._next_request
        self._next_request += 1
        self._requests[identifier] = answer
        self.send(protocol.request(identifier, method, **params))
        return identifier

    def decode(self, slot: int, sequence: int, answer: Answer, **params: Any) -> None:
        """Sends ``decode`` for a latent slot that was filled; the result carries its image under ``"image"``."""
        self._at_host[slot] = sequence
        self.ask("decode", answer, slot=slot, sequence=sequence, **params)

    def teach(self, slot: int, sequence: int, answer: Answer, **params: Any) -> None:
        """Sends ``teach`` for a latent slot that was filled with a pair."""
        self._at_host[slot] = sequence
        self.ask("teach", answer, slot=slot, sequence=sequence, **params)

    def still_has(self, mapping: Mapping, slot: int, sequence: int) -> bool:
        """Whether a slot still holds the latent it was sent with; if it is free, it is taken, so that nobody overwrites it."""
        if mapping is not self._current or self._at_host.get(slot) == sequence:
            return mapping is self._current
        try:
            mapping.free.remove(slot)
        except ValueError:
            return False  # a sampler writes a newer one to it
        return True

    def owns(self, mapping: Mapping) -> bool:
        """Whether a mapping is this host's newest."""
        return mapping is self._current

    def submit(self, slot: int, sequence: int) -> None:
        """Gives a filled slot to the host."""
        self._at_host[slot] = sequence
        self.send(protocol.submit_line(slot, sequence))

    def grow(self, latent_capacity: int, image_capacity: int) -> None:
        """Wants slots of at least these capacities (bytes); the mapping is away until the host has attached again."""
        geometry = protocol.Geometry.of(
            max(latent_capacity, self._wanted.latent_capacity), max(image_capacity, self._wanted.image_capacity))
        if geometry != self._wanted:
            self._wanted = geometry

    def tick(self) -> float | None:
        """Does what is due; the seconds until it wants to be called again, None for no need."""
        now = time.monotonic()
        elapsed, self._ticked = now - self._ticked, now
        if self.mapping is not None and self._wanted != self._current.geometry:
            self.mapping = None
        if self.mapping is None and self._image_mapping is not None and not self._attach_request:
            self._grow_when_drained()
        self._flush()
        if self._delivering or not (self._unheard_bytes or self._at_host or self._requests):
            return TICK if self._delivering else None
        before = self._silence
        self._silence += min(elapsed, TICK)
        if before < TICK <= self._silence:
            self._used = self._usage()[0]  # it reads a dozen files: not while the host answers
        attached = self._image_mapping is not None
        patience = self._patience if attached else self._start_patience
        if self._silence >= patience and not self._is_starved(patience):
            self.failure = self.failure or f"it did not answer for {self._silence:.0f} s"
        elif self._silence >= PING_AFTER and attached:
            self._ping()
        return TICK

    def end(self, seconds: float) -> int | None:
        """Ends the host (politely when ``seconds`` allow it) and answers what is still asked; the exit code, None for a kill."""
        process, self._process = self._process, None
        self.mapping = None
        code = None
        if process is not None:
            if seconds > 0 and self.failure is None:
                try:
                    process.write(protocol.request(self._next_request, "shutdown"))
                except OSError:
                    pass
            code = process.end(seconds)
            self.last_words = list(process.last_words)
        self._memory.close()
        requests, self._requests = self._requests, {}
        for answer in requests.values():
            answer(None, {"code": HOST_ENDED, "message": self.failure or "the host has ended"})
        return code

    def kill(self) -> None:
        """Ends the process from any thread, without more."""
        if (process := self._process) is not None:
            process.kill()

    def forget(self) -> None:
        """In a forked child: drops everything without touching the host."""
        if (process := self._process) is not None:
            process.forget()
        self.mapping = None
        self._memory.close()

    # --- silence ---

    def _usage(self) -> tuple[float, bool]:
        return self._process.usage() if self._process is not None else (0.0, False)

    def _is_starved(self, patience: float) -> bool:
        """Whether a silent host tries to run and gets no processor. One that sleeps, is stopped, or has had its time is hung."""
        used, is_runnable = self._usage()
        used -= self._used
        return self._silence < STARVED_TIMES * patience and used < patience and (is_runnable or used > self._silence / 50)

    # --- handshake and growth ---

    def _on_hello(self, result: Any, error: dict[str, Any] | None) -> None:
        if error is not None:
            if error.get("code") == protocol.VERSIONS_DO_NOT_MEET:
                self.refusal = str(error.get("message")).rstrip(".")
            else:
                self.failure = self.failure or f"hello was refused: {error.get('message')}"
            return
        chosen = result.get("protocol") if isinstance(result, dict) else None
        if not isinstance(chosen, int) or not protocol.MINIMUM_VERSION <= chosen <= protocol.VERSION:
            self.refusal = (f"the host chose protocol {chosen!r}, this shim speaks {protocol.spoken()}; "
                            "install host and shim from one release")
            return
        self.version = str(result.get("host"))
        self._attach()

    def _attach(self) -> None:
        mapping = self._current
        # The id is set before the line leaves: the reader thread looks for it.
        self._attach_request = self._next_request
        self.ask("attach", self._on_attach, mapping=self._memory.source, length=mapping.geometry.length,
                 generation=mapping.generation)

    def _on_attach(self, result: Any, error: dict[str, Any] | None) -> None:
        self._attach_request = 0
        if error is not None:
            self.failure = self.failure or f"attach was refused: {error.get('message')}"
            return
        self._current.touch()
        self.mapping = self._current

    def _grow_when_drained(self) -> None:
        """Maps anew once no sampler's thread can be writing to a slot: each is free (and taken here) or the host's."""
        current = self._current
        while current.free:
            self._drained.append(current.free.popleft())
        if len(self._drained) + len(self._at_host) < current.geometry.latent_slots:
            return
        try:
            self._current = self._memory.map(self._wanted)
        except SharedMemoryError:
            if self._memory.has_room_elsewhere(self._wanted.length):
                self.failure = "/dev/shm is full, and the next host's memory is a file on a disk"
                return
            self._wanted = current.geometry
            current.free.extend(self._drained)
            self._drained.clear()
            self.mapping = current
            raise
        self._drained.clear()
        self._at_host.clear()  # every slot is the shim's again; a late ``released`` of the old mapping must not count
        self._attach()

    # --- lines ---

    def _flush(self) -> None:
        while self._outgoing:
            if self._unheard_bytes and self._unheard_bytes + len(self._outgoing[0]) > CREDIT:
                self._ping()
                return
            self._write(self._outgoing.popleft())

    def _write(self, line: bytes) -> None:
        if self._process is None or self.failure:
            return
        if not self._unheard_bytes:
            self._silence = 0.0
        self._unheard_bytes += len(line)
        try:
            self._process.write(line)
        except OSError:
            self.failure = self.failure or "its pipe closed"

    def _ping(self) -> None:
        if not self._pinged:
            self._pinged = True
            identifier = self._next_request
            self._next_request += 1
            self._requests[identifier] = lambda result, error: None
            self._write(protocol.request(identifier, "status"))

    def on_line(self, message: dict[str, Any]) -> None:
        """Bridge thread: a line was heard (``_heard`` posted it)."""
        self._unheard_bytes = 0
        self._silence = 0.0
        self._pinged = False
        method, params = message.get("method"), message.get("params")
        if method == "released":
            slot, sequence = params.get("slot"), params.get("sequence")
            if self._at_host.get(slot, 0) == sequence:
                del self._at_host[slot]
                self._current.free.append(slot)
        elif method is None and (answer := self._requests.pop(message.get("id"), None)) is not None:
            error = message.get("error")
            answer(None if error else message.get("result"), error)

    def _release(self, mapping: Mapping, slot: int) -> None:
        """Bridge thread: an image was taken; its slot goes back, unless ``attach`` has given all slots back already."""
        if mapping is self._current:
            self.send(protocol.release_line(slot))

    def on_end(self) -> None:
        """Bridge thread: the host closed its stdout."""
        self.failure = self.failure or "it ended"

    # --- reader thread ---

    def _heard(self, line: bytes) -> None:
        try:
            message = protocol.parse_line(line)
            method, params = message.get("method"), message.get("params")
            image = None
            if method is None:
                identifier, result = message.get("id"), message.get("result")
                if identifier == self._attach_request and "result" in message:
                    self._image_mapping = self._current
                elif isinstance(result, dict) and "slot" in result:
                    protocol.check_numbers(result)
                    result["image"] = self._take_image(result)
            elif method in ("ready", "clip"):
                image = self._take_image(params)
            elif method in ("loading", "loaded"):
                self._note_loading(method, params)
        except protocol.ProtocolError as error:
            self._listener("garbled", {"detail": str(error)}, None)
            return
        self._post(self.on_line, message)
        if method in ("ready", "clip", "dropped"):
            self._delivering = True
            try:
                self._listener(method, params, image)
            finally:
                self._delivering = False

    def _note_loading(self, method: str, params: dict[str, Any]) -> None:
        named = (str(params.get("decoder")), str(params["file"]) if params.get("file") else None)
        self._loading = [decoder for decoder in self._loading if decoder != named]
        if method == "loading":
            self._loading.append(named)

    def _take_image(self, params: dict[str, Any]) -> tuple[protocol.ImageHeader, bytes]:
        """Copies an image out of its slot and gives the slot back, also when its header lies."""
        mapping, slot = self._image_mapping, params.get("slot")
        if mapping is None:
            raise protocol.ProtocolError("a picture before attach was answered")
        try:
            header, data = mapping.read_image(slot)
            if header.sequence != params.get("sequence"):
                raise protocol.ProtocolError(f"image slot {slot} holds sequence {header.sequence}; the message says {params.get('sequence')}")
            self.has_shown = True
            self._loading = [decoder for decoder in self._loading if decoder[0] != params.get("decoder")]
            return header, data
        finally:
            if isinstance(slot, int):
                self._post(self._release, mapping, slot)

    def _gone(self) -> None:
        self._post(self.on_end)
