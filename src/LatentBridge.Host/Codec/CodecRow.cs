namespace LatentBridge.Host.Codec;

/// <summary>How near a stored picture is to the photograph, as means over the pictures.</summary>
/// <param name="Bytes">Length of the file.</param>
/// <param name="BitsPerPixel">The same by the photograph's pixels.</param>
/// <param name="Psnr">In dB.</param>
/// <param name="Ssim">At most 1.</param>
/// <param name="Difference">Mean CIEDE2000 colour difference.</param>
readonly record struct CodecPoint(double Bytes, double BitsPerPixel, double Psnr, double Ssim, double Difference)
{
    /// <summary>The mean of several; null of none.</summary>
    internal static CodecPoint? Mean(IReadOnlyCollection<CodecPoint> points) => points.Count == 0 ? null : new(
        points.Average(p => p.Bytes), points.Average(p => p.BitsPerPixel), points.Average(p => p.Psnr), points.Average(p => p.Ssim), points.Average(p => p.Difference));
}

/// <summary>Photographs stored as latents of one kind, and by others in as many bytes.</summary>
/// <param name="Format">The latent format.</param>
/// <param name="Storage">As <c>4 bits</c> or <c>F16</c>.</param>
/// <param name="Latent">Stored as a latent, decoded by TAESD.</param>
/// <param name="Peers">By the peers' names; null where a peer cannot make files that short of every picture.</param>
sealed record CodecRow(string Format, string Storage, CodecPoint Latent, IReadOnlyDictionary<string, CodecPoint?> Peers);
