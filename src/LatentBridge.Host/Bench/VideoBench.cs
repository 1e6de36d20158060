using System.Globalization;
using LatentBridge.Decoders;
using LatentBridge.Decoders.Taehv;
using LatentBridge.Decoders.Taesd;
using LatentBridge.Files;
using LatentBridge.Networks;
using LatentBridge.Weights;

namespace LatentBridge.Host.Bench;

/// <summary>
/// <c>bench video</c>: the exact picture of a single latent frame by each decoder of the TAEHV family, at the sizes that people make videos
/// in. The networks have the published files' shapes and seeded numbers: time and memory do not depend on the numbers.
/// </summary>
static class VideoBench
{
    const int Rounds = 3;

    /// <summary>Cells above which PyTorch, which makes all pictures of a latent frame, takes too long and too much memory to wait for.</summary>
    const int TorchCells = 8000;

    const int YardstickSide = 64;

    sealed record Model(string Name, string File, TaehvShape Shape, int Height, int Width)
    {
        internal Network Network => TaehvNetworks.Decoder(Shape, TaehvSize.Full, isLeaky: false);

        /// <summary>Multiply-adds of an exact picture, as the layers define them.</summary>
        internal double Cost => NeededFrames.MultiplyAddsPerPixel(Network, [Network.FramesPerFrame - 1]) * Height * Width;
    }

    static readonly Model[] Models =
    [
        new("LTX-2 1280x704", "taeltx_2", new(128, 4, (2, 2, 2)), 22, 40),
        new("Wan 2.2 5B 1280x704", "taew2_2", new(48, 2, (1, 2, 2)), 44, 80),
        new("HunyuanVideo 1.5 1280x720", "taehv1_5", new(32, 2, (1, 2, 2)), 45, 80),
        new("MiniMax H3 1344x768", "taeh3", new(24, 2, (1, 2, 2)), 48, 84),
        new("Wan 2.1 832x480", "taew2_1", new(16, 1, (1, 2, 2)), 60, 104),
        new("Qwen-Image 1328x1328", "taew2_1", new(16, 1, (1, 2, 2)), 166, 166),
    ];

    /// <summary>Measures and returns the rows.</summary>
    /// <param name="note">Gets what is compared and what is missing.</param>
    internal static IReadOnlyList<BenchRow> Run(Action<string> note)
    {
        using TemporaryFolder folder = new();
        Contest contest = new(folder.Path, note);
        List<BenchRow> rows = [];
        Network taesd = TaesdNetworks.Decoder(4, groupNorm: false, half: false);
        string yardstick = Weights(folder, "taesd_decoder", taesd);
        int threads = Environment.ProcessorCount > 1 ? 2 : 1;
        foreach (Model model in Models)
        {
            string weights = Weights(folder, model.File, model.Network);
            ContestCase Work(int threads) => new(TaehvDecoder.Id, weights, Numbers(model.Shape.Channels * model.Height * model.Width), model.Shape.Channels, model.Height, model.Width, threads);
            foreach (int count in model.File == "taew2_1" && threads > 1 ? [1, threads] : new[] { threads })
            {
                string name = $"{model.Name} {(count == 1 ? "1 thread" : "2 threads")}";
                rows.AddRange(contest.Measure(name, Work(count), Rounds, withTorch: model.Height * model.Width <= TorchCells));
                ContestCase known = new("taesd", yardstick, Numbers(4 * YardstickSide * YardstickSide), 4, YardstickSide, YardstickSide, count);
                double factor = model.Cost / (taesd.MultiplyAddsPerPixel * YardstickSide * YardstickSide);
                rows.Add(contest.MeasureAgainst(name, Work(count), known, factor, "predicted: our TAESD, as many multiply-adds", Rounds));
                rows.Add(new($"{name}, G multiply-adds a second", "G/s", model.Cost / 1e6 / rows[^1].Ours, null, model.Cost / 1e6 / rows[^1].Peer, "our TAESD"));
            }

            rows.Add(contest.MeasureMemory($"{model.Name} memory", Work(threads)));
        }

        rows.AddRange(Pasts(note));
        return rows;
    }

    /// <summary>What a picture loses that is made of fewer frames before its own than there are: only real weights can say.</summary>
    static IEnumerable<BenchRow> Pasts(Action<string> note)
    {
        string? latents = Environment.GetEnvironmentVariable("LATENTBRIDGE_TEST_DATA") is { Length: > 0 } data ? data : Distribution.Find("..", "shared");
        string? path = latents is null ? null : Path.Combine(latents, "models", "test_latents_wan.pth");
        FoundWeights? found = LatentDecoders.WeightsOfThisMachine().Found.FirstOrDefault(file => file is { Architecture: "taehv", Channels: 16, Problem: null } && file.Formats.Contains("Wan21"));
        if (found is null || !File.Exists(path))
        {
            note("What fewer frames before the picture's own cost is left out: it takes taew2_1 in a folder that LATENTBRIDGE_MODELS names, and test_latents_wan.pth in the test data.");
            return [];
        }

        return TruncatedPasts.Measure(found, LatentFile.Load(path)).Select(pair =>
            new BenchRow(string.Create(CultureInfo.InvariantCulture, $"{found.FileName}, {pair.Before} frames before"), "dB", pair.Decibels));
    }

    /// <summary>Writes a network's tensors with seeded numbers as a published file has them.</summary>
    internal static string Weights(TemporaryFolder folder, string name, Network network)
    {
        string path = Path.Combine(folder.Path, $"{name}.safetensors");
        if (!File.Exists(path))
        {
            Random random = new(1);
            SafetensorsWriter.Write(path, network.Tensors.Select(tensor =>
            {
                float scale = tensor.Dimensions.Length == 1 ? 0.1f : 2 / MathF.Sqrt(tensor.Length / tensor.Dimensions[0]);
                float middle = tensor.Name == "22.bias" ? 0.5f : 0; // of the pictures' range, so that few of their values are cut to it
                float[] values = [.. Enumerable.Range(0, (int)tensor.Length).Select(_ => middle + ((random.NextSingle() - 0.5f) * scale))];
                return StoredTensor.FromValues(tensor.Name, values, tensor.Dimensions);
            }));
        }

        return path;
    }

    internal static float[] Numbers(int count)
    {
        Random random = new(2);
        return [.. Enumerable.Range(0, count).Select(_ => 4 * (random.NextSingle() - 0.5f))];
    }
}
