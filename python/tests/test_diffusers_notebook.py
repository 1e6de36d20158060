"""The notebook of the examples, executed in a real kernel, with a tiny pipeline in place of its model."""

import base64
import io
import os
import tempfile
import unittest
from pathlib import Path

from latentbridge.host_locator import ROOT
from tests.bridges import real_host
from tests.real_diffusers import needed

try:
    import nbclient
    import nbformat
    import PIL.Image
except ImportError:
    nbclient = None

NOTEBOOK = ROOT / "examples" / "diffusers" / "preview.ipynb"
TINY = """
import sys
sys.path.insert(0, {python!r})
from tests import real_diffusers
from tests.fakes import tiny_pipelines
import latentbridge.diffusers
pipe, ask = tiny_pipelines.ALL["StableDiffusionXL"]()
pipe.set_progress_bar_config(disable=True)
ask["output_type"] = "pil"
inner = pipe.unet.forward
def forward(*arguments, **named):
    import time
    time.sleep(0.05)  # or no picture is late enough to be seen
    return inner(*arguments, **named)
pipe.unet.forward = forward
"""


@needed
@unittest.skipUnless(nbclient, "nbclient, nbformat or Pillow is missing")
class NotebookTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        real_host()
        notebook = nbformat.read(NOTEBOOK, 4)
        notebook.cells[1].source = TINY.format(python=str(ROOT / "python"))
        with tempfile.TemporaryDirectory() as folder:
            nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": folder}}).execute()
            cls.film = Path(folder, "run.apng").read_bytes()
        cls.cells = {tag: cell for cell in notebook.cells for tag in cell.metadata.get("tags", ())}
        if kept := os.environ.get("LATENTBRIDGE_NOTEBOOK"):
            nbformat.write(notebook, kept)

    def pictures(self, tag):
        """Each output of a cell that has a picture."""
        outputs = [output for output in self.cells[tag].outputs if output.output_type == "display_data"]
        found = [output.data[kind] for output in outputs for kind in ("image/jpeg", "image/png") if kind in output.data]
        return outputs, [PIL.Image.open(io.BytesIO(base64.b64decode(data))) for data in found]

    def test_a_cell_shows_one_picture_that_was_updated_in_place(self):
        for tag in ("preview", "callback"):
            with self.subTest(tag):
                outputs, pictures = self.pictures(tag)
                self.assertEqual((len(outputs), len(pictures)), (1, 1), outputs)
                self.assertEqual(pictures[0].format, "JPEG")
                self.assertEqual(pictures[0].size[0] * 3, pictures[0].size[1] * 4)
                self.assertIn("step 6 of 6", outputs[0].data["text/plain"])

    def test_a_step_is_a_picture_by_itself(self):
        result = self.cells["steps"].outputs[-1]
        self.assertEqual(result.output_type, "execute_result")
        self.assertTrue("image/jpeg" in result.data or "image/png" in result.data, result.data.keys())

    def test_the_film_is_written_and_the_generator_ends_with_the_picture(self):
        self.assertIn(b"acTL", self.film[:200])
        self.assertIn("image/png", self.cells["stream"].outputs[-1].data)


if __name__ == "__main__":
    unittest.main()
