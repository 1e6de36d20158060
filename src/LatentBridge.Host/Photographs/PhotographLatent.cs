using LatentBridge.Host.Sheets;
using LatentBridge.Latents;

namespace LatentBridge.Host.Photographs;

/// <summary>A photograph and its latent.</summary>
/// <param name="Photograph">What the latent was made of, whole cells of it.</param>
/// <param name="Values">Planes [C,H,W] in the sampler's scale.</param>
/// <param name="Channels">Of the latent.</param>
/// <param name="Height">In cells.</param>
/// <param name="Width">In cells.</param>
sealed record PhotographLatent(Picture Photograph, float[] Values, int Channels, int Height, int Width)
{
    /// <summary>The latent as decoders take it.</summary>
    internal LatentPlanes Planes => new(Values, Channels, Height, Width);
}
