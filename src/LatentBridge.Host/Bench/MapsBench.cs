using System.Diagnostics;
using System.Globalization;
using LatentBridge.Decoders;
using LatentBridge.Files;
using LatentBridge.Fitting;

namespace LatentBridge.Host.Bench;

/// <summary>
/// <c>bench maps</c>: the decoders of one pixel per cell, 128 x 128 cells on one thread, in turns. Their coefficients are made up, which does not change the time.
/// </summary>
static class MapsBench
{
    const int Side = 128;
    const int Hidden = 16;
    const int Rounds = 400;
    const double WarmUpSeconds = 0.5;

    /// <summary>Measures and returns the rows.</summary>
    /// <param name="note">Gets what is measured.</param>
    internal static IReadOnlyList<BenchRow> Run(Action<string> note)
    {
        note($"{Side}x{Side} cells, one thread, kernel {Simd.Kernel.Name}");
        byte[] picture = new byte[3 * Side * Side];
        List<(string Name, Action Decode, Samples Times)> maps = [];
        foreach (int channels in (int[])[4, 16, 32])
        {
            float[] latent = Numbers(channels * Side * Side, 1);
            foreach ((string name, FittedMap map) in Maps(channels))
            {
                ILatentDecoder decoder = map.ToDecoder();
                string row = string.Create(CultureInfo.InvariantCulture, $"{name}, {channels} channels, {decoder.Description.MultiplyAddsPerCell:#,0} multiply-adds per cell");
                maps.Add((row, () => decoder.Decode(new(latent, channels, Side, Side), picture, 1, CancellationToken.None), new()));
            }
        }

        foreach ((_, Action decode, _) in maps)
        {
            // As PngBench: until hot methods are compiled for good.
            for (long started = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(started).TotalSeconds < WarmUpSeconds;)
            {
                decode();
            }
        }

        for (int round = 0; round < Rounds; round++)
        {
            foreach ((_, Action decode, Samples times) in maps)
            {
                long started = Stopwatch.GetTimestamp();
                decode();
                times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            }
        }

        return [.. maps.Select(map => new BenchRow(map.Name, "ms", map.Times.Median, map.Times.Percentile(0.99)))];
    }

    static IEnumerable<(string Name, FittedMap Map)> Maps(int channels)
    {
        int pairs = channels * (channels + 1) / 2, triples = pairs * (channels + 2) / 3;
        StoredTensor[] polynomial =
        [
            Tensor("polynomial.bias", 3), Tensor("polynomial.linear", 3, channels), Tensor("polynomial.quadratic", 3, pairs), Tensor("polynomial.cubic", 3, triples),
        ];
        yield return ("quadratic", new(ColourMapKind.Quadratic, polynomial[..3]));
        yield return ("cubic", new(ColourMapKind.Cubic, polynomial));
        yield return ("linear3x3", new(ColourMapKind.Linear3x3, [polynomial[0], Tensor("polynomial.linear", 3, channels, 3, 3)]));
        StoredTensor[] perceptron =
        [
            Tensor("in_proj.bias", Hidden), Tensor("hidden_layers.0.weight", Hidden, Hidden), Tensor("hidden_layers.0.bias", Hidden),
            Tensor("out_proj.weight", 3, Hidden), Tensor("out_proj.bias", 3),
        ];
        yield return ("mlp of single cells", new(ColourMapKind.Mlp, [Tensor("in_proj.weight", Hidden, channels), .. perceptron]));
        yield return ("mlp", new(ColourMapKind.Mlp3x3, [Tensor("in_proj.weight", Hidden, channels, 3, 3), .. perceptron]));
    }

    static StoredTensor Tensor(string name, params long[] dimensions)
    {
        int count = (int)dimensions.Aggregate(1L, (product, axis) => product * axis);
        return StoredTensor.FromValues(name, Numbers(count, 3f / count), dimensions);
    }

    static float[] Numbers(int count, float largest)
    {
        Random random = new(count);
        return [.. Enumerable.Range(0, count).Select(_ => largest * ((2 * random.NextSingle()) - 1))];
    }
}
