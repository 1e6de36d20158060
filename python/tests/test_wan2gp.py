"""Wan2GP's preview. Its own plugin manager runs here where LATENTBRIDGE_WAN2GP names a checkout, with what it imports stubbed; else a fake base class does."""

import importlib.util
import os
import sys
import types
import unittest
from pathlib import Path
from unittest import mock

from latentbridge import Bridge, host_locator
from tests.bridges import until

try:
    import torch
    from PIL import Image

    from latentbridge.integrations.asked_picture import AskedPicture
except ImportError as error:
    raise unittest.SkipTest(f"torch and Pillow are needed: {error}") from error

HOST = Path(__file__).parent / "fakes" / "a1111_host.py"
CHECKOUT = os.environ.get("LATENTBRIDGE_WAN2GP", "")


class FakePlugin:
    def __init__(self):
        self.global_requests = []

    def request_global(self, name):
        self.global_requests.append(name)

    def set_global(self, name, value):
        return self._set_wgp_global_func(name, value)


class Plugin(unittest.TestCase):
    def base_modules(self):
        plugins = types.ModuleType("shared.utils.plugins")
        plugins.WAN2GPPlugin = FakePlugin
        return {"shared": types.ModuleType("shared"), "shared.utils": types.ModuleType("shared.utils"), "shared.utils.plugins": plugins}

    def setUp(self):
        patch = mock.patch.dict(sys.modules, self.base_modules())
        patch.start()
        self.addCleanup(patch.stop)
        sys.modules.pop("latentbridge.integrations.wan2gp", None)
        self.wan2gp = importlib.import_module("latentbridge.integrations.wan2gp")
        self.own, self.family = [], "wan"
        handler = types.SimpleNamespace(query_model_family=lambda: self.family)
        self.globals = {"generate_preview": lambda model, payload: self.own.append(model) or "own", "get_model_handler": lambda model: handler}

    def join(self):
        bridge = Bridge(host=[sys.executable, "-S", str(HOST)])
        self.addCleanup(bridge.close)
        plugin = self.wan2gp.LatentBridgePlugin(AskedPicture(bridge))
        plugin.setup_ui()
        plugin._set_wgp_global_func = self.globals.__setitem__
        for name in plugin.global_requests:
            setattr(plugin, name, self.globals[name])
        plugin.post_ui_setup({})
        plugin.generate_preview = self.globals["generate_preview"]  # Wan2GP tells of the new one
        plugin.post_ui_setup({})
        return bridge

    def preview(self, latents):
        return self.globals["generate_preview"]("t2v", latents)

    def latents(self, channels=16, frames=1):
        return torch.full((channels, frames, 6, 8), 77.0)

    def test_four_frames_are_shown_in_a_row(self):
        self.assertTrue(self.join().start(20))
        for frames, shown in ((1, 1), (9, 4)):
            image = self.preview({"latents": self.latents(frames=frames)})
            self.assertEqual((image.height, image.getpixel((0, 0))), (200, (77, 0, 0)))
            self.assertAlmostEqual(image.width / 200, shown * 8 / 6, places=1)
        self.family = "flux"
        self.assertIsInstance(self.preview(self.latents()), Image.Image)
        self.assertEqual(self.own, [])

    def test_the_ui_s_own_goes_on_where_the_bridge_has_nothing(self):
        bridge = self.join()
        self.assertEqual(self.preview(self.latents()), "own")  # starts the host
        until(lambda: bridge.host_pid)
        for payload in (None, {"meta": 1}, self.latents(channels=7), torch.zeros(3)):
            self.assertEqual(self.preview(payload), "own")
        self.family = "ltx2"
        self.assertEqual(self.preview(self.latents()), "own")
        self.assertEqual(len(self.own), 6)

    def test_no_error_gets_out(self):
        self.join()
        handler = mock.Mock()
        handler.query_model_family.side_effect = RuntimeError
        self.globals["generate_preview"].__self__.get_model_handler = lambda model: handler
        with self.assertLogs("latentbridge", "WARNING"):
            self.assertEqual(self.preview(self.latents()), "own")


@unittest.skipUnless(CHECKOUT, "LATENTBRIDGE_WAN2GP names no checkout of deepbeepmeep/Wan2GP")
class RealManager(Plugin):
    """The tests above with Wan2GP's own ``shared/utils/plugins.py``; what it imports is stubbed."""

    def base_modules(self):
        found = super().base_modules()
        for name in ("gradio", "git", "requests", "shared.utils.wgp_config_migration"):
            found[name] = mock.MagicMock()
        path = Path(CHECKOUT, "shared", "utils", "plugins.py")
        for name, folder in (("shared", path.parents[1]), ("shared.utils", path.parent)):
            found[name].__path__ = [str(folder)]
        spec = importlib.util.spec_from_file_location("shared.utils.plugins", path)
        module = found["shared.utils.plugins"] = importlib.util.module_from_spec(spec)
        with mock.patch.dict(sys.modules, found):
            spec.loader.exec_module(module)
        return found

    def test_its_manager_loads_the_repository_as_a_plugin(self):
        import tempfile

        folder = self.enterContext(tempfile.TemporaryDirectory())
        Path(folder, "wan2gp-latentbridge").symlink_to(host_locator.ROOT)
        self.enterContext(mock.patch.object(sys, "path", [folder, *sys.path]))
        manager = sys.modules["shared.utils.plugins"].PluginManager(folder)
        manager.load_plugins_from_directory(["wan2gp-latentbridge"])
        self.assertEqual([plugin.name for plugin in manager.get_all_plugins().values()], ["LatentBridge"])


if __name__ == "__main__":
    unittest.main()
