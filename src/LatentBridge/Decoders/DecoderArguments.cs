using LatentBridge.Latents;

namespace LatentBridge.Decoders;

/// <summary>The checks that <see cref="ILatentDecoder.Decode"/> owes its caller.</summary>
static class DecoderArguments
{
    /// <exception cref="ArgumentException">Channels or destination do not fit.</exception>
    public static void Check(DecoderDescription decoder, in LatentPlanes latent, Span<byte> destination)
    {
        if (latent.Channels != decoder.Channels)
        {
            throw new ArgumentException($"The latent has {latent.Channels} channels; the decoder {decoder.Id} of {decoder.Source} reads {decoder.Channels}.", nameof(latent));
        }

        (int width, int height) = decoder.OutputSize(latent.Height, latent.Width);
        if (destination.Length != 3L * width * height)
        {
            throw new ArgumentException($"The destination has {destination.Length} bytes; a picture of {width} x {height} pixels has {3L * width * height}.", nameof(destination));
        }
    }
}
