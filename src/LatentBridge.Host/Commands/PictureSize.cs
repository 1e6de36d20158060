using System.Globalization;
using LatentBridge.Formats;
using LatentBridge.Latents;

namespace LatentBridge.Host.Commands;

/// <summary>The full picture (or clip) that a VAE would make of a latent, and how much more that is than the latent.</summary>
/// <param name="Count">Pictures or clips in the batch.</param>
/// <param name="Width">Pixels.</param>
/// <param name="Height">Pixels.</param>
/// <param name="Frames">Frames of a clip, 1 for a picture.</param>
/// <param name="ElementRatio">Red, green and blue values of the picture for one value of the latent.</param>
/// <param name="ByteRatio">Bytes of the picture, one a value, for one byte of the latent.</param>
sealed record PictureSize(int Count, long Width, long Height, long Frames, double ElementRatio, double ByteRatio)
{
    internal static PictureSize Of(LatentInput input)
    {
        (LatentFormat format, LatentShape shape) = (input.Format, input.Shape);
        long width = (long)shape.Width * format.SpatialCompression;
        long height = (long)shape.Height * format.SpatialCompression;
        long frames = ((shape.Frames - 1L) * format.TemporalCompression) + 1;
        double values = 3.0 * shape.Batch * width * height * frames;
        return new(shape.Batch, width, height, frames, values / shape.Length, values / input.Loaded.Bytes.Length);
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{(Count > 1 ? $"{Count} of " : "")}{Width} x {Height} pixels{(Frames > 1 ? $", {Frames} frames" : "")}");
}
