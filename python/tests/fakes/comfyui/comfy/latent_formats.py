class LatentFormat:
    latent_channels = 4
    latent_rgb_factors = None
    latent_rgb_factors_bias = None
    latent_rgb_factors_reshape = None

    def process_in(self, latent):
        return latent * 0.5


class SDXL(LatentFormat):
    latent_rgb_factors = [[0.1, 0.2, 0.3]] * 4
    latent_rgb_factors_bias = [0.0, 0.0, 0.0]


class Wan21(LatentFormat):
    latent_channels = 16
    latent_rgb_factors = [[0.1, 0.2, 0.3]] * 16


class StableAudio1(LatentFormat):
    latent_channels = 64
