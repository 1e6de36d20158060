"""A page with one prompt and a picture that grows: ``python examples/gradio/app.py``. Needs gradio and diffusers.

The generator of latentbridge.diffusers is a Gradio event handler as it is. Leaving its loop ends the pipeline at its next step. Gradio's own
``cancels`` would not: it forgets the generator, and the pipeline runs on (seen with 4.40).
"""

import gradio
import latentbridge.diffusers
import torch
from diffusers import AutoPipelineForText2Image

MODEL = "stabilityai/sdxl-turbo"
STEPS = 8

device = "cuda" if torch.cuda.is_available() else "cpu"
pipe = AutoPipelineForText2Image.from_pretrained(MODEL, torch_dtype=torch.float16 if device == "cuda" else torch.float32).to(device)


stopped: set[str] = set()  # sessions whose visitor pressed Stop


def generate(prompt: str, visitor: gradio.Request):
    stopped.discard(visitor.session_hash)
    for frame in latentbridge.diffusers.stream(pipe, prompt=prompt, num_inference_steps=STEPS):
        if visitor.session_hash in stopped:
            break
        yield frame.image, "done" if frame.output is not None else f"step {frame.step + 1} of {frame.total}"


def halt(visitor: gradio.Request):
    stopped.add(visitor.session_hash)


with gradio.Blocks(title="LatentBridge") as page:
    prompt = gradio.Textbox(label="Prompt", value="a lighthouse in a storm")
    with gradio.Row():
        start, stop = gradio.Button("Generate", variant="primary"), gradio.Button("Stop")
    picture, words = gradio.Image(label="Picture"), gradio.Textbox(label="State")
    start.click(generate, prompt, [picture, words])
    stop.click(halt, queue=False)

if __name__ == "__main__":
    page.launch()
