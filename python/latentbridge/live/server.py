"""A small server of the live view, for scripts. ComfyUI and A1111 have their own.

It answers GET, on the loopback unless told otherwise, and only who knows the token, which stands in the URL.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import ipaddress
import secrets
import threading
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

from .answers import HEADERS, ROOT, Answer, answer
from .board import Board

HEAD_BYTES = 16 << 10
HEAD_SECONDS = 10.0
STALLED_SECONDS = 60.0
"""A client that takes nothing for so long is let go."""


class Server:
    """Runs on a thread of its own until ``close``. ``url`` is the page's, with the token."""

    def __init__(self, board: Board, host: str = "127.0.0.1", port: int = 0, token: str | None = None) -> None:
        self.board = board
        self._token = token if token is not None else secrets.token_urlsafe(16)
        self._host = host
        self._loop = asyncio.new_event_loop()
        self._clients: set[asyncio.Task[None]] = set()
        self._server = self._loop.run_until_complete(asyncio.start_server(self._client, host, port, limit=HEAD_BYTES))
        self.port: int = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, name="latentbridge-live", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return self.url_of("")

    def url_of(self, path: str) -> str:
        """With the token; ``/stream`` is the film for OBS, for instance."""
        name = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{name}:{self.port}{ROOT}{path}?token={self._token}"

    def close(self) -> None:
        """Ends all clients, and the thread."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(5)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5)
            self._loop.close()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def _end(self) -> None:
        self._server.close()
        for task in self._clients:
            task.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        writer.transport.set_write_buffer_limits(high=0)  # so that drain waits until the client has taken all of a picture
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HEAD_SECONDS)
            await _send(writer, await self._answer(head.decode("latin-1")))
        except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass  # it has gone, or takes nothing
        finally:
            self._clients.discard(task)
            writer.transport.abort()

    async def _answer(self, head: str) -> Answer:
        line, _, rest = head.partition("\r\n")
        method, target, version = [*line.split(" "), "", ""][:3]
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in rest.split("\r\n"))}
        where = urlsplit(target)
        query = dict(parse_qsl(where.query))
        if not version.startswith("HTTP/1."):
            return _plain(400, "expected HTTP/1.1")
        if method != "GET":
            return _plain(405, f"expected GET, got {method:.20}")
        if not self._is_ours(headers.get("host", "")):
            return _plain(403, "the page of another name asks; use the address that was printed")
        if not hmac.compare_digest(query.get("token", "").encode(), self._token.encode()):
            return _plain(403, "the token is missing or wrong; use the URL that was printed")
        if where.path != ROOT and not where.path.startswith(f"{ROOT}/"):
            return _plain(404, f"expected {ROOT}")
        return await answer(self.board, where.path[len(ROOT):], query)

    def _is_ours(self, host: str) -> bool:
        """A name that somebody else's DNS points at this machine is not."""
        name = urlsplit(f"//{host}").hostname or ""
        if name in ("localhost", self._host):
            return True
        with contextlib.suppress(ValueError):
            return bool(ipaddress.ip_address(name))
        return False


async def _send(writer: asyncio.StreamWriter, found: Answer) -> None:
    phrase = HTTPStatus(found.status).phrase
    lines = [f"HTTP/1.1 {found.status} {phrase}", "Connection: close", f"Content-Type: {found.media_type}",
             *(f"{name}: {value}" for name, value in found.headers.items())]
    if isinstance(found.body, bytes):
        lines.append(f"Content-Length: {len(found.body)}")
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
    if isinstance(found.body, bytes):
        writer.write(found.body)
        await asyncio.wait_for(writer.drain(), STALLED_SECONDS)
        return
    async with contextlib.aclosing(found.body) as pieces:  # type: ignore[type-var]
        async for piece in pieces:
            writer.write(piece)
            await asyncio.wait_for(writer.drain(), STALLED_SECONDS)


def _plain(status: int, text: str) -> Answer:
    return Answer(status, "text/plain; charset=utf-8", text.encode(), HEADERS)


def serve(board: Board | None = None, *, host: str = "127.0.0.1", port: int = 0, token: str | None = None) -> Server:
    """Serves a live view; ``url`` of what comes back is its page. ``host`` ``"0.0.0.0"`` lets others in who know the token."""
    return Server(board or Board(), host, port, token)
