// LatentBridge in ComfyUI's page: controls on the settings page, made from the server's own list, and a line of text under a preview.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";

const PATH = "/latentbridge/settings";
let { controls, trouble } = await load();
let loading = null;

async function load() {
  return (await api.fetchApi(PATH)).json();
}

// The decoders are those of this moment: asked for whenever the settings are opened, so weights added meanwhile are there the next time.
function refresh() {
  loading ??= load().then((found) => { ({ controls, trouble } = found); }).finally(() => { setTimeout(() => { loading = null; }, 2000); });
  return loading;
}

function choices(id, current) {
  refresh();
  const known = controls.find((control) => control.id === id).options;
  return (known.includes(current) ? known : [...known, current]).map((value) => ({ text: value, value }));
}

// Changes of one moment go out together; ComfyUI reports every setting once while the page loads.
let changes = null;
function change(id, value) {
  if (changes === null) {
    changes = {};
    setTimeout(() => {
      const body = JSON.stringify(changes);
      changes = null;
      api.fetchApi(PATH, { method: "POST", headers: { "Content-Type": "application/json" }, body });
    });
  }
  changes[id] = value;
}

function stateOfThings() {
  const element = document.createElement("span");
  const words = document.createTextNode("");
  const link = Object.assign(document.createElement("a"), { textContent: "Details", target: "_blank", href: api.apiURL("/latentbridge/status") });
  link.style.textDecoration = "underline";
  element.append(words, link);
  const say = () => { words.data = trouble ? `ComfyUI's own previews go on: ${trouble}. ` : "Working. "; };
  say();
  refresh().then(say);
  return element;
}

const captions = new WeakMap(); // node: its caption

function draw(context) {
  const caption = captions.get(this);
  if (!caption || this.flags?.collapsed || !app.extensionManager.setting.get("LatentBridge.caption")) {
    return;
  }
  context.save();
  context.font = "10px sans-serif";
  context.fillStyle = "#999";
  context.textAlign = "left";
  context.fillText(caption[0], 8, this.size[1] - 5);
  context.textAlign = "right";
  context.fillText(caption[1], this.size[0] - 8, this.size[1] - 5);
  context.restore();
}

function show({ detail }) {
  // a node inside a subgraph is shown by the outermost node: "3:30" on 3
  const id = String(detail.node).split(":")[0];
  const node = app.rootGraph?.getNodeById(id) ?? app.graph?.getNodeById(Number(id));
  if (!node || !app.extensionManager.setting.get("LatentBridge.caption")) {
    return;
  }
  const caption = [`${detail.decoder} ${detail.milliseconds} ms`, detail.total ? `${detail.step}/${detail.total}` : `${detail.step}`];
  if (!captions.has(node)) {
    const inner = node.onDrawForeground;
    node.onDrawForeground = function (...all) {
      inner?.apply(this, all);
      draw.apply(this, all);
    };
  }
  captions.set(node, caption);
  const element = document.querySelector(`[data-node-id="${id}"]`); // only Vue nodes have one
  if (element) {
    let line = element.querySelector(".latentbridge-caption");
    if (!line) {
      line = Object.assign(document.createElement("div"), { className: "latentbridge-caption" });
      line.style.cssText = "font-size: 10px; color: #999; padding: 0 10px; text-align: center; pointer-events: none";
      (element.querySelector('[data-testid^="node-body"]') ?? element).append(line);
    }
    line.textContent = caption.join("  ·  ");
  } else {
    node.setDirtyCanvas?.(true, false);
  }
}

app.registerExtension({
  name: "LatentBridge",
  settings: [
    ...controls.map((control, index) => ({
      ...control,
      ...(control.options && { options: (current) => choices(control.id, current) }),
      category: ["LatentBridge", "Previews", control.name],
      sortOrder: 100 - index,
      onChange: (value) => change(control.id, value),
    })),
    { id: "LatentBridge.State", name: "State", category: ["LatentBridge", "Previews", "State"], type: stateOfThings, defaultValue: "", sortOrder: 0 },
  ],
  setup() {
    api.addEventListener("latentbridge.preview", show);
  },
});
