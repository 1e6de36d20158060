"""The live view's page in a real Chromium, at desk and phone size, over the real host.

LATENTBRIDGE_PLAYWRIGHT is the folder of the npm package playwright-core; LATENTBRIDGE_CHROMIUM the program, where it is not on PATH.
LATENTBRIDGE_SCREENSHOTS keeps what was seen.
"""

import json
import os
import shutil
import subprocess
import time
import unittest
from pathlib import Path

import latentbridge.live
from latentbridge import Bridge
from latentbridge.host_locator import ROOT
from latentbridge.safetensors import read
from latentbridge.tensors import RawLatent
from tests.bridges import real_host, until

SCRIPT = Path(__file__).with_name("live_browser.mjs")
PLAYWRIGHT = os.environ.get("LATENTBRIDGE_PLAYWRIGHT", "")
CHROMIUM = os.environ.get("LATENTBRIDGE_CHROMIUM") or shutil.which("chromium") or ""


@unittest.skipUnless(PLAYWRIGHT and CHROMIUM and shutil.which("node"), "node, Chromium and LATENTBRIDGE_PLAYWRIGHT (the folder of playwright-core) are needed")
class BrowserTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        view = latentbridge.live.serve()
        cls.addClassCleanup(view.close)
        bridge = Bridge(host=real_host(), on_preview=view.board.arrived, on_latent=view.board.sent)
        cls.addClassCleanup(bridge.close)
        view.board.bridge = lambda: bridge
        assert bridge.start(30)
        environment = {**os.environ, "LATENTBRIDGE_PLAYWRIGHT": str(Path(PLAYWRIGHT).resolve()), "LATENTBRIDGE_CHROMIUM": CHROMIUM}
        with subprocess.Popen(["node", str(SCRIPT), view.url, os.environ.get("LATENTBRIDGE_SCREENSHOTS", "")], env=environment, text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as browser:
            assert browser.stdout.readline() == "open\n"
            for run, name in enumerate(("Flux_run8", "SDXL_run8"), 1):
                cls.sample(bridge, view.board, run, name)
            lines, _ = browser.communicate("over\n", 90)
        cls.seen = json.loads(lines)

    @staticmethod
    def sample(bridge, board, run, name):
        latent_format = name.partition("_")[0]
        steps = latents(ROOT / "examples" / "latents" / f"{name}.safetensors")
        board.describe(run, latent_format=latent_format)
        bridge.begin(run=run, latent_format=latent_format, encoding="jpeg")
        for step, latent in enumerate(steps):
            bridge.submit(latent, run=run, step=step, total=len(steps))
            until(lambda step=step: (newest := bridge.latest()) is not None and newest.step == step)
            time.sleep(0.15)
        bridge.end(run=run)

    def test_the_page_follows_the_newest_picture_without_an_error(self):
        self.assertEqual(self.seen["errors"], [])
        self.assertGreaterEqual(len([at for at in self.seen["steps"] if at.endswith("/ 8")]), 6, self.seen["steps"])

    def test_a_desk_and_a_phone_show_it_over_the_whole_width(self):
        for name, width in (("desk", 600), ("phone", 380)):
            with self.subTest(name):
                found = self.seen[name]
                self.assertIn("step 8 of 8", found["detail"])
                self.assertGreaterEqual(found["painted"][0], width)
                self.assertEqual((found["panes"], found["overflows"], found["small"]), (1, False, 0))

    def test_an_earlier_step_is_decoded_on_request(self):
        self.assertEqual((self.seen["back"]["at"], self.seen["tapped"]["at"]), ("6 / 8", "1 / 8"))
        self.assertGreaterEqual(self.seen["back"]["pictures"][0], 256)

    def test_one_to_one_is_one_pixel_for_each(self):
        self.assertEqual(self.seen["exact"]["painted"], self.seen["exact"]["pictures"])

    def test_runs_stand_side_by_side_with_one_zoom(self):
        found = self.seen["compared"]
        self.assertEqual(found["panes"], 2)
        self.assertEqual(len(set(found["painted"])), 1)


def latents(path):
    """The x0 of each step, as the bridge takes them."""
    _, tensors = read(path)
    x0 = tensors["x0"]
    count, size = x0.axes[0], len(x0.data) // x0.axes[0]
    return [RawLatent(x0.data[step * size:(step + 1) * size], x0.element_type, (1, *x0.axes[1:])) for step in range(count)]


if __name__ == "__main__":
    unittest.main()
