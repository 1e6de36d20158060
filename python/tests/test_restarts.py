"""The rules after a host died, with a clock of the test's own."""

import unittest

from latentbridge.restarts import BUSY_DEATHS, DECODER_WINDOW, MAXIMUM_PAUSE, Restarts

BAD, OTHER = ("onnx:bad", "/models/bad.onnx"), ("taesd", None)


class RestartsTests(unittest.TestCase):
    def test_after_a_picture_the_next_host_comes_at_once_and_pauses_double_without_one(self):
        restarts = Restarts(0.5, 3)
        self.assertEqual([restarts.failed(0, shown, None) for shown in (False, False, False)], [0.5, 1.0, 2.0])
        self.assertTrue(restarts.is_down)
        self.assertEqual([restarts.failed(0, shown, None) for shown in (True, False, True)], [0.0, 1.0, 0.0])
        self.assertFalse(restarts.is_down)

    def test_pauses_grow_to_five_minutes_and_never_end(self):
        restarts = Restarts(0.5, 3)
        pauses = [restarts.failed(now, False, None) for now in range(2000)]
        self.assertEqual((max(pauses), pauses[-1]), (MAXIMUM_PAUSE, MAXIMUM_PAUSE))
        self.assertEqual(restarts.refused(), MAXIMUM_PAUSE)

    def test_hosts_that_die_many_times_a_minute_are_slowed_down_though_they_show_pictures(self):
        restarts = Restarts(0.5, 3)
        pauses = [restarts.failed(now, True, None) for now in range(BUSY_DEATHS + 3)]
        self.assertEqual(pauses, [0.0] * BUSY_DEATHS + [0.5, 1.0, 2.0])
        self.assertEqual(restarts.failed(1000, True, None), 0.0)

    def test_a_decoder_at_two_deaths_within_the_window_is_avoided(self):
        restarts = Restarts(0.5, 3)
        for now, loading in ((0, BAD), (1, OTHER), (2, None)):
            restarts.failed(now, True, loading)
        self.assertEqual(restarts.avoided, [])
        restarts.failed(3, True, BAD)
        restarts.failed(4, True, BAD)
        self.assertEqual(restarts.avoided, [BAD])
        restarts.failed(1 + DECODER_WINDOW, True, OTHER)
        self.assertEqual(restarts.avoided, [BAD])


if __name__ == "__main__":
    unittest.main()
