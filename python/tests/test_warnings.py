"""Early warnings, from a latent to the word in a preview (docs/warnings.md)."""

import array
import random
import unittest

from tests.bridges import BridgeTestCase, real_host


class Alarms(BridgeTestCase):
    def test_a_word_that_nobody_knows_here_is_none(self):
        for word, alarm in (("still", "still"), ("of-a-newer-host", ""), ("7", "")):
            with self.subTest(word=word):
                bridge = self.bridge(f"alarm={word}", "warning=the picture no longer changes")
                self.assertEqual(self.show(bridge)[1].alarm, alarm)

    def test_the_host_tells_runs_that_go_wrong_and_says_nothing_of_the_others(self):
        bridge = self.bridge(host=real_host(), start_patience=30, patience=10, decoder="latent2rgb", encoding="rgb24")
        noise = random.Random(1)
        natural = [noise.gauss(0, 1) for _ in range(4 * 64)]
        runs = {
            "": natural, "nan": [float("nan"), *natural[1:]], "flat": [float(place // 64) for place in range(256)],
            "exploding": [20 * value for value in natural],
        }
        for run, (alarm, values) in enumerate(runs.items()):
            bridge.begin(run=run, latent_format="SD15")
            preview = self.send(bridge, values, run, step=10)
            self.assertEqual((preview.alarm, len(preview.warnings)), (alarm, 1 if alarm else 0))
        bridge.begin(run=9, latent_format="SD15")
        alarms = [self.send(bridge, natural, 9, step).alarm for step in range(20)]
        self.assertEqual(alarms, ["still" if 5 <= step <= 15 else "" for step in range(20)])
        self.assertIn("the picture no longer changes", bridge.status(5)["host"]["streams"][0]["warnings"])

    def send(self, bridge, values, run, step):
        latent = memoryview(array.array("f", values)).cast("B").cast("f", (1, 4, 8, 8))
        self.assertTrue(bridge.submit(latent, run=run, step=step, total=20))
        preview = bridge.wait(run=run, step=step, timeout=20)
        self.assertIsNotNone(preview)
        return preview


if __name__ == "__main__":
    unittest.main()
