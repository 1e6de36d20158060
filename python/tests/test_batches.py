"""``latentbridge.check`` and ``latentbridge.thumbnail``, alone and under the engines that map functions over data sets."""

import multiprocessing
import os
import pickle
import subprocess
import sys
import tempfile
import textwrap
import threading
import unittest
from pathlib import Path

try:
    import numpy
except ImportError:
    numpy = None

import latentbridge
from latentbridge import LatentError, batches, host_locator

PYTHON = Path(__file__).resolve().parents[1]


def made_up(count, seed=0):
    """SDXL-like latents, smooth and with noise; every fifth has a NaN, every seventh is zero."""
    random = numpy.random.default_rng(seed)
    y, x = numpy.mgrid[0:16, 0:24] / 16
    latents = random.normal(0, 0.4, (count, 4, 16, 24))
    for _ in range(6):
        u, v, phase = random.uniform(-8, 8, (3, count, 4, 1, 1))
        latents += 0.4 * numpy.sin(u * x + v * y + phase)
    latents[::5, 1, 2, 3] = numpy.nan
    latents[::7] = 0
    return latents.astype(numpy.float16)


def check_sdxl(latents):
    return latentbridge.check(latents, "SDXL")


def host_id(_):
    latentbridge.thumbnail(made_up(1), "SDXL", size=8)
    return os.getpid(), batches._Host._current._process.pid


def collate(items):
    return latentbridge.check(numpy.stack(items), "SDXL")["nan"]


