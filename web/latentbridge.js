// LatentBridge in ComfyUI's page: controls on the settings page, made from the server's own list, and a line of text under a preview.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";

const PATH = "/latentbridge/settings";
let { controls, trouble, state } = await load();
let loading = null;

async function load() {
  return (await api.fetchApi(PATH)).json();
}

// The decoders are those of this moment: asked for whenever the settings are opened, so weights added meanwhile are there the next time.
function refresh() {
  loading ??= load().then((found) => { ({ controls, trouble, state } = found); }).finally(() => { setTimeout(() => { loading = null; }, 2000); });
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

// ComfyUI translates settings from locales/; these links are ours.
const WORDS = {
  fr: { "Details": "Détails", "Live view": "Vue en direct", "Forget what was learned": "Oublier ce qui a été appris" },
  zh: { "Details": "详情", "Live view": "实时视图", "Forget what was learned": "清除已学习的内容" },
};

function word(text) {
  return WORDS[app.extensionManager.setting?.get("Comfy.Locale")]?.[text] ?? text;
}

function stateOfThings() {
  const element = document.createElement("span");
  const words = document.createTextNode("");
  const link = Object.assign(document.createElement("a"), { textContent: word("Details"), target: "_blank", href: api.apiURL("/latentbridge/status") });
  link.style.textDecoration = "underline";
  const live = Object.assign(document.createElement("a"), { textContent: word("Live view"), target: "_blank", href: api.apiURL("/latentbridge/live") });
  live.style.cssText = "text-decoration: underline; margin-left: 1em";
  const forget = Object.assign(document.createElement("a"), { textContent: word("Forget what was learned"), href: "#" });
  forget.style.cssText = "text-decoration: underline; margin-left: 1em";
  forget.addEventListener("click", async (event) => {
    event.preventDefault();
    const answer = await (await api.fetchApi("/latentbridge/forget", { method: "POST" })).json();
    state = answer.state ?? answer.error;
    say();
  });
  element.append(words, link, live, forget);
  const say = () => {
    words.data = `${state} `;
    forget.hidden = !state.includes("kept to learn from");
  };
  say();
  refresh().then(say);
  return element;
}

// Node ids say nothing without their workflow: what this page queued is remembered, and shown in that workflow's tab only.
const workflows = new Map(); // prompt id: the path of the workflow it was queued from
const REMEMBERED = 100;

function openWorkflow() {
  return app.extensionManager.workflow?.activeWorkflow?.path;
}

const queuePrompt = api.queuePrompt;
api.queuePrompt = async function (...all) {
  const workflow = openWorkflow();
  const answer = await queuePrompt.apply(this, all);
  if (answer?.prompt_id) {
    workflows.set(answer.prompt_id, workflow);
    if (workflows.size > REMEMBERED) {
      workflows.delete(workflows.keys().next().value);
    }
  }
  return answer;
};

const captions = new Map(); // node: its caption
const drawn = new WeakSet(); // nodes that draw theirs

function draw(context) {
  const caption = captions.get(this);
  if (!caption || this.flags?.collapsed) {
    return;
  }
  const [width, height] = this.size;
  context.save();
  context.font = "10px sans-serif";
  context.fillStyle = "#999";
  context.textAlign = "right";
  context.fillText(caption[1], width - 8, height - 5);
  context.textAlign = "left";
  context.fillText(caption[0], 8, height - 5);
  context.fillText(caption[2], 8, height + 12, width - 16); // below the node: in the line stands the picture's size, and the picture covers what is above
  context.restore();
}

// The element of a node of the outermost graph; only Vue nodes have one.
function elementOf(node) {
  const inside = app.canvas?.graph && app.canvas.graph !== app.rootGraph;
  return inside ? null : document.querySelector(`[data-node-id="${node.id}"]`);
}

function clear(node) {
  if (captions.delete(node)) {
    elementOf(node)?.querySelector(".latentbridge-caption")?.remove();
    node.setDirtyCanvas?.(true, false);
  }
}

function show({ detail }) {
  const path = String(detail.node).split(":");
  const node = workflows.get(detail.prompt) === openWorkflow() && workflows.has(detail.prompt) ? nodeOf(path) : null;
  if (!node) {
    return;
  }
  const told = detail.caption;
  const element = elementOf(node);
  // On the canvas a subgraph's node has no picture of the nodes in it, so it gets no words about one either.
  if (!told || !app.extensionManager.setting.get("LatentBridge.caption") || (path.length > 1 && !element)) {
    clear(node);
    return;
  }
  const time = told.milliseconds === undefined ? "" : ` ${told.milliseconds} ms`;
  const caption = [`${told.decoder}${time}`, told.total ? `${told.step}/${told.total}` : `${told.step ?? ""}`, told.warning ?? told.note ?? sharpness(clips.get(String(detail.node)))];
  captions.set(node, caption);
  if (element) {
    let line = element.querySelector(".latentbridge-caption");
    if (!line) {
      line = Object.assign(document.createElement("div"), { className: "latentbridge-caption" });
      line.style.cssText = "font-size: 10px; color: #999; padding: 0 10px; text-align: center; pointer-events: none";
      (element.querySelector('[data-testid^="node-body"]') ?? element).append(line);
    }
    line.textContent = caption.filter(Boolean).join("  ·  ");
    return;
  }
  if (!drawn.has(node)) {
    drawn.add(node);
    const inner = node.onDrawForeground;
    node.onDrawForeground = function (...all) {
      inner?.apply(this, all);
      draw.apply(this, all);
    };
  }
  node.setDirtyCanvas?.(true, false);
}

const clips = new Map(); // node as the server names it: its moving picture
const SLOWEST = 2; // pictures a second

// One picture of a clip came. The page draws previews on its canvas, where a file that moves would stand still: so the pictures are given to it in turn.
function move({ detail }) {
  const key = String(detail.node);
  if (workflows.get(detail.prompt) !== openWorkflow() || !workflows.has(detail.prompt) || !nodeOf(key.split(":"))) {
    return;
  }
  let clip = clips.get(key);
  if (clip?.prompt !== detail.prompt || clip.pictures.length !== detail.pictures) {
    stop(key);
    clip = { prompt: detail.prompt, pictures: new Array(detail.pictures).fill(null), at: 0, sharp: 0 };
    clip.timer = setInterval(() => turn(key, clip), 1000 / Math.max(SLOWEST, detail.rate || SLOWEST));
    clips.set(key, clip);
  }
  const caption = captions.get(nodeOf(key.split(":")));
  const before = sharpness(clip);
  clip.sharp = detail.sharp;
  if (caption && (caption[2] === before || caption[2] === "")) {
    caption[2] = sharpness(clip);
  }
  const bytes = Uint8Array.from(atob(detail.data), (letter) => letter.charCodeAt(0));
  clip.pictures[detail.picture] = new Blob([bytes], { type: detail.type });
}

// Until all pictures of a clip are a network's, the others are the colours of its cells.
function sharpness(clip) {
  return clip && clip.sharp < clip.pictures.length ? `${clip.sharp} of ${clip.pictures.length} pictures sharp` : "";
}

function turn(key, clip) {
  const count = clip.pictures.length;
  if (document.hidden || workflows.get(clip.prompt) !== openWorkflow()) {
    return;
  }
  for (let i = 1; i <= count; i++) {
    const at = (clip.at + i) % count;
    if (clip.pictures[at]) {
      clip.at = at;
      api.dispatchCustomEvent("b_preview_with_metadata", { blob: clip.pictures[at], nodeId: key, displayNodeId: key, parentNodeId: key, realNodeId: key, jobId: clip.prompt });
      return;
    }
  }
}

function stop(key) {
  clearInterval(clips.get(key)?.timer);
  clips.delete(key);
}

// A node inside a subgraph is shown by the outermost node: "3:30" on 3.
function nodeOf([id]) {
  return app.rootGraph?.getNodeById(id) ?? app.graph?.getNodeById(Number(id));
}

// The page puts a node's picture away when the node runs again; what is said of it goes too.
function started({ detail }) {
  [...clips.keys()].filter((key) => key !== String(detail)).forEach(stop); // what runs now is another node, or nothing
  const node = detail && nodeOf(String(detail).split(":"));
  if (node) {
    clear(node);
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
      onChange: (value) => {
        change(control.id, value);
        if (!value && (control.id === "LatentBridge.enabled" || control.id === "LatentBridge.caption")) {
          [...captions.keys()].forEach(clear);
        }
      },
    })),
    { id: "LatentBridge.State", name: "State", category: ["LatentBridge", "Previews", "State"], type: stateOfThings, defaultValue: "", sortOrder: 101 },
  ],
  afterConfigureGraph() {
    captions.clear(); // of the nodes of another workflow
  },
  setup() {
    if (trouble) {
      app.extensionManager.toast?.add({ severity: "warn", summary: "LatentBridge has no host", detail: "Simple previews stand in. Settings, LatentBridge says what to do.", life: 15000 });
    }
    api.addEventListener("latentbridge.preview", show);
    api.addEventListener("latentbridge.clip", move);
    api.addEventListener("executing", started);
  },
});
