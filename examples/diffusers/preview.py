"""A picture by diffusers, watched while it comes into being.

    python examples/diffusers/preview.py "a lighthouse in a storm" --model stabilityai/sdxl-turbo --steps 8 --film run.apng

Each step's picture goes to the folder named by --frames. Without --frames only the line in the terminal is shown.
"""

import argparse
from pathlib import Path

import latentbridge.diffusers
import torch
from diffusers import AutoPipelineForText2Image


def main() -> None:
    parser = argparse.ArgumentParser(description="A picture by diffusers, with live previews.")
    parser.add_argument("prompt")
    parser.add_argument("--model", default="stabilityai/sdxl-turbo", help="a model of the hub, or its folder")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--frames", type=Path, help="folder for the pictures of the steps")
    parser.add_argument("--film", type=Path, help=".apng, .gif or .safetensors to keep the run in")
    parser.add_argument("--out", type=Path, default=Path("picture.png"))
    arguments = parser.parse_args()

    device = "cuda" if torch.cuda.is_available() else "cpu"
    pipe = AutoPipelineForText2Image.from_pretrained(arguments.model, torch_dtype=torch.float16 if device == "cuda" else torch.float32).to(device)

    def keep(frame: latentbridge.diffusers.Frame) -> None:
        if arguments.frames is not None:
            arguments.frames.mkdir(parents=True, exist_ok=True)
            (arguments.frames / f"{frame.step + 1:03}.{frame.encoding}").write_bytes(frame.data)

    with latentbridge.diffusers.preview(pipe, on_frame=keep) as live:
        picture = pipe(arguments.prompt, num_inference_steps=arguments.steps).images[0]
    picture.save(arguments.out)
    if arguments.film is not None:
        live.save(arguments.film)
    print(f"{len(live.steps)} previews, the last by {live.latest.preview.decoder}" if live.latest else f"no previews: {live.trouble}")


if __name__ == "__main__":
    main()
