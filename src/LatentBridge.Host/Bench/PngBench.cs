using System.Diagnostics;
using LatentBridge.Host.Sheets;
using LatentBridge.Imaging.Png;

namespace LatentBridge.Host.Bench;

/// <summary><c>bench png</c>: our PNG encoder against Pillow's fastest, one thread each, taking turns on the same photographs.</summary>
static class PngBench
{
    const int Side = 512;
    const int Rounds = 40;
    const double WarmUpSeconds = 0.5;

    /// <summary>Measures and returns the rows.</summary>
    /// <param name="note">Gets what the pictures are.</param>
    internal static IReadOnlyList<BenchRow> Run(Action<string> note)
    {
        (IReadOnlyList<Picture> photographs, string what) = Photographs.Find(Side);
        note($"{photographs.Count} pictures of {Side}x{Side}: {what}");

        string pixels = Path.GetTempFileName();
        try
        {
            using (FileStream file = File.Create(pixels))
            {
                foreach (Picture photograph in photographs)
                {
                    file.Write(photograph.Pixels);
                }
            }

            using PeerProcess? pillow = PeerProcess.TryStart("pillow_png.py", pixels, $"{Side}", $"{Side}", $"{photographs.Count}");
            return Measure(photographs, pillow);
        }
        finally
        {
            File.Delete(pixels);
        }
    }

    static List<BenchRow> Measure(IReadOnlyList<Picture> photographs, PeerProcess? pillow)
    {
        PngEncoder encoder = new();
        byte[] destination = new byte[PngEncoder.MaximumLength(Side, Side, 3)];
        double Encode(Picture photograph)
        {
            long started = Stopwatch.GetTimestamp();
            encoder.Encode(photograph.Pixels, Side, Side, 3, destination);
            return Stopwatch.GetElapsedTime(started).TotalMilliseconds;
        }

        // The runtime compiles hot methods a second time after a while: until then it would measure the compiler.
        for (long started = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(started).TotalSeconds < WarmUpSeconds;)
        {
            Encode(photographs[0]);
        }

        Samples ours = new();
        Samples peer = new();
        for (int i = 0; i < Rounds * photographs.Count; i++)
        {
            ours.Add(Encode(photographs[i % photographs.Count]));
            if (pillow is not null && i < Rounds * 3)
            {
                peer.Add(pillow.Measure(i));
            }
        }

        double bytes = photographs.Average(photograph => encoder.Encode(photograph.Pixels, Side, Side, 3, destination));
        const double Megapixels = Side * Side / 1e6;
        double? peerMilliseconds = pillow is null ? null : peer.Median;
        return
        [
            new("png 512x512", "ms", ours.Median, ours.Percentile(0.99), peerMilliseconds, pillow?.Name),
            new("png 512x512 size", "bytes", bytes, null, pillow?.Bytes, pillow?.Name),
            new("png 512x512 rate", "Mpixel/s", Megapixels * 1000 / ours.Median, null, Megapixels * 1000 / peerMilliseconds, pillow?.Name),
        ];
    }
}
