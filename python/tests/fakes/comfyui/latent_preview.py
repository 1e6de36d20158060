import comfy.utils
from comfy.cli_args import LatentPreviewMethod, args

built = 0


class Picture:
    """What core would encode itself."""

    def __init__(self, x0):
        self.x0 = x0

    def save(self, file, format, **options):
        file.write(b"core")


def preview_to_image(latent_image, do_scale=True):
    return Picture(latent_image)


class LatentPreviewer:
    def decode_latent_to_preview(self, x0):
        return None

    def decode_latent_to_preview_image(self, preview_format, x0):
        return ("JPEG", self.decode_latent_to_preview(x0), None)


class TAESDPreviewerImpl(LatentPreviewer):
    def __init__(self, taesd):
        self.taesd = taesd

    def decode_latent_to_preview(self, x0):
        return Picture(x0)


class Latent2RGBPreviewer(LatentPreviewer):
    def __init__(self, latent_rgb_factors, latent_rgb_factors_bias=None, latent_rgb_factors_reshape=None):
        self.latent_rgb_factors = latent_rgb_factors
        self.latent_rgb_factors_bias = latent_rgb_factors_bias
        self.latent_rgb_factors_reshape = latent_rgb_factors_reshape

    def decode_latent_to_preview(self, x0):
        return preview_to_image(x0)


def get_previewer(device, latent_format):
    global built
    built += 1
    if args.preview_method == LatentPreviewMethod.NoPreviews:
        return None
    if args.preview_method == LatentPreviewMethod.TAESD:
        return TAESDPreviewerImpl("a TAESD on the GPU")
    if latent_format.latent_rgb_factors is None:
        return None
    return Latent2RGBPreviewer(latent_format.latent_rgb_factors, latent_format.latent_rgb_factors_bias)


def prepare_callback(model, steps, x0_output_dict=None):
    previewer = get_previewer(model.load_device, model.model.latent_format)
    bar = comfy.utils.ProgressBar(steps)

    def callback(step, x0, x, total_steps):
        if x0_output_dict is not None:
            x0_output_dict["x0"] = x0
        picture = None
        if previewer:
            if getattr(x0, "is_nested", False):
                x0 = x0.tensors[0]
            picture = previewer.decode_latent_to_preview_image("JPEG", x0)
        bar.update_absolute(step + 1, total_steps, picture)

    return callback
