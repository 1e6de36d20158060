class VAE:
    """Its picture of a latent: the first three channels, 16 pixels a cell; ``video`` gives one frame a latent frame."""

    def decode(self, samples_in, vae_options={}):
        frame = samples_in[:, :3].repeat_interleave(16, -1).repeat_interleave(16, -2)
        return frame.movedim(1, -1) / 2 + 0.5

    decode_tiled = decode
