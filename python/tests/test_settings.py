"""What both UIs' settings and ready pictures rest on."""

import io
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from latentbridge.integrations.ready_image import ReadyImage, encode
from latentbridge.integrations.settings import COMMON, DecoderList, Setting
from tests.bridges import real_host

try:
    from PIL import Image
except ImportError:
    Image = None


class SettingTests(unittest.TestCase):
    def test_each_kind_takes_what_it_says_and_reads_the_default_for_the_rest(self):
        for setting, good, bad in (
                (Setting(0, "", "", range=(0, 64, 8)), (0, 64, 8.0, 3), (-1, 65, True, "8", None, float("nan"), [])),
                (Setting("a", "", "", ("a", "b")), ("a", "b"), ("c", 1, None, ["a"], True)),
                (Setting("a", "", "", ("a", "b"), is_open=True), ("a", "c"), (1, None, ["a"])),
                (Setting(True, "", ""), (True, False), (0, 1, "yes", None))):
            for value in good:
                self.assertTrue(setting.takes(value), (setting, value))
                self.assertEqual(setting.read(value), value)
            for value in bad:
                self.assertFalse(setting.takes(value), (setting, value))
                self.assertEqual(setting.read(value), setting.default)
        self.assertIsInstance(Setting(0, "", "", range=(0, 64, 8)).read(8.0), int)

    def test_defaults_are_among_what_a_setting_takes(self):
        for name, setting in COMMON.items():
            self.assertTrue(setting.takes(setting.default), name)
            self.assertTrue(setting.name and setting.tooltip, name)


class DecoderListTests(unittest.TestCase):
    def test_the_host_says_what_there_is(self):
        real_host()
        decoders = DecoderList()
        self.assertEqual(decoders.known(), list(COMMON["decoder"].choices))
        choices = decoders.choices()
        self.assertEqual(decoders.known(), choices)
        self.assertEqual(choices[0], "auto")
        self.assertLessEqual({"tiny", "latent2rgb", "estimated"}, set(choices))
        self.assertEqual(len(choices), len(set(choices)))

    def test_without_an_answer_what_may_be_there(self):
        with tempfile.TemporaryDirectory() as folder:
            for output in ("", "[]", '{"decoders": [{}]}', "\\x00"):
                program = Path(folder, "host.py")
                program.write_text(f"print('{output}')")
                for command in ([sys.executable, str(program)], [folder], None):
                    with mock.patch("latentbridge.host_locator.find", return_value=command):
                        self.assertEqual(DecoderList().choices(), list(COMMON["decoder"].choices))

    def test_what_is_kept_to_learn_from_is_said_and_forgotten(self):
        with tempfile.TemporaryDirectory() as folder:
            program, asked = Path(folder, "host.py"), Path(folder, "asked")
            program.write_text(f"""import sys
open({str(asked)!r}, "a").write(" ".join(sys.argv[1:]) + "\\n")
print('{{"decoders": [{{"id": "tiny"}}], "learned": [{{"format": "SDXL", "kept": 12, "bytes": 7400000, "pictures": 9, "decibels": 29.4}}, '
      '{{"format": "Flux", "kept": 3, "bytes": 1600000, "pictures": null, "decibels": null}}]}}')
""")
            with mock.patch("latentbridge.host_locator.find", return_value=[sys.executable, str(program)]):
                decoders = DecoderList()
                self.assertEqual(decoders.learned_in_words(), "")
                decoders.forget()  # of nothing
                self.assertEqual(decoders.choices(), ["auto", "tiny", "learned"])
                self.assertEqual(decoders.learned_in_words(), " Pictures kept to learn from: SDXL 12 (decoder of 9, 29.4 dB), Flux 3 (no decoder yet); 9 MB. "
                                 "`latentbridge models forget all` deletes them.")
                decoders.forget()
            self.assertEqual(decoders.learned_in_words(), "")
            self.assertEqual(asked.read_text().splitlines(), ["models list --json", "models forget all"])


@unittest.skipIf(Image is None, "Pillow is not installed")
class ReadyImageTests(unittest.TestCase):
    def setUp(self):
        self.data = encode(Image.new("RGB", (6, 4), (90, 60, 30)), "png")
        self.image = ReadyImage(self.data, "PNG", (6, 4))

    def saved(self, *arguments, **options):
        file = io.BytesIO()
        self.image.save(file, *arguments, **options)
        return file.getvalue()

    def test_its_own_format_is_handed_out_byte_for_byte(self):
        self.assertEqual(self.saved(), self.data)
        self.assertEqual(self.saved(format="png", optimize=True), self.data)
        self.assertEqual(self.saved("PNG", pnginfo=None, quality=80), self.data)

    def test_another_format_metadata_and_a_files_name_go_through_pillow(self):
        from PIL.PngImagePlugin import PngInfo

        info = PngInfo()
        info.add_text("parameters", "a lighthouse")
        self.assertEqual(Image.open(io.BytesIO(self.saved(format="PNG", pnginfo=info))).text, {"parameters": "a lighthouse"})
        self.assertEqual(Image.open(io.BytesIO(self.saved(format="JPEG"))).format, "JPEG")
        with tempfile.TemporaryDirectory() as folder:
            self.image.save(str(Path(folder, "picture.bmp")))
            self.assertEqual(Image.open(Path(folder, "picture.bmp")).getpixel((0, 0)), (90, 60, 30))

    def test_everything_else_is_the_pictures(self):
        self.assertEqual((self.image.mode, self.image.size, self.image.info), ("RGB", (6, 4), {}))
        self.assertEqual(self.image.convert("L").getpixel((5, 3)), 66)
        self.assertIs(self.image.convert("RGB"), self.image)
        self.assertFalse(self.image.is_animated)
        self.assertFalse(hasattr(self.image, "nonsense"))

    def test_webp_may_pass_for_jpeg(self):
        self.image = ReadyImage(b"webp", "WEBP", (6, 4), passes_for="JPEG")
        self.assertEqual(self.saved("jpg"), b"webp")


if __name__ == "__main__":
    unittest.main()
