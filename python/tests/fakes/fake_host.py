"""A host in Python that follows the protocol, or misbehaves as its arguments say.

Its picture of a latent is the SHA-256 of the payload it was given (as encoding ``png``, 1 x 1 pixels), so a test knows that
the right bytes arrived. Arguments are words with an optional value, such as ``die-on-submit=3`` or ``mute``.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from latentbridge import protocol

QUIRKS = dict(argument.partition("=")[::2] for argument in sys.argv[1:])


def number(name: str) -> int:
    return int(QUIRKS.get(name) or -1)


def say(**message: object) -> None:
    line = json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n"
    os.write(1, line)


def tell(method: str, **params: object) -> None:
    say(method=method, params=params)


class FakeHost:
    def __init__(self) -> None:
        self.submits = self.generation = 0
        self.images: list[int] = []
        self.unsent: list[tuple] = []
        self.begun: list[dict] = []
        self.runs: list[tuple[int, str]] = []
        self.seen: list[str] = []
        self.options: dict = {}
        self.newest: tuple[protocol.LatentHeader, bytes] | None = None

    def serve(self) -> None:
        if "say-on-stderr" in QUIRKS:
            print(QUIRKS["say-on-stderr"], file=sys.stderr, flush=True)
        if "endless-stderr" in QUIRKS:
            os.write(2, b"begun " + b"x" * (number("endless-stderr") << 20))
        if "die-at-start" in QUIRKS:
            os._exit(1)
        for line in sys.stdin.buffer:
            message = json.loads(line)
            self.seen.append(message["method"])
            getattr(self, message["method"])(message.get("id"), message.get("params", {}))
            if "garbage" in QUIRKS:
                os.write(1, b"so much for JSON\n[1]\n{\"jsonrpc\":\"2.0\",\"method\":\"ready\"}\n\xff\xfe\n")
            if "odd" in QUIRKS:
                self.say_odd_things()

    def say_odd_things(self) -> None:
        """Well-formed JSON-RPC with members of every wrong type."""
        for odd in ([], {}, "x", 1.5, -1, None, True, 1 << 60):
            for method in ("released", "ready", "dropped", "loading", "loaded", "unheard-of"):
                tell(method, **dict.fromkeys(("slot", "sequence", "run", "stream", "step", "reason", "needed", "decoder", "file"), odd))
                say(method=method, params=odd)
            say(method=odd, params={})
            say(id=odd, result=odd)
            say(id=odd, error=odd)
            say(id=1, error=odd)

    def hello(self, identifier: int, params: dict) -> None:
        if "mute" in QUIRKS:
            time.sleep(1000)
        if "refuse" in QUIRKS:
            say(id=identifier, error={"code": -32001, "message": "The shim speaks protocol 2, this host protocol 3: update the shim, or install both from one release."})
            sys.exit(3)
        if "refuse-by-exit" in QUIRKS:
            print("versions do not meet", file=sys.stderr, flush=True)
            sys.exit(3)
        self.avoid = params.get("avoid", [])
        say(id=identifier, result={"protocol": number("protocol") if "protocol" in QUIRKS else protocol.VERSION, "host": QUIRKS.get("version", "fake"),
                                   "process": os.getpid(), "kernel": "none", "processors": 1})

    def attach(self, identifier: int, params: dict) -> None:
        if "section" in params["mapping"]["kind"]:
            self.memory = mmap.mmap(-1, params["length"], tagname=params["mapping"]["name"])
        else:
            self.memory = mmap.mmap(params["mapping"]["fd"], params["length"])
        self.geometry, _, self.generation = protocol.read_header_page(self.memory)
        assert self.generation == params["generation"]
        assert self.geometry.length == params["length"]
        self.images = list(range(self.geometry.image_slots))
        say(id=identifier, result={"generation": self.generation})
        while self.unsent and self.images:
            self.finish(*self.unsent.pop(0))

    def configure(self, identifier: int, params: dict) -> None:
        self.options.update(params)
        say(id=identifier, result=self.options)

    def status(self, identifier: int, params: dict) -> None:
        say(id=identifier, result={"protocol": protocol.VERSION, "host": "fake", "generation": self.generation, "begun": self.begun,
                                   "options": self.options, "seen": self.seen, "freeImages": len(self.images), "runs": self.runs})

    def begin(self, identifier: None, params: dict) -> None:
        self.begun.append(params)
        self.runs.append((params["run"], "begin"))

    def end(self, identifier: None, params: dict) -> None:
        pass

    cancel = end

    def submit(self, identifier: None, params: dict) -> None:
        self.submits += 1
        if "load" in QUIRKS and not any(avoided["decoder"] == QUIRKS["load"] for avoided in self.avoid):
            tell("loading", decoder=QUIRKS["load"], file="/models/it.onnx")
            if "die-loaded" in QUIRKS:
                tell("loaded", decoder=QUIRKS["load"], file="/models/it.onnx")
            os._exit(9)
        if self.submits == number("die-on-submit") and self.is_first("die-on-submit-once"):
            if "say-before-dying" in QUIRKS:
                os.write(2, QUIRKS["say-before-dying"].encode() + b"\n")
            os._exit(9)
        if self.submits == number("starve-on-submit"):
            self.starve(number("for") / 1000)
        if self.submits == number("hang-on-submit"):
            if "mumble" in QUIRKS:
                tell("released", slot=99, sequence=1)
            time.sleep(1000)
        slot = params["slot"]
        offset = self.geometry.latent_offset(slot)
        header = protocol.read_latent_header(self.memory, offset, self.geometry, self.generation)
        assert header.sequence == params["sequence"]
        self.runs.append((header.run, "submit"))
        digest = self.digest(offset, header)
        if "keep-slots" not in QUIRKS:
            tell("released", slot=slot, sequence=header.sequence)
        if "lie-released" in QUIRKS:
            tell("released", slot=slot, sequence=header.sequence)
            tell("released", slot=99, sequence=1)
            tell("released", slot="x", sequence=None)
        if "slow" in QUIRKS:
            time.sleep(number("slow") / 1000)
        if "killer" in QUIRKS and {"decoder": "killer", "file": "/k.onnx"} not in self.avoid:
            self.ready(header, digest)
            tell("loading", decoder="killer", file="/k.onnx")
            tell("loading", decoder="innocent", file=None)
            tell("loaded", decoder="innocent", file=None)
            os._exit(9)
        if "drop" in QUIRKS:
            tell("dropped", sequence=header.sequence, reason=QUIRKS["drop"], detail="because")
        elif "needed" in QUIRKS and self.geometry.image_capacity < number("needed"):
            tell("dropped", sequence=header.sequence, reason="image-slot-too-small", detail="too big", needed=number("needed"))
        else:
            self.ready(header, digest)
        if self.submits == number("die-after-ready") and self.is_first("die-after-ready-once"):
            os._exit(9)

    @staticmethod
    def is_first(quirk: str) -> bool:
        """Whether no host before this one did it; the quirk names the file that says so. True without the quirk."""
        if (path := Path(QUIRKS.get(quirk, ""))) == Path(""):
            return True
        try:
            path.touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    @staticmethod
    def starve(seconds: float) -> None:
        """Uses a fifth of a processor and says nothing, as a program does that is let run now and then."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            spin = time.monotonic() + 0.01
            while time.monotonic() < spin:
                pass
            time.sleep(0.04)

    def digest(self, offset: int, header: protocol.LatentHeader) -> bytes:
        start = offset + protocol.SLOT_HEADER_LENGTH
        return hashlib.sha256(self.memory[start:start + header.length]).digest()

    def picture(self, header: protocol.LatentHeader, digest: bytes) -> dict:
        slot = self.images.pop(0)
        generation = self.generation + ("lie-image" in QUIRKS)
        protocol.write_image_header(self.memory, self.geometry.image_offset(slot), protocol.ImageHeader(
            generation, header.sequence, header.run, header.stream, header.step, header.total, header.flags, 1, 1, 1, len(digest)))
        start = self.geometry.image_offset(slot) + protocol.SLOT_HEADER_LENGTH
        self.memory[start:start + len(digest)] = digest
        return {"slot": slot, "sequence": header.sequence, "decoder": "sha256", "decodeMilliseconds": 1.5, "encodeMilliseconds": 0.5,
                "waitMilliseconds": 0.25,
                **({"note": QUIRKS["note"]} if "note" in QUIRKS else {}), **({"alarm": QUIRKS["alarm"]} if "alarm" in QUIRKS else {}), **({"warnings": [QUIRKS["warning"]]} if "warning" in QUIRKS else {})}

    def ready(self, header: protocol.LatentHeader, digest: bytes) -> None:
        self.newest = (header, digest)
        self.finish(header, digest, lambda picture: tell("ready", **picture))

    def finish(self, header: protocol.LatentHeader, digest: bytes, send) -> None:
        """Sends a picture now, or when an image slot has come back."""
        if self.images:
            send(self.picture(header, digest))
        else:
            self.unsent.append((header, digest, send))

    def decode(self, identifier: int, params: dict) -> None:
        offset = self.geometry.latent_offset(params["slot"])
        header = protocol.read_latent_header(self.memory, offset, self.geometry, self.generation)
        digest = self.digest(offset, header)
        tell("released", slot=params["slot"], sequence=params["sequence"])
        if "die-on-decode" in QUIRKS and self.is_first("die-on-decode"):
            os._exit(9)
        if "drop" in QUIRKS:
            say(id=identifier, error={"code": -32000, "message": "because"})
        elif "cancel-first" in QUIRKS and QUIRKS.pop("cancel-first") is not None:
            say(id=identifier, error={"code": -32004, "message": "cancelled"})
        elif "needed" in QUIRKS and self.geometry.image_capacity < number("needed"):
            say(id=identifier, error={"code": -32004, "message": "image-slot-too-small: too big", "data": {"needed": number("needed")}})
        else:
            self.finish(header, digest, lambda picture: say(id=identifier, result=picture))

    def encode(self, identifier: int, params: dict) -> None:
        """The newest picture as the digest of itself and of what was asked for."""
        if self.newest is None:
            say(id=identifier, error={"code": -32004, "message": "failed: stream 0 has no picture yet"})
        elif self.geometry.image_capacity < number("copy-needed"):
            say(id=identifier, error={"code": -32004, "message": "image-slot-too-small: too big", "data": {"needed": number("copy-needed")}})
        else:
            header, digest = self.newest
            words = hashlib.sha256(digest + json.dumps(params, sort_keys=True).encode()).digest()
            self.finish(header, words, lambda picture: say(id=identifier, result=picture))

    def teach(self, identifier: int, params: dict) -> None:
        offset = self.geometry.latent_offset(params["slot"])
        header = protocol.read_latent_header(self.memory, offset, self.geometry, self.generation)
        tell("released", slot=params["slot"], sequence=params["sequence"])
        if "drop" in QUIRKS:
            say(id=identifier, error={"code": -32005, "message": "because"})
        else:
            say(id=identifier, result={"pictures": 1, "used": True, "decibels": {}, "model": params["model"], "format": params["format"],
                                       "axes": header.axes, "sha256": self.digest(offset, header).hex()})

    def release(self, identifier: None, params: dict) -> None:
        assert params["slot"] not in self.images
        self.images.append(params["slot"])
        if self.unsent:
            self.finish(*self.unsent.pop(0))

    def shutdown(self, identifier: int, params: dict) -> None:
        say(id=identifier, result={})
        sys.exit(0)


if __name__ == "__main__":
    FakeHost().serve()