@unittest.skipIf(numpy is None, "numpy is not installed")
class Batches(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if host_locator.find() is None:
            raise unittest.SkipTest("no host was found; " + host_locator.ADVICE)

    def test_each_fault_is_an_array(self):
        found = check_sdxl(made_up(35))
        self.assertEqual(numpy.flatnonzero(found["zero"]).tolist(), [0, 7, 14, 21, 28])
        self.assertEqual(numpy.flatnonzero(found["nan"]).tolist(), [5, 10, 15, 20, 25, 30])
        self.assertEqual(found["mean"].shape, (35, 4))
        self.assertEqual({name: found[name].dtype.kind for name in ("nan", "details", "std", "hash")}, {"nan": "b", "details": "O", "std": "f", "hash": "u"})
        self.assertIn("1 of 1536 values NaN", found["details"][5])

    def test_moments_are_numpys(self):
        latents = made_up(4, seed=3)[1:4]
        found = check_sdxl(latents)
        numpy.testing.assert_allclose(found["mean"], latents.astype(numpy.float64).mean((2, 3)), atol=1e-5)
        numpy.testing.assert_allclose(found["std"], latents.astype(numpy.float64).std((2, 3)), rtol=1e-4)

    def test_the_scale_is_named(self):
        found = latentbridge.check(made_up(3)[1:].astype(numpy.float32) * 0.13025, "SDXL")
        self.assertTrue(found["scale"].all())
        self.assertEqual(found["details"][0], "looks like VAE scale times 0.13025 twice")

    def test_copies_have_hashes_of_few_different_bits(self):
        latents = made_up(12)[1:5]
        hashes, noisy = (check_sdxl(some)["hash"].tolist() for some in (latents, latents + numpy.float16(0.01)))
        self.assertEqual(hashes, check_sdxl(latents.copy())["hash"].tolist())
        for i, one in enumerate(hashes):
            for j, other in enumerate(noisy):
                bits = bin(one ^ other).count("1")
                self.assertTrue(bits <= 6 if i == j else bits > 12, (i, j, bits))

    def test_pictures_have_the_size_and_colours_of_latent2rgb(self):
        latents = numpy.zeros((2, 4, 16, 24), numpy.float32)
        pictures = latentbridge.thumbnail(latents, "SDXL", size=48)
        self.assertEqual((pictures.shape, pictures.dtype), ((2, 32, 48, 3), numpy.uint8))
        bias = latentbridge.formats.numbers("SDXL")["rgb"][0]["bias"]
        for channel in range(3):
            self.assertAlmostEqual(float(pictures[0, 5, 5, channel]), (bias[channel] + 1) * 127.5, delta=1)

    def test_what_is_wrong_with_a_call_is_said_and_the_next_one_works(self):
        for latents, format, words in ((made_up(1)[0, 0], "SDXL", "expected"), (made_up(1), "Flux", "16"), (made_up(1), "none", "none"), (made_up(1)[:0], "SDXL", "at least 1")):
            with self.assertRaises(LatentError) as caught:
                latentbridge.check(latents, format)
            self.assertIn(words, str(caught.exception))
        self.assertEqual(len(check_sdxl(made_up(2))["nan"]), 2)

    def test_a_killed_host_is_an_error_once(self):
        check_sdxl(made_up(1))
        host = batches._Host._current._process
        host.kill()
        host.wait()
        self.assertEqual(len(check_sdxl(made_up(3))["nan"]), 3)

    def test_threads_take_turns(self):
        results = {}

        def work(seed):
            results[seed] = check_sdxl(made_up(20, seed))["hash"].tolist()

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for seed in range(4):
            self.assertEqual(results[seed], check_sdxl(made_up(20, seed))["hash"].tolist())

    def test_they_are_pickled_by_name(self):
        for function in (latentbridge.check, latentbridge.thumbnail):
            self.assertIs(pickle.loads(pickle.dumps(function)), function)

    def test_processes_of_every_kind_have_a_host_each(self):
        check_sdxl(made_up(1))
        own = batches._Host._current._process.pid
        for method in ("fork", "spawn"):
            if method not in multiprocessing.get_all_start_methods():
                continue
            with self.subTest(method), multiprocessing.get_context(method).Pool(2) as pool:
                hosts = dict(pool.map(host_id, range(8), chunksize=1))
                self.assertNotIn(own, hosts.values())
                self.assertEqual(len(set(hosts.values())), len(hosts))
                parts = pool.map(check_sdxl, numpy.array_split(made_up(30), 3))
                numpy.testing.assert_array_equal(numpy.concatenate([part["hash"] for part in parts]), check_sdxl(made_up(30))["hash"])

    def test_a_dataloaders_workers_run_them(self):
        try:
            from torch.utils.data import DataLoader
        except ImportError:
            self.skipTest("torch is not installed")
        loader = DataLoader(list(made_up(30)), batch_size=5, num_workers=2, collate_fn=collate)
        numpy.testing.assert_array_equal(numpy.concatenate(list(loader)), check_sdxl(made_up(30))["nan"])

    def test_torch_tensors_of_any_float_type_are_taken(self):
        try:
            import torch
        except ImportError:
            self.skipTest("torch is not installed")
        latents = made_up(4)[1:4].astype(numpy.float32)
        found = latentbridge.check(torch.from_numpy(latents).bfloat16(), "SDXL")
        numpy.testing.assert_allclose(found["mean"], latents.mean((2, 3)), atol=0.01)


DASK = """
    import json, os, signal, sys
    import numpy, distributed
    sys.path[:0] = [{python!r}, {tests!r}]
    from tests.test_batches import made_up
    import latentbridge

    def part(seed):
        found = latentbridge.check(made_up(20, seed), "SDXL")
        return [[int(x) for x in found["hash"]], found["nan"].tolist(), os.getpid()]

    if __name__ == "__main__":
        cluster = distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1")
        with cluster, distributed.Client(cluster) as client:
            first = client.gather(client.submit(part, 0, pure=False))
            futures = client.map(part, range(24))
            done = next(iter(distributed.as_completed(futures)))
            os.kill(done.result()[2], signal.SIGKILL)  # in the middle: the other parts are still to come
            report = [found[:2] for found in client.gather(futures)]
        print("REPORT " + json.dumps(report))
"""


@unittest.skipIf(numpy is None, "numpy is not installed")
@unittest.skipUnless(hasattr(os, "fork"), "workers are killed with a signal")
class Dask(unittest.TestCase):
    def test_a_report_survives_the_death_of_a_worker(self):
        if host_locator.find() is None:
            self.skipTest("no host was found; " + host_locator.ADVICE)
        if subprocess.run([sys.executable, "-W", "ignore", "-c", "import distributed"], capture_output=True).returncode:
            self.skipTest("distributed (Debian: python3-distributed) is not installed")
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder) / "scan_with_dask.py"
            script.write_text(textwrap.dedent(DASK.format(python=str(PYTHON), tests=str(PYTHON))), encoding="utf-8")
            run = subprocess.run([sys.executable, "-W", "ignore", str(script)], capture_output=True, text=True, timeout=180, cwd=folder)
        report = [line for line in run.stdout.splitlines() if line.startswith("REPORT ")]
        self.assertTrue(report, run.stdout + run.stderr)
        import json

        for seed, (hashes, nan) in enumerate(json.loads(report[0][len("REPORT "):])):
            found = check_sdxl(made_up(20, seed))
            self.assertEqual(([int(x) for x in found["hash"]], found["nan"].tolist()), (hashes, nan))


if __name__ == "__main__":
    unittest.main()
