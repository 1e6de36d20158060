using System.Globalization;
using LatentBridge.Decoders.Taehv;
using LatentBridge.Decoders.Taesd;
using LatentBridge.Networks;

namespace LatentBridge.Host.Bench;

/// <summary>
/// <c>bench threads</c>: what each doubling of the threads is worth, up to all cores of this machine: our networks against themselves on one
/// thread, and against ONNX Runtime on as many. The networks have seeded numbers: time does not depend on them.
/// </summary>
static class ThreadsBench
{
    const int Rounds = 3;

    sealed record Work(string Name, string Kind, string File, Network Network, int Channels, int Height, int Width);

    static readonly Work[] Works =
    [
        new("taesd 1024x1024", "taesd", "taesd_decoder", TaesdNetworks.Decoder(4, groupNorm: false, half: false), 4, 128, 128),
        new("Wan 2.1 832x480", TaehvDecoder.Id, "taew2_1", TaehvNetworks.Decoder(new(16, 1, (1, 2, 2)), TaehvSize.Full, isLeaky: false), 16, 60, 104),
    ];

    /// <summary>Measures and returns the rows.</summary>
    /// <param name="note">Gets what is compared and what is missing.</param>
    internal static IReadOnlyList<BenchRow> Run(Action<string> note)
    {
        using TemporaryFolder folder = new();
        Contest contest = new(folder.Path, note);
        List<BenchRow> rows = [];
        foreach (Work work in Works)
        {
            string weights = VideoBench.Weights(folder, work.File, work.Network);
            float[] latent = VideoBench.Numbers(work.Channels * work.Height * work.Width);
            double alone = 0;
            foreach (int threads in Counts(Environment.ProcessorCount))
            {
                string name = string.Create(CultureInfo.InvariantCulture, $"{work.Name}, threads: {threads}");
                rows.AddRange(contest.Measure(name, new(work.Kind, weights, latent, work.Channels, work.Height, work.Width, threads), Rounds, withTorch: false));
                alone = threads == 1 ? rows[^1].Ours : alone;
                rows.Add(rows[^1] with { Peer = alone, PeerName = "ours on 1 thread" });
            }
        }

        return rows;
    }

    /// <summary>1, 2, 4 and so on, and the number of cores.</summary>
    static IEnumerable<int> Counts(int cores)
    {
        for (int count = 1; count < cores; count *= 2)
        {
            yield return count;
        }

        yield return cores;
    }
}
