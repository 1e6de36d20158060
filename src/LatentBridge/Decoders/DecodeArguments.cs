using LatentBridge.Latents;

namespace LatentBridge.Decoders;

/// <summary>The checks every decoder makes of what it is given.</summary>
static class DecodeArguments
{
    /// <summary>Throws unless channels, destination and threads are what the decoder's description asks for.</summary>
    /// <exception cref="ArgumentException">They are not; the message says what was found and expected.</exception>
    public static void Check(DecoderDescription decoder, in LatentPlanes latent, ReadOnlySpan<byte> destination, int threads)
    {
        if (latent.Channels != decoder.Channels)
        {
            throw new ArgumentException($"The latent has {latent.Channels} channels; {decoder.Id} ({decoder.Source}) reads {decoder.Channels}.", nameof(latent));
        }

        if (latent.Height < 1 || latent.Width < 1)
        {
            throw new ArgumentException($"The latent is {latent.Height} x {latent.Width} cells; at least 1 x 1 is needed.", nameof(latent));
        }

        (int width, int height) = decoder.OutputSize(latent.Height, latent.Width);
        if (destination.Length != 3L * width * height)
        {
            throw new ArgumentException($"The destination has {destination.Length} bytes; a picture of {width} x {height} has {3L * width * height}.", nameof(destination));
        }

        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
    }
}
