namespace LatentBridge.Fitting.Training;

/// <summary>Decides whether a new decoder takes the place of what is used today: only if it is closer on pairs that it was never trained on.</summary>
/// <remarks>
/// Each held-out pair is one vote, in dB of PSNR and in CIEDE2000. A pair that slipped in wrongly has none (<see cref="IsOfItsPicture"/>): the greyest decoder is the closest to another picture. The fewer
/// pairs, the more a new decoder must be ahead, and the more they disagree.
/// </remarks>
static class HoldOutGate
{
    /// <summary>Of fewer, nothing follows.</summary>
    public const int FewestPairs = 3;

    /// <summary>Of the picture's variance, what the closest decoder must explain.</summary>
    const double SmallestShareExplained = 0.25;

    /// <summary>Divided by the number of pairs: what the mean must be ahead, in dB.</summary>
    const double MarginOfOne = 6;

    const double SmallestMargin = 0.2;

    /// <summary>How many of its own standard errors the mean must be ahead.</summary>
    const double StandardErrors = 2;

    /// <summary>What a new decoder may lose on a single pair, in dB.</summary>
    const double LargestLoss = 0.5;

    /// <summary>Whether a held-out pair tells decoders apart: some decoder sees its picture in its latent.</summary>
    /// <param name="pair">The pair.</param>
    /// <param name="measures">Those of all decoders on it.</param>
    public static bool IsOfItsPicture(PicturePair pair, IEnumerable<DecoderMeasure> measures)
    {
        byte[] pixels = pair.Reduce(1).Pixels;
        double squares = 4 * pixels.Length * Math.Pow(10, -measures.Max(measure => measure.Psnr) / 10); // of values from -1 to 1
        return squares <= (1 - SmallestShareExplained) * CalibrationPair.Scatter(pixels);
    }

    /// <summary>Whether the new decoder is better.</summary>
    /// <param name="candidate">Its measures, pair by pair.</param>
    /// <param name="current">Those of what is used today, in the same order.</param>
    public static bool IsBetter(IReadOnlyList<DecoderMeasure> candidate, IReadOnlyList<DecoderMeasure> current)
    {
        if (candidate.Count < FewestPairs || candidate.Count != current.Count)
        {
            return false;
        }

        double[] gains = [.. candidate.Zip(current, (a, b) => a.Psnr - b.Psnr)];
        double mean = gains.Average();
        double error = Math.Sqrt(gains.Sum(gain => (gain - mean) * (gain - mean)) / (gains.Length - 1) / gains.Length);
        return mean >= Math.Max(SmallestMargin, MarginOfOne / gains.Length)
            && mean >= StandardErrors * error
            && gains.Min() >= -LargestLoss
            && candidate.Average(measure => measure.Colour) <= current.Average(measure => measure.Colour);
    }
}
