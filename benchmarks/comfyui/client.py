"""A ComfyUI page's end of the wire: queues prompts and collects messages. Standard library only."""

from __future__ import annotations

import base64
import json
import os
import socket
import struct
import time
import urllib.request
import uuid
import zlib
from urllib.parse import urlsplit


class Page:
    """One websocket client. ``flags`` False is an old page, which gets event 1 in place of event 4; ``deflate`` asks for compressed
    messages, as browsers do."""

    def __init__(self, url: str, flags: bool = True, timeout: float = 120.0, deflate: bool = False) -> None:
        self.url, self.client = url.rstrip("/"), uuid.uuid4().hex
        parts = urlsplit(self.url)
        self._socket = socket.create_connection((parts.hostname, parts.port), timeout=timeout)
        key = base64.b64encode(os.urandom(16)).decode()
        extension = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n" if deflate else ""
        self._inflate = zlib.decompressobj(-15)
        self._socket.sendall((f"GET /ws?clientId={self.client} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\n"
                              f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{extension}\r\n").encode())
        self._file = self._socket.makefile("rb")
        if b" 101 " not in (status := self._file.readline()):
            raise ConnectionError(f"no websocket at {url}: {status!r}")
        self.deflated = False
        while header := self._file.readline().strip():
            self.deflated |= b"permessage-deflate" in header
        self._send(1, json.dumps({"type": "feature_flags", "data": {"supports_preview_metadata": flags}}).encode())
        while "feature_flags" not in self._receive()[1].decode("utf-8", "replace"):
            pass

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def queue(self, graph: dict, client: bool = True, **extra: object) -> str:
        """Queues a graph in the API format; its prompt id. ``extra`` goes into ``extra_data``."""
        body = {"prompt": graph, "extra_data": extra, **({"client_id": self.client} if client else {})}
        return call(self.url + "/prompt", body)["prompt_id"]

    def run(self, graph: dict, on_message=None, **extra: object) -> Run:
        """Queues a graph and collects what comes until it has ended; ``on_message(event, data)`` sees each message."""
        prompt = self.queue(graph, **extra)
        run = Run(prompt)
        while run.ended is None:
            opcode, data = self._receive()
            if opcode == 8:
                raise ConnectionError("the server closed the socket")
            event, data = run.take(opcode, data)
            if on_message is not None:
                on_message(event, data)
        if run.ended == "execution_success":
            while not (found := call(f"{self.url}/history/{prompt}")):  # written just after the message
                time.sleep(0.01)
            run.outputs = found[prompt]["outputs"]
        return run

    def _send(self, opcode: int, data: bytes) -> None:
        mask, length = os.urandom(4), len(data)
        head = bytes([0x80 | opcode, 0x80 | length]) if length < 126 else bytes([0x80 | opcode, 0xFE]) + struct.pack(">H", length)
        self._socket.sendall(head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(data)))

    def _receive(self) -> tuple[int, bytes]:
        message, kind, deflated = b"", 0, False
        while True:
            head = self._file.read(2)
            if len(head) < 2:
                return 8, b""
            length = head[1] & 127
            if length > 125:
                length = int.from_bytes(self._file.read(2 if length == 126 else 8), "big")
            data, opcode = self._file.read(length), head[0] & 15
            if opcode == 9:
                self._send(10, data)
            elif opcode == 8:
                return 8, data
            else:
                message, kind, deflated = message + data, opcode or kind, deflated or bool(head[0] & 0x40)
                if head[0] & 0x80:
                    return kind, self._inflate.decompress(message + b"\0\0\xff\xff") if deflated else message


class Run:
    """What came of one prompt: ``pictures`` are (event, metadata or None, bytes), ``outputs`` those of /history."""

    def __init__(self, prompt: str) -> None:
        self.prompt, self.ended, self.error = prompt, None, None
        self.pictures: list[tuple[int, dict | None, bytes]] = []
        self.outputs: dict = {}

    def take(self, opcode: int, data: bytes) -> tuple[str, object]:
        if opcode == 2:
            event = int.from_bytes(data[:4], "big")
            length = int.from_bytes(data[4:8], "big") if event == 4 else 0
            metadata = json.loads(data[8:8 + length]) if event == 4 else None
            if event in (1, 4) and (event == 1 or metadata["prompt_id"] == self.prompt):
                self.pictures.append((event, metadata, data[8 + length:]))
            return f"binary {event}", data
        message = json.loads(data)
        body = message.get("data") or {}
        if body.get("prompt_id") == self.prompt and message["type"] in ("execution_success", "execution_error", "execution_interrupted"):
            self.ended, self.error = message["type"], body.get("exception_message")
        return message["type"], body


def call(url: str, data: object = None) -> dict:
    """GET, or POST of ``data`` as JSON; the JSON answer."""
    body = None if data is None else json.dumps(data).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        text = answer.read()
    return json.loads(text) if text else {}


def probe(latent_format: str, shape: str, steps: int, step_milliseconds: int = 0, ready_bytes: int = 0, swarm: str = "") -> dict:
    """A graph of one probe node, with a seed of its own, or ComfyUI would answer from its cache."""
    seed = int.from_bytes(os.urandom(3), "big")
    return {"1": {"class_type": "LatentBridgeProbe", "inputs": {
        "latent_format": latent_format, "shape": shape, "steps": steps, "step_milliseconds": step_milliseconds, "seed": seed,
        "ready_bytes": ready_bytes, "swarm": swarm}}}
