"""benchmarks/vae_cost.py against the published counts, and docs/quality.md against it."""

import importlib.util
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def load():
    spec = importlib.util.spec_from_file_location("vae_cost", ROOT / "benchmarks" / "vae_cost.py")
    module = sys.modules["vae_cost"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class VaeCost(unittest.TestCase):
    def test_the_parameters_are_the_published_ones(self):
        cost = load()
        self.assertEqual(cost.vae_decoder(64).parameters, 49_490_179 + 20)
        self.assertEqual(cost.vae_encoder(64).parameters, 34_163_592 + 72)
        self.assertEqual(cost.taesd_decoder(64).parameters, 1_222_531)
        self.assertEqual(cost.taesd_encoder(64).parameters, 1_222_532)

    def test_taesds_work_is_that_of_its_catalogue_entry(self):
        # DecoderDescription.MultiplyAddsPerCell of taesd.
        self.assertEqual(load().taesd_decoder(64).multiply_adds, 17_254_656 * 64 * 64)

    def test_the_table_of_the_document_is_its_output(self):
        document = (ROOT / "docs" / "quality.md").read_text(encoding="utf-8")
        for line in load().rows():
            self.assertIn(line, document)


if __name__ == "__main__":
    unittest.main()
