import enum
import types


class LatentPreviewMethod(enum.Enum):
    NoPreviews = "none"
    Auto = "auto"
    Latent2RGB = "latent2rgb"
    TAESD = "taesd"


args = types.SimpleNamespace(preview_method=LatentPreviewMethod.NoPreviews, preview_size=512)
