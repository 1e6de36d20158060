using System.Text.Json;
using LatentBridge.Formats;

namespace LatentBridge.Scanning.Checks;

/// <summary>What natural latents of a format are like, in the sampler's scale: <c>models/natural/&lt;Id&gt;.json</c>, or for other formats mean 0 and variance 1.</summary>
/// <remarks>
/// <see cref="LogSpread"/> tells natural latents from scaled ones better than the plain variance does: a white wall moves the first direction far and the others little,
/// a factor moves all of them alike.
/// </remarks>
sealed class NaturalLatents
{
    readonly double[] _mean;
    readonly double[][]? _directions;

    NaturalLatents(double[] mean, double[][]? directions) => (_mean, _directions) = (mean, directions);

    /// <summary>False where nothing was measured.</summary>
    public bool IsMeasured => _directions is not null;

    /// <summary>Those of a format.</summary>
    public static NaturalLatents Of(LatentFormat format)
    {
        using Stream? file = typeof(NaturalLatents).Assembly.GetManifestResourceStream($"natural/{format.Id}.json");
        if (file is null)
        {
            return new(new double[format.PlaneChannels], null);
        }

        using JsonDocument document = JsonDocument.Parse(file);
        return new(
            Numbers(document.RootElement.GetProperty("mean")),
            [.. document.RootElement.GetProperty("directions").EnumerateArray().Select(Numbers)]);
    }

    /// <summary>The mean, over all directions, of the logarithm of the variance about the natural mean: 0 for natural latents, 2 log f for natural latents times f.</summary>
    /// <param name="mean">Of each channel.</param>
    /// <param name="covariance">Of the channels, row by row; only its diagonal is read where nothing was measured.</param>
    /// <param name="to">What is done to each channel's values first: x * scale + offset.</param>
    public double LogSpread(ReadOnlySpan<double> mean, ReadOnlySpan<double> covariance, Func<int, (double Scale, double Offset)> to)
    {
        const double Least = 1e-6;
        int channels = _mean.Length;
        Span<double> scales = stackalloc double[channels], offsets = stackalloc double[channels];
        for (int c = 0; c < channels; c++)
        {
            (scales[c], double offset) = to(c);
            offsets[c] = (mean[c] * scales[c]) + offset - _mean[c];
        }

        double sum = 0;
        for (int d = 0; d < channels; d++)
        {
            double variance = _directions is null
                ? (covariance[(d * channels) + d] * scales[d] * scales[d]) + (offsets[d] * offsets[d])
                : Along(_directions[d], covariance, scales, offsets);
            sum += Math.Log(Math.Max(variance, Least));
        }

        return sum / channels;
    }

    static double Along(double[] direction, ReadOnlySpan<double> covariance, ReadOnlySpan<double> scales, ReadOnlySpan<double> offsets)
    {
        double variance = 0, shift = 0;
        for (int a = 0; a < direction.Length; a++)
        {
            double row = 0;
            for (int b = 0; b < direction.Length; b++)
            {
                row += covariance[(a * direction.Length) + b] * direction[b] * scales[b];
            }

            variance += row * direction[a] * scales[a];
            shift += direction[a] * offsets[a];
        }

        return variance + (shift * shift);
    }

    static double[] Numbers(JsonElement array) => [.. array.EnumerateArray().Select(number => number.GetDouble())];
}
