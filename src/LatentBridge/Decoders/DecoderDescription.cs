namespace LatentBridge.Decoders;

/// <summary>What a decoder is, what it needs and what it costs.</summary>
/// <param name="Id">What people type and status names: <c>latent2rgb</c>, <c>tiny</c>, <c>taesd</c>, <c>taesd-half</c>, <c>estimated</c>.</param>
/// <param name="Source">Where its numbers came from: a file name, a format id, <c>built in</c>.</param>
/// <param name="Channels">Channels of the planes it reads (FLUX.2: 32).</param>
/// <param name="PixelsPerCell">Side of the square of pixels that one cell becomes: 1, 2, 4 or 8 (32 for Sana).</param>
/// <param name="MultiplyAddsPerCell">Multiply-adds that one latent cell costs, from the layers' sizes.</param>
/// <param name="Quality">Order of preference, higher is better: 10 estimated, calibrated one above what it beats, 18 published mlp, 20 latent2rgb, 25 to 38 polynomial, 40 to 45 mlp, 60 tiny, 70 taesd-half, 80 taesd.</param>
public sealed record DecoderDescription(string Id, string Source, int Channels, int PixelsPerCell, long MultiplyAddsPerCell, int Quality)
{
    /// <summary>Width and height in pixels of the picture of a latent.</summary>
    public (int Width, int Height) OutputSize(int latentHeight, int latentWidth) => (latentWidth * PixelsPerCell, latentHeight * PixelsPerCell);
}
