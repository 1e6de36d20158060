// LatentBridge's settings: the server's list made into controls of ComfyUI's own settings page, and each change brought back to it.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";

const PATH = "/latentbridge/settings";
const { controls, trouble } = await (await api.fetchApi(PATH)).json();

function send(values) {
  return api.fetchApi(PATH, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(values) });
}

app.registerExtension({
  name: "LatentBridge",
  settings: controls.map((control) => ({
    ...control,
    category: ["LatentBridge", "Previews", control.name],
    onChange: (value) => send({ [control.id]: value }),
  })),
  setup() {
    if (trouble) {
      console.warn(`LatentBridge: ComfyUI's own previews go on: ${trouble}`);
    }
  },
});
