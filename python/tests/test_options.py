"""The table of preview options that ships with the shim."""

import subprocess
import unittest
import unittest.mock
from pathlib import Path

from latentbridge import host_locator, options
from tests.bridges import real_host


class Options(unittest.TestCase):
    def test_the_protocols_values_pass(self):
        for chosen in ({"decoder": "tiny"}, {"size": 0}, {"size": 16384}, {"scaling": "nearest"}, {"batch": "grid"}, {"item": 3},
                        {"frame": "last"}, {"frame": 7}, {"frame": "auto"}, {"encoding": "webp"}, {"threads": 256}, {"lastStepMilliseconds": 1000},
                        {"calibrate": False}):
            with self.subTest(chosen):
                self.assertEqual(options.check(chosen), chosen)

    def test_others_are_refused_with_what_is_allowed(self):
        for chosen, said in (({"sise": 1}, "known are decoder, size"), ({"size": 16385}, "0 to 16384"), ({"size": True}, "0 to"),
                              ({"size": "big"}, "0 to"), ({"batch": "all"}, "first, grid, item"), ({"frame": -1}, "middle"),
                              ({"frame": 1.5}, "a whole number from 0"), ({"encoding": "gif"}, "png"), ({"decoder": ""}, "some text"),
                              ({"calibrate": 1}, "True or False")):
            with self.subTest(chosen), self.assertRaisesRegex(ValueError, said):
                options.check(chosen)

    def test_defaults_are_among_what_an_option_takes(self):
        for name, option in options.TABLE.items():
            self.assertTrue(options.takes(option, option["default"]), name)
            self.assertTrue(option["help"], name)

    def test_an_option_of_the_file_is_known_without_more(self):
        with unittest.mock.patch.dict(options.TABLE, {"dummy": {"default": 0, "minimum": 0, "maximum": 3, "help": "For the test"}}):
            self.assertEqual(options.check({"dummy": 3}), {"dummy": 3})
            with self.assertRaisesRegex(ValueError, "dummy is 4; expected a whole number from 0 to 3"):
                options.check({"dummy": 4})

    def test_the_file_is_what_the_host_writes(self):
        real_host()
        written = subprocess.run([*host_locator.find(), "options"], stdout=subprocess.PIPE, check=True).stdout
        self.assertEqual(written, Path(options.__file__).with_name("options.json").read_bytes(),
                         "write it anew: ./run.sh options > python/latentbridge/options.json")
