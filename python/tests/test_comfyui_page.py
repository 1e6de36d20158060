"""What people read in ComfyUI: the page's script in a page that is none, nodes' tooltips, help pages, templates, translations."""

import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
import types
import unittest
from pathlib import Path
from unittest import mock

from latentbridge import formats
from tests.test_comfyui import OURS, ComfyUITestCase

ROOT = Path(__file__).parents[2]

PAGE = """
export const drawn = [];
export const elements = {};
const make = (name) => ({
  name, style: {}, children: [],
  append(child) { child.parent = this; this.children.push(child); },
  remove() { this.parent.children = this.parent.children.filter((one) => one !== this); },
  querySelector(selector) { return selector[0] === "." ? this.children.find((one) => "." + one.className === selector) ?? null : null; },
});
globalThis.document = {
  createElement: make, createTextNode: () => ({}),
  querySelector: (selector) => elements[selector.match(/data-node-id="(.*)"/)[1]] ?? null,
};
export const vue = (id) => { elements[id] = make("node"); return elements[id]; };
const graph = { nodes: {}, getNodeById(id) { return this.nodes[id]; } };
export const node = (id) => graph.nodes[id] = { id, size: [200, 300], setDirtyCanvas() {} };
export const values = { "LatentBridge.caption": true };
export const workflow = { activeWorkflow: { path: "a.json" } };
export const app = {
  rootGraph: graph, graph, canvas: { graph },
  extensionManager: { setting: { get: (id) => values[id] }, workflow },
  registerExtension(extension) { this.extension = extension; },
};
const listeners = {};
let prompts = 0;
export const api = {
  apiURL: (path) => path,
  fetchApi: async () => ({ json: async () => ({ controls: [
    { id: "LatentBridge.caption", name: "Caption", type: "boolean" }, { id: "LatentBridge.enabled", name: "Enabled", type: "boolean" }], trouble: null }) }),
  queuePrompt: async () => ({ prompt_id: `p${++prompts}` }),
  addEventListener: (name, listener) => { (listeners[name] ??= []).push(listener); },
};
export const send = (name, detail) => (listeners[name] ?? []).forEach((listener) => listener({ detail }));
export const tell = (node, prompt, caption = {}) => send("latentbridge.preview", {
  node, prompt, caption: caption && { decoder: "tiny", milliseconds: 16, step: 4, total: 6, note: null, ...caption } });
// The words that a canvas node paints.
export const words = (node) => {
  const found = [];
  node.onDrawForeground?.({ save() {}, restore() {}, fillRect() {}, measureText: () => ({ width: 20 }), fillText: (text) => text && found.push(text) });
  return found.join(" | ");
};
export const load = async () => { await import("./extensions/LatentBridge/latentbridge.js"); app.extension.setup(); };
"""


