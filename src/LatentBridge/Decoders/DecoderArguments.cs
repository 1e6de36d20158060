using LatentBridge.Latents;

namespace LatentBridge.Decoders;

/// <summary>The checks that <see cref="ILatentDecoder.Decode"/> owes its caller.</summary>
static class DecoderArguments
{
    /// <exception cref="ArgumentException">Channels or destination do not fit.</exception>
    public static void Check(DecoderDescription decoder, in LatentPlanes latent, Span<byte> destination) => Check(decoder, latent, destination.Length);

    /// <exception cref="ArgumentException">Channels or the destination's length do not fit.</exception>
    public static void Check(DecoderDescription decoder, in LatentPlanes latent, int length)
    {
        if (latent.Channels != decoder.Channels || latent.Height < 1 || latent.Width < 1)
        {
            throw new ArgumentException(
                $"The latent has {latent.Channels} channels of {latent.Height} x {latent.Width} cells; the decoder {decoder.Id} of {decoder.Source} reads {decoder.Channels} of at least 1 x 1.", nameof(latent));
        }

        (int width, int height) = decoder.OutputSize(latent.Height, latent.Width);
        if (length != 3L * width * height)
        {
            throw new ArgumentException($"The destination has {length} bytes; a picture of {width} x {height} pixels has {3L * width * height}.", nameof(length));
        }
    }
}
