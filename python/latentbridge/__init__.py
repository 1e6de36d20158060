"""LatentBridge: live previews that cost the sampler nothing.

    from latentbridge import Bridge

    with Bridge(on_preview=lambda preview: print(preview.step, len(preview.data))) as bridge:
        bridge.submit(x0, run=1, step=0, total=20, latent_format="SDXL")
"""

from ._version import VERSION as __version__
from .batches import check, thumbnail
from .client import Bridge, BridgeError
from .preview import Preview
from .tensors import LatentError, RawLatent

__all__ = ["Bridge", "BridgeError", "LatentError", "Preview", "RawLatent", "__version__", "check", "thumbnail"]