@unittest.skipUnless(shutil.which("node"), "node is not there to run the page's script")
class ScriptTests(unittest.TestCase):
    def page(self, program):
        """What the program prints, as JSON, in a page with the extension loaded."""
        with tempfile.TemporaryDirectory() as folder:
            for name, text in {
                    "page.mjs": PAGE, "package.json": '{"type": "module"}',
                    "scripts/app.js": 'export { app } from "../page.mjs";', "scripts/api.js": 'export { api } from "../page.mjs";',
                    "extensions/LatentBridge/latentbridge.js": (ROOT / "web" / "latentbridge.js").read_text(encoding="utf-8"),
                    "main.mjs": 'import { app, api, values, workflow, vue, node, send, tell, words, load } from "./page.mjs";\nawait load();\n'
                                f"const out = [];\n{program}\nconsole.log(JSON.stringify(out)); process.exit(0);"}.items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            done = subprocess.run(["node", "main.mjs"], cwd=folder, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_a_caption_stands_under_the_picture_and_says_why_another_decoder_made_it(self):
        self.assertEqual(self.page("""
            const n = node("3"); await api.queuePrompt(0, {});
            tell("3", "p1"); out.push(words(n));
            tell("3", "p1", { note: "taesd is being loaded", total: 0 }); out.push(words(n));
        """), ["4/6 | tiny 16 ms", "4 | tiny 16 ms | taesd is being loaded"])

    def test_it_goes_when_the_picture_goes_or_is_not_ours_any_more(self):
        self.assertEqual(self.page("""
            const n = node("3"), element = vue("4"); node("4"); await api.queuePrompt(0, {});
            for (const end of [() => send("executing", "3"), () => tell("3", "p1", null), () => app.extension.settings.find((s) => s.id === "LatentBridge.enabled").onChange(false),
                               () => app.extension.afterConfigureGraph()]) {
              tell("3", "p1"); out.push(words(n)); end(); out.push(words(n));
            }
            tell("4", "p1"); out.push(element.children.length); send("executing", "4"); out.push(element.children.length);
        """), ["4/6 | tiny 16 ms", ""] * 4 + [1, 0])

    def test_another_workflows_tab_shows_nothing_on_a_node_of_the_same_number(self):
        self.assertEqual(self.page("""
            const n = node("3"); await api.queuePrompt(0, {});
            workflow.activeWorkflow = { path: "b.json" };
            tell("3", "p1"); out.push(words(n));
            workflow.activeWorkflow = { path: "a.json" };
            tell("3", "p1"); out.push(words(n));
            tell("3", "of a script"); out.push(words(node("3")));
        """), ["", "4/6 | tiny 16 ms", ""])

    def test_a_subgraphs_node_has_words_only_where_the_page_paints_its_picture(self):
        self.assertEqual(self.page("""
            const canvas = node("3"); await api.queuePrompt(0, {});
            tell("3:30", "p1"); out.push(words(canvas));
            const element = vue("3"); tell("3:30", "p1"); out.push(element.children[0].textContent);
        """), ["", "tiny 16 ms  ·  4/6"])


class TextTests(ComfyUITestCase):
    def nodes(self):
        if importlib.util.find_spec("torch") is None:
            torch = mock.patch.dict(sys.modules, {"torch": types.ModuleType("torch")})
            torch.start()
            self.addCleanup(torch.stop)
            sys.modules["torch"].Tensor = object
        pack = types.SimpleNamespace(decoders=types.SimpleNamespace(known=lambda: ["auto"]))
        return self.module(f"{OURS}.nodes").mappings(pack)

    def inputs(self, kind):
        return {name: control for group in kind.INPUT_TYPES().values() for name, control in group.items()}

    def test_every_input_and_output_of_every_node_says_what_it_is(self):
        for name, kind in self.nodes().items():
            for control, (_, *options) in self.inputs(kind).items():
                with self.subTest(name, input=control):
                    self.assertTrue(options and options[0].get("tooltip"), "no tooltip")
            self.assertEqual(len(getattr(kind, "OUTPUT_TOOLTIPS", ())), len(kind.RETURN_TYPES), name)
            self.assertTrue(kind.DESCRIPTION)

    def test_every_node_has_a_help_page_that_names_its_inputs(self):
        for name, kind in self.nodes().items():
            page = (ROOT / "web" / "docs" / f"{name}.md").read_text(encoding="utf-8")
            for control in self.inputs(kind):
                self.assertRegex(page, rf"\| [^|]*\b{control}\b", name)

    def test_templates_lie_where_comfyui_looks_and_hold_nodes_of_ours(self):
        templates = sorted((ROOT / "example_workflows").glob("*.json"))
        used = {node["type"] for path in templates for node in json.loads(path.read_text(encoding="utf-8"))["nodes"]}
        self.assertGreaterEqual(used, {"LatentBridgeDecode", "LatentBridgeCompare", "LatentBridgePreviewSettings"})

    def test_translations_cover_every_setting_and_every_node_and_nothing_else(self):
        settings = {f"LatentBridge_{name}" for name in self.module(f"{OURS}.settings").TABLE} | {"LatentBridge_State"}
        nodes = self.nodes()
        folders = [path for path in (ROOT / "locales").iterdir() if path.is_dir()]
        self.assertTrue(folders)
        for folder in folders:
            with self.subTest(folder.name):
                read = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")}
                self.assertEqual(set(read["settings"]), settings)
                self.assertEqual(set(read["nodeDefs"]), set(nodes))
                for name, kind in nodes.items():
                    texts = read["nodeDefs"][name]
                    self.assertEqual(set(texts["inputs"]), set(self.inputs(kind)), name)
                    self.assertEqual(len(texts.get("outputs", {})), len(kind.RETURN_TYPES), name)

    def test_settings_are_found_by_the_words_that_people_look_for(self):
        names = " ".join(control["name"] for control in self.module(f"{OURS}.settings").describe(["auto"])).lower()
        for word in ("png", "jpeg", "webp", "taesd", "tiny", "latent2rgb"):
            self.assertIn(word, names)


class FormatTests(unittest.TestCase):
    def test_a_latent_of_another_format_is_told_which_formats_have_such_axes(self):
        self.assertIsNone(formats.misfit((2, 4, 64, 64), "SDXL"))
        self.assertIsNone(formats.misfit((1, 16, 5, 8, 8), "Wan21"))
        for shape, latent_format, expected in (
                ((1, 16, 64, 64), "SDXL", ("[1, 16, 64, 64]", "[B,C,H,W] with 4 channels", "Flux", "SD3")),
                ((1, 16, 8, 8), "Wan21", ("[B,C,T,H,W] with 16 channels", "Flux")),
                ((1, 64, 100), "Flux", ("StableAudio1",)),
                ((1, 3, 3, 3, 3, 3), "Flux", ("No format has such a latent",)),
                ((1, 4, 8, 8), "SDLX", ("SDLX", "expected one of", "SDXL"))):
            with self.subTest(latent_format, shape=shape):
                for words in expected:
                    self.assertIn(words, formats.misfit(shape, latent_format))

    def test_causal_videos_are_known(self):
        self.assertEqual([formats.is_causal_video(name) for name in ("Wan21", "HunyuanVideo", "LTXV", "SDXL", "SeedVR2", "no such", None)],
                         [True, True, True, False, False, False, False])


if __name__ == "__main__":
    unittest.main()
