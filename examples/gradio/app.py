"""A page with one prompt and a picture that grows: ``python examples/gradio/app.py``. Needs gradio and diffusers.

The generator of latentbridge.diffusers is a Gradio event handler as it is. Gradio closes it when the visitor presses Stop, and
that ends the pipeline at its next step.
"""

import gradio
import latentbridge.diffusers
import torch
from diffusers import AutoPipelineForText2Image

MODEL = "stabilityai/sdxl-turbo"
STEPS = 8

device = "cuda" if torch.cuda.is_available() else "cpu"
pipe = AutoPipelineForText2Image.from_pretrained(MODEL, torch_dtype=torch.float16 if device == "cuda" else torch.float32).to(device)


def generate(prompt: str):
    for frame in latentbridge.diffusers.stream(pipe, prompt=prompt, num_inference_steps=STEPS):
        yield frame.image, "done" if frame.output is not None else f"step {frame.step + 1} of {frame.total}"


with gradio.Blocks(title="LatentBridge") as page:
    prompt = gradio.Textbox(label="Prompt", value="a lighthouse in a storm")
    with gradio.Row():
        start, stop = gradio.Button("Generate", variant="primary"), gradio.Button("Stop")
    picture, words = gradio.Image(label="Picture"), gradio.Textbox(label="State")
    running = start.click(generate, prompt, [picture, words])
    stop.click(None, cancels=[running])

if __name__ == "__main__":
    page.launch()
