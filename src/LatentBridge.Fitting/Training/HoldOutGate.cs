namespace LatentBridge.Fitting.Training;

/// <summary>Decides whether a new decoder takes the place of what is used today: only if it is closer on pairs that it was never trained on.</summary>
/// <remarks>
/// Each held-out pair is one vote, in dB of PSNR and in CIEDE2000. A pair that slipped in wrongly is far off for every decoder alike, so it hardly moves the mean of the differences. The fewer pairs,
/// the more a new decoder must be ahead, and the more they disagree.
/// </remarks>
static class HoldOutGate
{
    /// <summary>Divided by the number of pairs: what the mean must be ahead, in dB.</summary>
    const double MarginOfOne = 6;

    const double SmallestMargin = 0.2;

    /// <summary>How many of its own standard errors the mean must be ahead.</summary>
    const double StandardErrors = 2;

    /// <summary>What a new decoder may lose on a single pair, in dB.</summary>
    const double LargestLoss = 1;

    /// <summary>Whether the new decoder is better.</summary>
    /// <param name="candidate">Its measures, pair by pair.</param>
    /// <param name="current">Those of what is used today, in the same order.</param>
    public static bool IsBetter(IReadOnlyList<DecoderMeasure> candidate, IReadOnlyList<DecoderMeasure> current)
    {
        if (candidate.Count == 0 || candidate.Count != current.Count)
        {
            return false;
        }

        double[] gains = [.. candidate.Zip(current, (a, b) => a.Psnr - b.Psnr)];
        double mean = gains.Average();
        double error = gains.Length == 1 ? 0 : Math.Sqrt(gains.Sum(gain => (gain - mean) * (gain - mean)) / (gains.Length - 1) / gains.Length);
        return mean >= Math.Max(SmallestMargin, MarginOfOne / gains.Length)
            && mean >= StandardErrors * error
            && gains.Min() >= -LargestLoss
            && candidate.Average(measure => measure.Colour) <= current.Average(measure => measure.Colour);
    }
}
