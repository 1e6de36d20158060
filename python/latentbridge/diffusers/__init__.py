"""Previews of any diffusers pipeline, in a notebook, a script or a server.

    with latentbridge.diffusers.preview(pipe) as live:
        image = pipe("a lighthouse").images[0]

    pipe("a lighthouse", callback_on_step_end=latentbridge.diffusers.preview())

    for frame in latentbridge.diffusers.stream(pipe, prompt="a lighthouse"):
        show(frame.image)

The pictures are of x0, the model's estimate of the clean latent. diffusers itself is not imported: whoever has a pipeline has it.
Where things are: ``watch`` wraps the scheduler, ``denoised`` says where each has its x0, ``latents`` what the latents are,
``live`` is what a caller gets, ``displays`` shows it, ``streaming`` makes a generator of it, ``hub`` has the bridge.
"""

from .live import Cancelled, Frame, Live, preview
from .streaming import stream

__all__ = ["Cancelled", "Frame", "Live", "preview", "stream"]
