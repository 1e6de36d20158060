"""docs/protocol.md as Python writes and reads it, against the vectors both sides share."""

import json
import re
import unittest
from pathlib import Path

from latentbridge import protocol

VECTORS = Path(__file__).parents[2] / "tests" / "Vectors"


def load(name):
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


def data(vector):
    return bytes.fromhex("".join(vector["hex"]))


def page(vector):
    return data(vector).ljust(protocol.PAGE, b"\0")


class HeaderPage(unittest.TestCase):
    def test_good_pages_are_written_and_read_byte_for_byte(self):
        for vector in load("header-page.json")["good"]:
            with self.subTest(vector["name"]):
                fields = vector["fields"]
                geometry = protocol.Geometry(fields["latentSlotCount"], fields["latentSlotStride"],
                                             fields["imageSlotCount"], fields["imageSlotStride"])
                written = bytearray(b"\xff" * protocol.PAGE)
                protocol.write_header_page(written, geometry, fields["ownerProcess"], fields["generation"])
                self.assertEqual(bytes(written), page(vector))
                self.assertEqual(geometry.length, fields["totalLength"])
                self.assertEqual(protocol.read_header_page(written), (geometry, fields["ownerProcess"], fields["generation"]))

    def test_bad_pages_are_refused(self):
        for vector in load("header-page.json")["bad"]:
            with self.subTest(vector["name"]), self.assertRaises(protocol.ProtocolError):
                protocol.read_header_page(page(vector))


class SlotHeaders(unittest.TestCase):
    def setUp(self):
        self.geometry, _, _ = protocol.read_header_page(page(load("header-page.json")["good"][0]))

    def test_good_latent_headers_are_written_and_read_byte_for_byte(self):
        for vector in load("latent-slot.json")["good"]:
            with self.subTest(vector["name"]):
                f = vector["fields"]
                header = protocol.LatentHeader(
                    f["sequence"], f["run"], f["stream"], f["step"], f["totalSteps"], f["flags"],
                    f["elementType"], tuple(f["axes"]), f["payloadLength"])
                written = bytearray(b"\xff" * 128)
                protocol.write_latent_header(written, 0, f["generation"], header)
                self.assertEqual(bytes(written), data(vector))
                self.assertEqual(protocol.read_latent_header(written, 0, self.geometry, f["generation"]), header)

    def test_good_image_headers_are_written_and_read_byte_for_byte(self):
        for vector in load("image-slot.json")["good"]:
            with self.subTest(vector["name"]):
                f = vector["fields"]
                header = protocol.ImageHeader(
                    f["generation"], f["sequence"], f["run"], f["stream"], f["step"], f["totalSteps"], f["flags"],
                    f["encoding"], f["width"], f["height"], f["payloadLength"])
                written = bytearray(b"\xff" * 128)
                protocol.write_image_header(written, 0, header)
                self.assertEqual(bytes(written), data(vector))
                self.assertEqual(protocol.read_image_header(written, 0, self.geometry, f["generation"]), header)

    def test_slots_that_lie_are_refused(self):
        for name, read in (("latent-slot.json", protocol.read_latent_header), ("image-slot.json", protocol.read_image_header)):
            for vector in load(name)["bad"]:
                with self.subTest(f"{name}: {vector['name']}"), self.assertRaises(protocol.ProtocolError):
                    read(data(vector), 0, self.geometry, 1)


class Lines(unittest.TestCase):
    def test_the_shims_lines_are_written_byte_for_byte(self):
        built = {
            "hello": protocol.request(1, "hello", protocol=2, protocolMinimum=2, client="latentbridge-python 0.1.0",
                                      process=4711, models=["/ui/models/vae_approx"]),
            "hello-avoid": protocol.request(1, "hello", protocol=2, client="latentbridge-python 0.1.0",
                                            avoid=[{"decoder": "onnx", "file": "/ui/models/bad.onnx"}, {"decoder": "taesd", "file": None}]),
            "attach-fd": protocol.request(2, "attach", mapping={"kind": "fd", "fd": 7}, length=7376896, generation=1),
            "configure": protocol.request(3, "configure", decoder="tiny", size=512, threads=1, calibrate=True),
            "begin": protocol.notification("begin", stream=0, run=7, format="SDXL", space="sampler", batch="grid"),
            "begin-model": protocol.notification("begin", stream=0, run=9, format="SDXL", space="sampler", model="sd_xl_base_1.0.safetensors"),
            "begin-guess": protocol.notification("begin", stream=0, run=8, format=None),
            "submit": protocol.submit_line(2, 9007199254740991),
            "release": protocol.release_line(1),
            "cancel": protocol.notification("cancel", stream=0, run=7),
            "end": protocol.notification("end", stream=0, run=7),
            "decode": protocol.request(4, "decode", slot=3, sequence=46, format="SDXL", decoder="latent2rgb"),
            "encode": protocol.request(9, "encode", stream=0, encoding="jpeg", size=512, quality=80),
            "teach": protocol.request(8, "teach", slot=1, sequence=47, format="SDXL", model="sd_xl_base_1.0.safetensors"),
            "status": protocol.request(5, "status"),
            "shutdown": protocol.request(6, "shutdown"),
        }
        expected = self.lines(">")
        for name, line in built.items():
            with self.subTest(name):
                self.assertEqual(line, expected[name] + b"\n")

    def test_the_hosts_lines_are_read(self):
        for name, line in self.lines("<").items():
            with self.subTest(name):
                self.assertEqual(protocol.parse_line(line)["jsonrpc"], "2.0")

    def test_what_is_no_message_is_refused(self):
        for line in (b"", b"so much for JSON", b"17", b"[]", b"null", b'{"id":1}', b'{"jsonrpc":"1.0"}', b"\xff\xfe", b"[" * 90000,
                     b" " * (protocol.MAXIMUM_LINE + 1)):
            with self.subTest(line[:20]), self.assertRaises(protocol.ProtocolError):
                protocol.parse_line(line)

    @staticmethod
    def lines(direction):
        text = (VECTORS / "messages.txt").read_text(encoding="utf-8")
        return {name: line.encode() for name, line in re.findall(rf"^(\S+) {direction} (.*)$", text, re.MULTILINE)}
