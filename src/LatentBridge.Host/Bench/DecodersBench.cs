using System.Diagnostics;
using System.Globalization;
using LatentBridge.Decoders;
using LatentBridge.Files;
using LatentBridge.Formats;
using LatentBridge.Latents;
using LatentBridge.Networks;
using LatentBridge.Onnx;
using LatentBridge.Onnx.Runtime;
using LatentBridge.Simd;
using LatentBridge.Weights;

namespace LatentBridge.Host.Bench;

/// <summary>
/// <c>bench decoders</c>: the networks against the same networks in ONNX Runtime and PyTorch, on the same input and as many threads. Everyone,
/// we too, is a process; they take turns, and what they compute is compared.
/// </summary>
static class DecodersBench
{
    const string FormatId = "SD15";
    const int Rounds = 9;
    const int ManyRounds = 60;

    /// <summary>Rows of the strips that show what a width costs: stripes do not depend on the height.</summary>
    const int StripHeight = 48;

    // Threads of others still spin for a while after a run: let them go to sleep first.
    static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(60);

    /// <summary>Measures and returns the rows.</summary>
    /// <param name="note">Gets what is compared and what is missing.</param>
    internal static IReadOnlyList<BenchRow> Run(Action<string> note)
    {
        using TemporaryFolder folder = new();
        WeightLibrary library = LatentDecoders.WeightsOfThisMachine();
        Contest contest = new(folder.Path, note);
        List<BenchRow> rows = [];
        string? taesd = Find(library, "taesd-decoder"), encoder = Find(library, "taesd-encoder"), tiny = Find(library, "latentbridge-tiny");
        int[] threadCounts = Environment.ProcessorCount > 1 ? [1, 2] : [1];

        foreach (int threads in threadCounts)
        {
            foreach (int side in new[] { 64, 128 })
            {
                string name = $"taesd decode {8 * side}x{8 * side} {Threads(threads)}";
                rows.AddRange(taesd is null ? [] : contest.Measure(name, new("taesd", taesd, Latent(side), 4, side, side, threads), Rounds));
            }

            string encode = $"taesd encode 512x512 {Threads(threads)}";
            rows.AddRange(encoder is null ? [] : contest.Measure(encode, new(NetworkTurns.EncodeKind, encoder, Picture(), 3, 512, 512, threads), Rounds));
        }

        if (taesd is null || encoder is null)
        {
            note("No TAESD for SD1 was found, so its rows are left out. Put it into a folder that LATENTBRIDGE_MODELS names.");
        }

        if (tiny is not null)
        {
            const string Name = "tiny decode 64x64 1 thread";
            ContestCase tinyCase = new("tiny", tiny, Latent(64), 4, 64, 64, 1);
            rows.AddRange(contest.Measure(Name, tinyCase, ManyRounds));
            rows.AddRange(Kernel.Supported.Reverse().Skip(1).Where(width => width != KernelWidth.Scalar).Select(width => contest.MeasureWidth(Name, tinyCase, ManyRounds, width)));
        }

        if (taesd is not null)
        {
            ContestCase Decode(int side) => new("taesd", taesd, Latent(side), 4, side, side, threadCounts[^1]);
            rows.Add(contest.MeasureMemory("taesd decode 1024x1024 memory", Decode(128)));
            rows.Add(contest.MeasureGrowth("taesd decode growth 512 to 4096", Decode(64), Decode(512)));
            ContestCase Strip(int width) => new("taesd", taesd, VideoBench.Numbers(4 * StripHeight * width), 4, StripHeight, width, 1);
            foreach (int width in new[] { 512, 640, 648, 768, 1024 })
            {
                rows.Add(contest.MeasureGrowth($"taesd decode growth 1024 to {8 * width} columns", Strip(128), Strip(width)));
            }

            rows.Add(contest.MeasureMemory("taesd decode 8192x8192 memory", Decode(1024)));
        }

        foreach ((string name, string? weights, int rounds) in new[] { ("taesd", taesd, Rounds), ("tiny", tiny, ManyRounds) })
        {
            if (weights is not null && OnnxLibrary.Missing is null)
            {
                rows.Add(MeasureAdapter($"{name} by ONNX Runtime, our part included", contest.Model(weights), rounds));
            }
        }

        return rows;
    }

