using System.Globalization;
using LatentBridge.Decoders.Taehv;
using LatentBridge.Decoders.Taesd;
using LatentBridge.Files;

namespace LatentBridge.Host.Bench;

/// <summary>
/// <c>bench engine</c>: the figures that the engine is judged by, in one table: TAESD, its encoder, a tiny network and a still of a video against all peers of
/// this machine, the growth of large pictures, memory, and many files. The networks have seeded numbers: time does not depend on them.
/// </summary>
static class EngineBench
{
    const int Rounds = 5;
    const int ManyRounds = 60;
    const int Files = 2000;
    const int FileRounds = 3;
    const int FileSide = 64;
    const int StripHeight = 48;

    /// <summary>Measures and returns the rows.</summary>
    /// <param name="note">Gets what is compared and what is missing.</param>
    internal static IReadOnlyList<BenchRow> Run(Action<string> note)
    {
        using TemporaryFolder folder = new();
        Contest contest = new(folder.Path, note);
        string taesd = VideoBench.Weights(folder, "taesd_decoder", TaesdNetworks.Decoder(4, groupNorm: false, half: false));
        string encoder = VideoBench.Weights(folder, "taesd_encoder", TaesdNetworks.Encoder(4, groupNorm: false));
        string wan = VideoBench.Weights(folder, "taew2_1", TaehvNetworks.Decoder(new(16, 1, (1, 2, 2)), TaehvSize.Full, isLeaky: false));
        ContestCase Decode(int height, int width, int threads) => new("taesd", taesd, VideoBench.Numbers(4 * height * width), 4, height, width, threads);
        ContestCase Still(int threads) => new(TaehvDecoder.Id, wan, VideoBench.Numbers(16 * 60 * 104), 16, 60, 104, threads);

        List<BenchRow> rows = [];
        foreach (int threads in Environment.ProcessorCount > 1 ? [1, 2] : new[] { 1 })
        {
            string with = threads == 1 ? "1 thread" : "2 threads";
            rows.AddRange(contest.Measure($"TAESD 512x512, {with}", Decode(64, 64, threads), Rounds));
            rows.AddRange(contest.Measure($"TAESD 1024x1024, {with}", Decode(128, 128, threads), Rounds));
            rows.AddRange(contest.Measure($"Wan 2.1 still 832x480, {with}", Still(threads), Rounds, withTorch: false));
        }

        rows.AddRange(contest.Measure("TAESD encode 512x512, 1 thread", new(NetworkTurns.EncodeKind, encoder, Pixels(), 3, 512, 512, 1), Rounds));
        if (DecodersBench.Find("latentbridge-tiny") is { } tiny)
        {
            rows.AddRange(contest.Measure("tiny 64x64 cells, 1 thread", new("tiny", tiny, VideoBench.Numbers(4 * 64 * 64), 4, 64, 64, 1), ManyRounds));
        }

        rows.Add(contest.MeasureGrowth("TAESD, a pixel at 1024x1024 over one at 512x512", Decode(64, 64, 1), Decode(128, 128, 1)));
        rows.Add(contest.MeasureGrowth("TAESD, a pixel of 5184 columns over one of 5120", Decode(StripHeight, 640, 1), Decode(StripHeight, 648, 1)));
        rows.Add(contest.MeasureMemory("TAESD 1024x1024, memory of the process", Decode(128, 128, 2)));
        rows.AddRange(ManyFiles(folder.Path, note));
        return rows;
    }

    // Photographs have no part in it: values are all that is timed.
    static float[] Pixels() => [.. VideoBench.Numbers(3 * 512 * 512).Select(value => (value / 4) + 0.5f)];

    /// <summary>Files in a processor second of <c>decode</c>, start included; the linear one beside as few lines of NumPy and Pillow as do it.</summary>
    static IEnumerable<BenchRow> ManyFiles(string folder, Action<string> note)
    {
        string latents = Path.Combine(folder, "latents"), pictures = Path.Combine(folder, "pictures");
        Directory.CreateDirectory(latents);
        float[] values = VideoBench.Numbers(4 * FileSide * FileSide);
        string[] files = [.. Enumerable.Range(0, Files).Select(i => Path.Combine(latents, string.Create(CultureInfo.InvariantCulture, $"{i:0000}.safetensors")))];
        foreach (string file in files)
        {
            SafetensorsWriter.Write(file, [StoredTensor.FromValues("latent", values, [4, FileSide, FileSide], TensorElementType.F16)], new Dictionary<string, string> { ["latent_format"] = "SD15" });
        }

        foreach (string decoder in new[] { "tiny", "latent2rgb" })
        {
            using PeerProcess? us = PeerProcess.TryStart("processor_time.py", [.. PeerProcess.Ourselves, "decode", .. files, "-d", decoder, "-o", pictures]);
            using PeerProcess? peer = decoder == "latent2rgb" ? PeerProcess.TryStart("processor_time.py", "python", "linear_files.py", latents, pictures) : null;
            if (us is null)
            {
                note("How many files `decode` does in a processor second is left out: it takes Python.");
                yield break;
            }

            Samples ours = new(), theirs = new();
            for (int round = 0; round < FileRounds; round++)
            {
                ours.Add(us.Measure(0));
                if (peer is not null)
                {
                    theirs.Add(peer.Measure(0));
                }
            }

            yield return new($"decode of {Files} files, {decoder}", "files/s", 1000 * Files / ours.Median, null, peer is null ? null : 1000 * Files / theirs.Median, peer?.Name);
        }
    }
}
