"""Paths and answers of the live view, below ``/latentbridge/live``. A web framework's own part is to send an ``Answer``.

    (nothing)                  the page
    /latest, /latest.jpg       the newest picture, as it is or in an encoding (jpg, png, webp); size, quality
    /stream                    the newest pictures as multipart JPEG; size, quality
    /events                    server-sent events
    /runs                      the kept runs, JSON
    /picture                   a kept step: run, step, item, size, quality, encoding, decoder, sharp
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import NamedTuple

from ..client import BridgeError
from ..options import TABLE, takes
from ..preview import Preview
from . import feeds
from .board import Board, TooMany, Wanted

ROOT = "/latentbridge/live"
LARGEST_SIZE = 4096
ENCODINGS = {"jpg": "jpeg", "jpeg": "jpeg", "png": "png", "webp": "webp"}
PAGE = Path(__file__).with_name("page.html")
HEADERS = {
    "Cache-Control": "no-store, no-transform",
    "Content-Encoding": "identity",  # so that no middleware packs, and with that holds back, what is to be seen now
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


class Answer(NamedTuple):
    """A whole body, or pieces of one that does not end by itself."""

    status: int
    media_type: str
    body: bytes | AsyncIterator[bytes]
    headers: dict[str, str]


class Asked(ValueError):
    """What was asked for makes no sense; the message is the answer."""


async def answer(board: Board, path: str, query: Mapping[str, str]) -> Answer:
    """Answers a GET. ``path`` is what stands behind ``ROOT``."""
    board.asked()
    try:
        return await _answer(board, path.rstrip("/"), query)
    except Asked as fault:
        return _text(400, str(fault))
    except TooMany as fault:
        return _text(503, str(fault))
    except BridgeError as fault:
        return _text(503, f"the picture could not be made: {fault}")


async def _answer(board: Board, path: str, query: Mapping[str, str]) -> Answer:
    if path == "":
        return _page()
    if path in ("/events", "/stream"):
        board.check_room()
    if path == "/events":
        return _ok("text/event-stream; charset=utf-8", feeds.events(board))
    if path == "/runs":
        return _ok("application/json", json.dumps(board.runs()).encode())
    if path == "/stream":
        return _ok(f"multipart/x-mixed-replace; boundary={feeds.BOUNDARY}", feeds.film(board, _wanted("jpeg", query)))
    if path == "/picture":
        return await _step(board, query)
    if (found := re.fullmatch(r"/latest(?:\.(\w+))?", path)) and (not found[1] or found[1] in ENCODINGS):
        picture = await board.picture(_wanted(ENCODINGS[found[1]] if found[1] else None, query))
        return _picture(picture, "there is no picture yet; start a run")
    return _text(404, f"{path} is not here; {ROOT} has /latest.jpg, .png and .webp, /stream, /events, /runs and /picture")


async def _step(board: Board, query: Mapping[str, str]) -> Answer:
    found = re.fullmatch(r"(\d{1,10})-(\d{1,16})", query.get("run", ""))
    if not found:
        raise Asked(f"run is {query.get('run', '')!r:.40}; expected one of {', '.join(board.run_ids()[-5:]) or 'those that /runs lists, which are none now'}")
    encoding = query.get("encoding", "webp")
    if encoding not in ENCODINGS:
        raise Asked(f"encoding is {encoding!r:.40}; expected jpg, png or webp")
    decoder = query.get("decoder", "auto")
    if not takes(TABLE["decoder"], decoder) or not re.fullmatch(r"[\w.-]{1,64}", decoder):
        raise Asked(f"decoder is {decoder!r:.40}; expected auto or a decoder's id")
    options = {"decoder": decoder, **({"lastStepMilliseconds": 1000} if query.get("sharp") == "1" else {})}
    picture = await board.step(int(found[1]), int(found[2]), _number(query, "step", 0, 1 << 31), _number(query, "item", 0, 4095),
                               _wanted(ENCODINGS[encoding], query), **options)
    return _picture(picture, "this step is not kept; /runs lists those that are")


def _wanted(encoding: str | None, query: Mapping[str, str]) -> Wanted:
    return Wanted(encoding, _number(query, "size", 0, LARGEST_SIZE), _number(query, "quality", 0, 100))


def _number(query: Mapping[str, str], name: str, least: int, most: int) -> int:
    text = query.get(name, "0")
    if not re.fullmatch(r"[0-9]{1,10}", text) or not least <= int(text) <= most:
        raise Asked(f"{name} is {text!r:.40}; expected a whole number from {least} to {most}")
    return int(text)


def _picture(picture: Preview | None, missing: str) -> Answer:
    if picture is None:
        return _text(404, missing)
    told = {"X-LatentBridge-Step": str(picture.step), "X-LatentBridge-Decoder": re.sub(r"[^\w.-]", "_", picture.decoder)}
    return _ok(picture.media_type, picture.data, told)


def _page() -> Answer:
    nonce = secrets.token_urlsafe(16)
    policy = (f"default-src 'none'; img-src 'self' blob: data:; connect-src 'self'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; "
              "base-uri 'none'; form-action 'none'; frame-ancestors 'self'")
    page = PAGE.read_text(encoding="utf-8").replace("{nonce}", nonce)
    return _ok("text/html; charset=utf-8", page.encode(), {"Content-Security-Policy": policy})


def _ok(media_type: str, body: bytes | AsyncIterator[bytes], headers: dict[str, str] | None = None) -> Answer:
    return Answer(200, media_type, body, {**HEADERS, **(headers or {})})


def _text(status: int, text: str) -> Answer:
    return Answer(status, "text/plain; charset=utf-8", text.encode(), HEADERS)
