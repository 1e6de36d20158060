using System.Diagnostics;
using System.Globalization;
using LatentBridge.Decoders;
using LatentBridge.Formats;
using LatentBridge.Latents;
using LatentBridge.Weights;

namespace LatentBridge.Host.Bench;

/// <summary><c>bench decoders</c>: each decoder of SDXL against the same network in PyTorch, same threads, taking turns.</summary>
static class DecodersBench
{
    const string FormatId = "SDXL";
    const int Rounds = 9;
    const double SecondsEach = 1.5;

    static readonly int[] Sides = [64, 128];

    /// <summary>Measures and returns the rows.</summary>
    /// <param name="note">Gets what is measured.</param>
    internal static IReadOnlyList<BenchRow> Run(Action<string> note)
    {
        LatentFormat format = LatentFormats.Get(FormatId);
        WeightLibrary weights = WeightLibrary.OfThisMachine();
        int threads = Environment.ProcessorCount;
        note($"{FormatId}, {threads} threads, latent to 8-bit RGB; sides in latent cells, a picture is 8 times as large");

        List<BenchRow> rows = [];
        foreach (DecoderEntry entry in LatentDecoders.For(format, weights).Reverse())
        {
            string path = weights.Found.FirstOrDefault(found => found.FileName == entry.Description.Source)?.Path ?? "";
            using ILatentDecoder decoder = entry.Load();
            foreach (int side in Sides)
            {
                rows.Add(Measure(decoder, entry.Description, path, side, threads));
            }
        }

        return rows;
    }

    static BenchRow Measure(ILatentDecoder decoder, DecoderDescription description, string weights, int side, int threads)
    {
        float[] values = new float[description.Channels * side * side];
        Random random = new(1);
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (float)((random.NextDouble() * 4) - 2);
        }

        (int width, int height) = description.OutputSize(side, side);
        byte[] picture = new byte[3 * width * height];
        double Decode()
        {
            long started = Stopwatch.GetTimestamp();
            decoder.Decode(new LatentPlanes(values, description.Channels, side, side), picture, threads, CancellationToken.None);
            return Stopwatch.GetElapsedTime(started).TotalMilliseconds;
        }

        string number = side.ToString(CultureInfo.InvariantCulture);
        using PeerProcess? torch = description.Id is "taesd" or "taesd-half" or "tiny" or "latent2rgb"
            ? PeerProcess.TryStart(
                "torch_decoder.py", description.Id, weights, description.Channels.ToString(CultureInfo.InvariantCulture), number, number,
                threads.ToString(CultureInfo.InvariantCulture))
            : null;

        // The runtime compiles hot methods a second time after a while, and PyTorch plans its first runs.
        for (long started = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(started).TotalSeconds < SecondsEach / 3;)
        {
            Decode();
        }

        torch?.Measure(0);
        Samples ours = new();
        Samples peer = new();
        long begun = Stopwatch.GetTimestamp();
        while (ours.Count < Rounds || Stopwatch.GetElapsedTime(begun).TotalSeconds < SecondsEach)
        {
            ours.Add(Decode());
            if (torch is not null && peer.Count < Rounds)
            {
                peer.Add(torch.Measure(0));
            }
        }

        return new(
            $"{description.Id} {side}x{side}", "ms", ours.Median, ours.Count >= 100 ? ours.Percentile(0.99) : null, torch is null ? null : peer.Median, torch?.Name);
    }
}
