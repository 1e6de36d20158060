namespace LatentBridge.Imaging.Quality;

/// <summary>How near one picture is to another, both RGB24 of the same size.</summary>
static class ImageQuality
{
    /// <summary>Peak signal-to-noise ratio in dB over all pixels and colours; infinite for equal pictures.</summary>
    /// <remarks>10 log10(255² / mean of the squared differences).</remarks>
    /// <exception cref="ArgumentException">The pictures are not of one size, or empty.</exception>
    public static double Psnr(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        CheckLengths(a, b);
        long sum = 0;
        for (int i = 0; i < a.Length; i++)
        {
            int difference = a[i] - b[i];
            sum += difference * difference;
        }

        return sum == 0 ? double.PositiveInfinity : 10 * Math.Log10(255.0 * 255 * a.Length / sum);
    }

    /// <summary>Structural similarity, at most 1: the mean over red, green and blue and over every whole 11 x 11 window.</summary>
    /// <remarks>
    /// Wang et al. 2004: Gaussian window of sigma 1.5, K1 = 0.01, K2 = 0.03. The same as scikit-image's
    /// <c>structural_similarity(gaussian_weights=True, use_sample_covariance=False, data_range=255, channel_axis=2)</c>.
    /// </remarks>
    /// <exception cref="ArgumentException">The pictures are not of this size, or smaller than the window.</exception>
    public static double Ssim(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, int width, int height)
    {
        CheckLengths(a, b);
        if (a.Length != 3L * width * height)
        {
            throw new ArgumentException($"{a.Length} bytes given; a picture of {width} x {height} has {3L * width * height}.", nameof(a));
        }

        return StructuralSimilarity.Mean(a, b, width, height, Simd.Kernel.Width);
    }

    /// <summary>Mean and 95th percentile of the CIEDE2000 colour differences of the pixels (sRGB, D65).</summary>
    /// <remarks>1 is about the smallest difference that is seen side by side.</remarks>
    /// <exception cref="ArgumentException">The pictures are not of one size, or empty.</exception>
    public static (double Mean, double Percentile95) CieDe2000(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        CheckLengths(a, b);
        var differences = new float[a.Length / 3];
        double sum = 0;
        for (int i = 0; i < differences.Length; i++)
        {
            ReadOnlySpan<byte> x = a.Slice(3 * i, 3);
            ReadOnlySpan<byte> y = b.Slice(3 * i, 3);
            double difference = x.SequenceEqual(y) ? 0 : ColourDifference.CieDe2000(LabColour.FromSrgb(x[0], x[1], x[2]), LabColour.FromSrgb(y[0], y[1], y[2]));
            differences[i] = (float)difference;
            sum += difference;
        }

        // The smallest difference that at least 95 % of the pixels do not exceed.
        return (sum / differences.Length, Ranked(differences, (int)Math.Ceiling(0.95 * differences.Length) - 1));
    }

    /// <summary>The number that sorting would bring to that place. Of numbers from 0 up the bits sort as the numbers do: first their upper halves are counted, then the lower ones of those that share the upper half found.</summary>
    internal static float Ranked(ReadOnlySpan<float> values, int rank)
    {
        int found = 0;
        foreach (int shift in (ReadOnlySpan<int>)[16, 0])
        {
            int[] counts = new int[1 << 16];
            foreach (float value in values)
            {
                int bits = BitConverter.SingleToInt32Bits(value);
                if (shift == 16 || bits >> 16 == found)
                {
                    counts[(bits >> shift) & 0xFFFF]++;
                }
            }

            int digit = 0;
            for (; rank >= counts[digit]; digit++)
            {
                rank -= counts[digit];
            }

            found = (found << 16) | digit;
        }

        return BitConverter.Int32BitsToSingle(found);
    }

    static void CheckLengths(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        if (a.Length != b.Length || a.Length == 0 || a.Length % 3 != 0)
        {
            throw new ArgumentException($"Pictures of {a.Length} and {b.Length} bytes cannot be compared: RGB24 of one size is needed.", nameof(b));
        }
    }
}
