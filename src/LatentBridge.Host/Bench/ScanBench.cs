using System.Diagnostics;
using System.Globalization;
using LatentBridge.Files;
using LatentBridge.Scanning;
using LatentBridge.Scanning.Report;
using LatentBridge.Scanning.Sources;

namespace LatentBridge.Host.Bench;

/// <summary>
/// <c>bench scan</c>: SDXL latents of 1024 pixels in F16, one a file of 128 KiB, all in the page cache, on all cores; reading them beside <c>cat</c>; and a million latents of
/// 64 pixels in shards of ten thousand, with the memory that it took.
/// </summary>
static class ScanBench
{
    const int Files = 2000;
    const int Side = 128;
    const int Rounds = 3;
    const int SmallShards = 100;
    const int SmallPerShard = 10_000;

    /// <summary>Measures and returns the rows.</summary>
    /// <param name="note">Gets what is measured.</param>
    internal static IReadOnlyList<BenchRow> Run(Action<string> note)
    {
        note($"{Files} SDXL latents of {Side}x{Side} cells, {Environment.ProcessorCount} threads, kernel {Simd.Kernel.Name}");
        using TemporaryFolder folder = new();
        string[] files = WriteLarge(folder.Path);
        Samples cat = new(), read = new(), linear = new(), perceptron = new();
        for (int round = 0; round <= Rounds; round++)
        {
            // The first round compiles and fills the page cache.
            Samples warmUp = new();
            (round == 0 ? warmUp : cat).Add(Cat(folder.Path));
            (round == 0 ? warmUp : read).Add(Time(() => Read(files)));
            (round == 0 ? warmUp : linear).Add(Time(() => Scan(files, "latent2rgb")));
            (round == 0 ? warmUp : perceptron).Add(Time(() => Scan(files, "mlp")));
        }

        Array.ForEach(files, File.Delete);
        return
        [
            new("scan, latent2rgb", "latents/s", Files / linear.Median),
            new("scan, mlp", "latents/s", Files / perceptron.Median),
            new("read only, one thread", "ms", 1000 * read.Median, Peer: cat.Median > 0 ? 1000 * cat.Median : null, PeerName: "cat of the same files"),
            .. Small(folder.Path, note),
        ];
    }

    static IEnumerable<BenchRow> Small(string folder, Action<string> note)
    {
        note($"{SmallShards * SmallPerShard} latents of 8x8 cells in {SmallShards} shards");
        WriteSmall(folder);
        long tenth = 0;
        int shards = 0;
        double seconds = Time(() =>
        {
            using ScanReport report = ScanReport.Temporary();
            new DatasetScan(new() { Request = new() { FormatId = "SDXL" }, Threads = Environment.ProcessorCount }, report).Run(
                LatentShards.Find(folder), static _ => { }, _ => tenth = ++shards == SmallShards / 10 ? Environment.WorkingSet : tenth, CancellationToken.None);
        });
        long end = Environment.WorkingSet;
        yield return new("small latents", "latents/s", SmallShards * SmallPerShard / seconds);
        yield return new("memory after a tenth of them", "MB", tenth / 1e6);
        yield return new("memory after all", "MB", end / 1e6);
    }

    static void Read(string[] files)
    {
        foreach (string file in files)
        {
            foreach (ShardItem item in LatentShards.Read(file, new()))
            {
                _ = item.Latent!.Bytes.Length;
            }
        }
    }

    static void Scan(string[] files, string decoder)
    {
        using ScanReport report = ScanReport.Temporary();
        new DatasetScan(new() { Decoder = decoder, Threads = Environment.ProcessorCount }, report).Run(files, static _ => { }, static _ => { }, CancellationToken.None);
    }

    /// <summary>Seconds of <c>cat</c>; 0 where there is none.</summary>
    static double Cat(string folder)
    {
        if (OperatingSystem.IsWindows())
        {
            return 0;
        }

        return Time(() =>
        {
            using Process cat = Process.Start(new ProcessStartInfo("sh", ["-c", "cat *.safetensors > /dev/null"]) { WorkingDirectory = folder })!;
            cat.WaitForExit();
        });
    }

    static double Time(Action work)
    {
        long started = Stopwatch.GetTimestamp();
        work();
        return Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    static string[] WriteLarge(string folder)
    {
        float[] values = new float[4 * Side * Side];
        string[] files = [.. Enumerable.Range(0, Files).Select(i => Path.Combine(folder, $"{i:0000}.safetensors"))];
        for (int i = 0; i < Files; i++)
        {
            Fill(values, i, Side);
            SafetensorsWriter.Write(
                files[i], [StoredTensor.FromValues("latent", values, [4, Side, Side], TensorElementType.F16)], new Dictionary<string, string> { ["latent_format"] = "SDXL" });
        }

        return files;
    }

    static void WriteSmall(string folder)
    {
        const int SmallSide = 8, Values = 4 * SmallSide * SmallSide;
        float[] values = new float[Values];
        byte[] shard = new byte[SmallPerShard * Values * 2];
        for (int number = 0; number < SmallShards; number++)
        {
            for (int i = 0; i < SmallPerShard; i++)
            {
                Fill(values, (number * SmallPerShard) + i, SmallSide);
                TensorConversion.FromSingle(values, TensorElementType.F16, shard.AsSpan(i * Values * 2, Values * 2));
            }

            SafetensorsWriter.Write(
                Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"small-{number:000}.safetensors")),
                [new("latents", TensorElementType.F16, [SmallPerShard, 4, SmallSide, SmallSide], shard)],
                new Dictionary<string, string> { ["latent_format"] = "SDXL" });
        }
    }

    /// <summary>Waves of all directions, and noise: each latent another one.</summary>
    static void Fill(float[] values, int number, int side)
    {
        const int Waves = 8;
        Random random = new(number);
        for (int channel = 0; channel < 4; channel++)
        {
            Span<float> plane = values.AsSpan(channel * side * side, side * side);
            for (int i = 0; i < plane.Length; i++)
            {
                plane[i] = (0.6f * random.NextSingle()) - 0.3f;
            }

            for (int wave = 0; wave < Waves; wave++)
            {
                (float u, float v, float phase, float strength) = ((24 * random.NextSingle()) - 12, (24 * random.NextSingle()) - 12, 6 * random.NextSingle(), random.NextSingle());
                for (int i = 0; i < plane.Length; i++)
                {
                    plane[i] += strength * MathF.Sin((((u * (i % side)) + (v * (i / side))) / side) + phase);
                }
            }
        }
    }
}