    // ONNX Runtime through LatentBridge.Onnx against ONNX Runtime's own run: one session, in turns.
    static BenchRow MeasureAdapter(string name, string model, int rounds)
    {
        const int Side = 64;
        using ILatentDecoder decoder = OnnxModels.Load(model, LatentFormats.Get(FormatId));
        Action bare = OnnxLibrary.BareRun(decoder)!;
        float[] latent = Latent(Side);
        (int width, int height) = decoder.Description.OutputSize(Side, Side);
        byte[] picture = new byte[3 * width * height];
        int channels = decoder.Description.Channels;
        Samples ours = new(), theirs = new();
        for (int round = -2; round < rounds; round++)
        {
            double whole = Milliseconds(() => decoder.Decode(new(latent, channels, Side, Side), picture, 1, CancellationToken.None));
            double alone = Milliseconds(bare);
            if (round >= 0)
            {
                ours.Add(whole);
                theirs.Add(alone);
            }
        }

        return new($"{name}, {Side}x{Side} 1 thread", "ms", ours.Median, null, theirs.Median, $"ONNX Runtime {OnnxLibrary.Description.Split(' ')[0]} alone");

        static double Milliseconds(Action work)
        {
            long started = Stopwatch.GetTimestamp();
            work();
            return Stopwatch.GetElapsedTime(started).TotalMilliseconds;
        }
    }

    static string Threads(int count) => count == 1 ? "1 thread" : $"{count.ToString(CultureInfo.InvariantCulture)} threads";

    /// <summary>The weights of SD1.5 for an architecture on this machine; null where there are none.</summary>
    internal static string? Find(string architecture) => Find(LatentDecoders.WeightsOfThisMachine(), architecture);

    static string? Find(WeightLibrary library, string architecture) =>
        library.Found.FirstOrDefault(found => found.Architecture == architecture && found.Formats.Contains(FormatId) && found.Problem is null)?.Path;

    // The example photograph's latent, laid side by side as often as it takes.
    static float[] Latent(int side)
    {
        LoadedLatent example = LatentFile.Load(Distribution.Find("examples", "latents", "SD15_kodim23.safetensors")
            ?? throw new LatentBridgeException("examples/latents is not next to this program. Run the benchmark from the clone or the whole release."));
        LatentFormat format = LatentFormats.Get(FormatId);
        using Previews.PreviewRenderer renderer = new(format);
        renderer.Stage(example.View, new());
        LatentPlanes planes = renderer.Planes(0);
        float[] tiled = new float[planes.Channels * side * side];
        for (int i = 0; i < tiled.Length; i++)
        {
            (int channel, int y, int x) = (i / (side * side), i / side % side, i % side);
            tiled[i] = planes.Plane(channel)[(y % planes.Height * planes.Width) + (x % planes.Width)];
        }

        return tiled;
    }

    // 512 x 512 pixels of photograph, from the same latent by the tiny decoder, twice enlarged.
    static float[] Picture()
    {
        LatentFormat format = LatentFormats.Get(FormatId);
        using ILatentDecoder decoder = LatentDecoders.For(format, LatentDecoders.WeightsOfThisMachine()).First(entry => entry.Description.Id is "tiny" or "latent2rgb").Load();
        (int width, int height) = decoder.Description.OutputSize(64, 64);
        byte[] small = new byte[3 * width * height], large = new byte[3 * 512 * 512];
        decoder.Decode(new(Latent(64), decoder.Description.Channels, 64, 64), small, 1, CancellationToken.None);
        new Imaging.Scaling.ImageScaler().Scale(small, width, height, large, 512, 512, Imaging.Scaling.ImageScaling.Smooth);
        return NetworkTurns.PlanesOf(large);
    }

    /// <summary>Waits until nobody computes any more, then has one do its work.</summary>
    internal static double Turn(PeerProcess contender)
    {
        Thread.Sleep(Pause);
        return contender.Measure(0);
    }
}
