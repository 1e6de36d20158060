"""What there is to see: the newest picture, and the latents of the newest runs, of which any step is decoded when somebody asks.

Design notes. Nothing is done for nobody: as long as no client has asked, ``sent`` is a comparison and ``arrived`` an assignment. While somebody
watches, the bridge's thread copies each latent that crosses anyway into a ``History``, which is bounded; the sampler's thread does nothing more
than without. Pictures of other sizes and encodings come from the host: the newest is encoded again (``Bridge.encode``), an older step is
decoded again (``Bridge.decode``). Both are asked for on threads of the board, one at a time each, and shared by all that want the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

from ..client import Bridge, BridgeError
from ..history import ROOM, History, Run
from ..preview import Preview
from ..protocol import LatentHeader

WATCHED_SECONDS = 60.0
"""After the last request, somebody counts as watching: a page that loads again loses nothing."""
FORGOTTEN_SECONDS = 600.0
"""After so long without a watcher the kept latents go when the next run sends its first."""
MOST_CLIENTS = 100
MOST_WAITING = 16
"""Pictures that may wait to be made. A page asks for one after the other, so more than that is no page."""
DECODE_SECONDS = 20.0
KEPT_BYTES = 32 << 20
"""Of pictures that were made for somebody, for the next who wants the same."""


class Wanted(NamedTuple):
    """How a picture is wanted: ``encoding`` None takes any, ``size`` 0 the picture's own, ``quality`` 0 the bridge's."""

    encoding: str | None = None
    size: int = 0
    quality: int = 0

    def fits(self, preview: Preview) -> bool:
        """Whether the picture is that already."""
        return (preview.encoding == self.encoding if self.encoding else preview.encoding != "rgb24") and not self.quality and (
            self.size == 0 or max(preview.width, preview.height) <= self.size)

    def options(self) -> dict[str, Any]:
        return {"encoding": self.encoding or "jpeg", "size": self.size, **({"quality": self.quality} if self.quality else {})}


class Ear:
    """One client that waits for news, on its own event loop."""

    def __init__(self) -> None:
        self.heard = asyncio.Event()

    async def wait(self, seconds: float) -> bool:
        """Until there is news; False when there was none for so long."""
        try:
            await asyncio.wait_for(self.heard.wait(), seconds)
        except asyncio.TimeoutError:
            return False
        self.heard.clear()
        return True


class TooMany(Exception):
    """No more clients, or no more pictures that wait."""


class Board:
    """Fed by a bridge's ``on_preview`` (``arrived``) and ``on_latent`` (``sent``), read by clients on any event loop.

    ``bridge`` gives the bridge that makes further pictures, which an owner may exchange. ``describe`` says what a run is. The three may be called on
    any thread and take no lock.
    """

    def __init__(self, bridge: Callable[[], Bridge] | None = None, room: int = ROOM) -> None:
        self.bridge = bridge
        self.history = History(room)
        self.newest: Preview | None = None
        self._about: dict[tuple[int, int], dict[str, Any]] = {}
        self._asked = -float("inf")
        self._ears: dict[asyncio.AbstractEventLoop, set[Ear]] = {}
        self._guard = threading.Lock()
        self._made: OrderedDict[tuple[Any, ...], Future[Preview]] = OrderedDict()
        self._waiting = self._kept = 0
        self._encoder = ThreadPoolExecutor(1, "latentbridge-live-encode")
        self._decoder = ThreadPoolExecutor(1, "latentbridge-live-decode")

    # --- what the owner tells ----------------------------------------------------------------------------------------

    def describe(self, run: int, stream: int = 0, **about: Any) -> None:
        """Notes what a run is, at its beginning: ``latent_format``, ``model``, ``space``, ``name``, ``steps``
        where that is another number than the pictures' total."""
        self._about[stream, run] = {"started": time.time(), **about}
        if len(self._about) > 200:
            with contextlib.suppress(KeyError, RuntimeError):
                del self._about[next(iter(self._about))]

    def arrived(self, preview: Preview) -> None:
        """A picture came."""
        self.newest = preview
        for loop in tuple(self._ears):
            with contextlib.suppress(RuntimeError):  # that loop was closed
                loop.call_soon_threadsafe(self._ring, loop)

    def sent(self, header: LatentHeader, payload: memoryview) -> None:
        """A latent went to the host."""
        if self.is_watched():
            self.history.add(header, payload)
        elif time.monotonic() - self._asked > FORGOTTEN_SECONDS and self.history.length:
            self.history.clear()

    # --- what clients ask --------------------------------------------------------------------------------------------

    def is_watched(self) -> bool:
        """Whether somebody looks, or did a moment ago."""
        return bool(self._ears) or time.monotonic() - self._asked < WATCHED_SECONDS

    def asked(self) -> None:
        """Somebody asks for something."""
        self._asked = time.monotonic()

    def check_room(self) -> None:
        """``TooMany`` when no further client may stay."""
        if self.clients >= MOST_CLIENTS:
            raise TooMany(f"{MOST_CLIENTS} clients are connected; close some")

    @contextlib.contextmanager
    def listening(self) -> Iterator[Ear]:
        """A client that stays, on the running event loop."""
        loop, ear = asyncio.get_running_loop(), Ear()
        self._ears.setdefault(loop, set()).add(ear)
        try:
            yield ear
        finally:
            self.asked()
            ears = self._ears[loop]
            ears.discard(ear)
            if not ears:
                del self._ears[loop]

    @property
    def clients(self) -> int:
        """Clients that stay."""
        return sum(map(len, tuple(self._ears.values())))

    def runs(self) -> list[dict[str, Any]]:
        """The kept runs, the oldest first, as the page reads them."""
        return [self._words(run) for run in self.history.runs()]

    def run_ids(self) -> tuple[str, ...]:
        return tuple(_id(run.key) for run in self.history.runs())

    def steps(self, stream: int, run: int) -> list[int]:
        """The kept steps of a run."""
        found = self.history.run(run, stream)
        return sorted(tuple(found.steps)) if found is not None else []

    def total(self, preview: Preview) -> int:
        """Steps of a picture's run, 0 when unknown."""
        return self._about.get((preview.stream, preview.run), {}).get("steps") or preview.total

    async def picture(self, wanted: Wanted) -> Preview | None:
        """The newest picture as it is wanted; None before the first. ``BridgeError`` says why it cannot be had so."""
        newest = self.newest
        if newest is None or wanted.fits(newest):
            return newest
        key = (newest.stream, newest.run, newest.sequence, wanted)
        return await self._shared(key, self._encoder, lambda: self._bridge().encode(stream=newest.stream, **wanted.options()))

    async def step(self, stream: int, run: int, step: int, item: int, wanted: Wanted, **options: Any) -> Preview | None:
        """The picture of a kept step; None when it is not kept (any more)."""
        found = self.history.run(run, stream)
        kept = found.steps.get(step) if found is not None else None
        if kept is None:
            return None
        about = self._about.get((stream, run), {})
        known = {name: about[name] for name in ("latent_format", "model", "space") if about.get(name)}
        of_batch = {"batch": "item", "item": item} if len(kept.latent.axes) > 3 and kept.latent.axes[0] > 1 else {}
        key = (stream, run, step, kept.sequence, item, wanted, tuple(sorted(options.items())))
        return await self._shared(key, self._decoder, lambda: self._bridge().decode(kept.latent, **known, **of_batch, timeout=DECODE_SECONDS, **wanted.options(), **options))

    # --- inside ------------------------------------------------------------------------------------------------------

    def _bridge(self) -> Bridge:
        if self.bridge is None:
            raise BridgeError("this live view has no bridge to make pictures with")
        return self.bridge()

    async def _shared(self, key: tuple[Any, ...], pool: ThreadPoolExecutor, make: Callable[[], Preview]) -> Preview:
        """Made once for all that want the same."""
        with self._guard:
            future = self._made.get(key)
            is_new = future is None
            if future is None:
                if self._waiting >= MOST_WAITING:
                    raise TooMany(f"{MOST_WAITING} pictures wait to be made; ask again in a moment")
                self._waiting += 1
                future = self._made[key] = pool.submit(make)
            self._made.move_to_end(key)
        if is_new:  # it may be done already, and then this is called here and now
            future.add_done_callback(lambda done: self._done(key, done))
        return await asyncio.shield(asyncio.wrap_future(future))

    def _done(self, key: tuple[Any, ...], future: Future[Preview]) -> None:
        with self._guard:
            self._waiting -= 1
            if future.cancelled() or future.exception() is not None:
                self._made.pop(key, None)
                return
            self._kept += len(future.result().data)
            while self._kept > KEPT_BYTES and (oldest := next((other for other, made in self._made.items() if made.done()), None)) is not None:
                self._kept -= len(self._made.pop(oldest).result().data)

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        for ear in self._ears.get(loop, ()):
            ear.heard.set()

    def _words(self, run: Run) -> dict[str, Any]:
        stream, number = run.key
        about, steps = self._about.get((stream, number), {}), tuple(run.steps.values())
        axes = steps[-1].latent.axes if steps else ()
        return {"id": _id(run.key), "format": about.get("latent_format"), "model": about.get("model"), "name": about.get("name"), "started": about.get("started"),
                "steps": sorted(step.number for step in steps), "total": about.get("steps") or (steps[-1].total if steps else 0),
                "items": axes[0] if len(axes) > 3 else 1}


def _id(key: tuple[int, int]) -> str:
    return f"{key[0]}-{key[1]}"
