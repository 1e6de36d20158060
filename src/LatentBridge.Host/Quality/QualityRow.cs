namespace LatentBridge.Host.Quality;

/// <summary>How near a decoder's pictures are to the reference's at one size, as means over the pictures.</summary>
/// <param name="Format">The latent format.</param>
/// <param name="Decoder">Id of the decoder.</param>
/// <param name="Source">Where its numbers come from.</param>
/// <param name="MultiplyAddsPerCell">What a latent cell costs.</param>
/// <param name="Cost">What a decode costs; null: not measured.</param>
/// <param name="Divisor">The full picture's side divided by the side compared: 2, 4 or 8.</param>
/// <param name="Pictures">How many pictures the means are over.</param>
/// <param name="Psnr">Peak signal-to-noise ratio in dB; infinite for the reference itself.</param>
/// <param name="Ssim">Structural similarity, at most 1.</param>
/// <param name="Difference">Mean CIEDE2000 colour difference.</param>
/// <param name="Difference95">95th percentile of the pixels' CIEDE2000 colour differences.</param>
sealed record QualityRow(
    string Format, string Decoder, string Source, long MultiplyAddsPerCell, DecodeCost? Cost, int Divisor, int Pictures, double Psnr, double Ssim, double Difference, double Difference95);
