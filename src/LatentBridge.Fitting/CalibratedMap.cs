using LatentBridge.Decoders;

namespace LatentBridge.Fitting;

/// <summary>The best map that a <see cref="Calibration"/> found so far, and how it compares.</summary>
/// <param name="Map">A polynomial of degree 1 or 2.</param>
/// <param name="Psnr">dB over the pictures that it, or rather the map before each of them, had not learned from; over held out blocks of the first where that is the only one.</param>
/// <param name="ShareExplained">Of those cells' colour variance, 0 to 1; a picture that is not of its latent gives little.</param>
/// <param name="PictureCount">Pictures it was learned from.</param>
/// <param name="Measured">What other decoders reached over the same cells, by id.</param>
public sealed record CalibratedMap(FittedMap Map, double Psnr, double ShareExplained, int PictureCount, IReadOnlyDictionary<string, double> Measured)
{
    /// <summary>Pictures from which on it was measured with two that it had not seen.</summary>
    const int PicturesToTrust = 3;

    /// <summary>What it must be better than a decoder, in dB, to rank above it.</summary>
    const double Margin = 0.5;

    /// <summary>Than one of several pixels per cell, which shows detail that cells do not tell of.</summary>
    const double MarginForDetail = 1;

    /// <summary>Before it can be trusted: so far behind is only a map that was made for other latents.</summary>
    const double MarginAtFirst = 8;

    const double SmallestShareExplained = 0.25;

    /// <summary>Where a map ranks that no other could be compared with: above <c>estimated</c>.</summary>
    const int QualityAlone = 11;

    /// <summary>Its <see cref="DecoderDescription.Quality"/> among these: one above the best that it beats; null when it beats none and is not to be used.</summary>
    /// <param name="shipped">The decoders there are; one that was not measured over all cells is not beaten.</param>
    public int? Rank(IEnumerable<DecoderDescription> shipped)
    {
        if (ShareExplained < SmallestShareExplained)
        {
            return null;
        }

        int? rank = null;
        bool isAlone = true;
        foreach (DecoderDescription decoder in shipped.Where(decoder => decoder.Id != "estimated"))
        {
            isAlone = false;
            if (Measured.TryGetValue(decoder.Id, out double reached) && Psnr > reached + (PictureCount < PicturesToTrust ? MarginAtFirst : decoder.PixelsPerCell == 1 ? Margin : MarginForDetail))
            {
                rank = Math.Max(rank ?? 0, decoder.Quality + 1);
            }
        }

        return isAlone ? QualityAlone : rank;
    }

    /// <summary>The catalogue's entry among these decoders; null when it is not to be used.</summary>
    public DecoderEntry? Entry(int channels, IEnumerable<DecoderDescription> shipped)
    {
        if (Rank(shipped) is not { } quality)
        {
            return null;
        }

        string others = string.Concat(Measured.OrderByDescending(other => other.Value).Select(other => FormattableString.Invariant($", {other.Key} {other.Value:0.0}")));
        string source = FormattableString.Invariant($"{PictureCount} of this model's pictures, {Psnr:0.0} dB{others}");
        DecoderDescription description = new("calibrated", source, channels, 1, Map.NumberCount, quality);
        return new(description, false, () => new DescribedDecoder(Map.ToDecoder(), description));
    }
}
