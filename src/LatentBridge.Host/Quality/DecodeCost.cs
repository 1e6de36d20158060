using System.Diagnostics;
using LatentBridge.Decoders;
using LatentBridge.Host.Bench;
using LatentBridge.Latents;

namespace LatentBridge.Host.Quality;

/// <summary>What a decode of 128 x 128 cells, a picture of 1024 x 1024 pixels, costs.</summary>
/// <param name="Milliseconds">Median of several, on one thread.</param>
/// <param name="Bytes">Memory it takes, weights and scratch.</param>
readonly record struct DecodeCost(double Milliseconds, long Bytes)
{
    const int Side = 128;
    const int FewestRuns = 3;
    const double Values = 2.5;

    static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(400);

    /// <summary>Decodes numbers like a latent's for a while.</summary>
    internal static DecodeCost Measure(ILatentDecoder decoder)
    {
        Random random = new(1);
        int channels = decoder.Description.Channels;
        float[] latent = [.. Enumerable.Range(0, channels * Side * Side).Select(_ => (float)(Values * ((2 * random.NextDouble()) - 1)))];
        (int width, int height) = decoder.Description.OutputSize(Side, Side);
        byte[] pixels = new byte[3 * width * height];

        // The first half is for the compiler, which takes its time to see what is worth its best.
        Samples samples = new();
        long start = Stopwatch.GetTimestamp();
        for (int run = 0; run < FewestRuns + 1 || Stopwatch.GetElapsedTime(start) < 2 * Patience; run++)
        {
            long before = Stopwatch.GetTimestamp();
            decoder.Decode(new LatentPlanes(latent, channels, Side, Side), pixels, 1, CancellationToken.None);
            if (run > 0 && (run > FewestRuns || Stopwatch.GetElapsedTime(start) > Patience))
            {
                samples.Add(Stopwatch.GetElapsedTime(before).TotalMilliseconds);
            }
        }

        return new(samples.Median, decoder.WorkingBytes(Side, Side));
    }
}
