using System.Globalization;
using System.Runtime.InteropServices;
using LatentBridge.Decoders;
using LatentBridge.Files;
using LatentBridge.Fitting;
using LatentBridge.Fitting.Training;
using LatentBridge.Formats;
using LatentBridge.Tests;

namespace LatentBridge.Sessions.Tests.Learning;

/// <summary>
/// The whole of learning, from a pair to the decoder that is used, on good pairs and bad ones: latents of photographs, and what the shipped <c>tiny</c> makes of them as the VAE's pictures.
/// <c>LATENTBRIDGE_GATE_TRIALS=1000</c> is the long form; <c>LATENTBRIDGE_GATE_FIRST=500</c> begins with that trial.
/// </summary>
public sealed class GateTrialTests : IDisposable
{
    const int Cells = 16;
    const int Side = 2;
    const int ShortForm = 12;

    static readonly LatentFormat Format = LatentFormats.Get("SDXL");
    static readonly int Trials = int.Parse(Environment.GetEnvironmentVariable("LATENTBRIDGE_GATE_TRIALS") ?? $"{ShortForm}", CultureInfo.InvariantCulture);

    static readonly int First = int.Parse(Environment.GetEnvironmentVariable("LATENTBRIDGE_GATE_FIRST") ?? "0", CultureInfo.InvariantCulture);

    /// <summary>What a preview may lose on clean pairs, in dB, whether a new decoder is taken or the learned one is dropped.</summary>
    const double LargestLoss = 0.1;

    readonly string _folder = Path.Combine(Path.GetTempPath(), $"gate-{Guid.NewGuid():N}");

    public void Dispose()
    {
        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    enum Fault
    {
        Mislabelled,
        Mirrored,
        Shifted,
        Black,
        Duplicate,
    }

    /// <summary>What became of a trial.</summary>
    /// <param name="Bad">Bad pairs that came.</param>
    /// <param name="SlippedIn">Of these, those that the check did not see; duplicates are not counted.</param>
    /// <param name="Gain">In dB on clean pairs, after less before.</param>
    /// <param name="IsTaken">A new decoder is used.</param>
    /// <param name="IsDropped">The learned one before is not used any more, and no other.</param>
    /// <param name="Story">What was kept, and what the log said.</param>
    sealed record Outcome(int Bad, int SlippedIn, double Gain, bool IsTaken, bool IsDropped, string Story);

    [Fact]
    public void With_bad_pairs_among_them_no_worse_decoder_gets_through()
    {
        (PicturePair[] pool, PicturePair[] clean) = Pairs(Cells);
        TrainedWeights? learned = null;
        List<Outcome> outcomes = [];
        for (int trial = First; trial < First + Trials; trial++)
        {
            outcomes.Add(Try(trial, pool, clean, ref learned));
            if (outcomes[^1].Gain < -LargestLoss)
            {
                Console.WriteLine(outcomes[^1]);
            }

            if (Trials > ShortForm && outcomes.Count % 25 == 0)
            {
                Console.WriteLine(Text(outcomes));
            }
        }

        string text = Text(outcomes);
        Assert.DoesNotContain(outcomes, outcome => outcome.Gain < -LargestLoss);
        Assert.True(outcomes.Count(outcome => outcome.IsTaken) * 20 >= Trials, $"The gate lets nothing through. {text}");
        Assert.True(outcomes.Sum(outcome => outcome.Bad) > Trials, text);
    }

    [Fact]
    public void Eight_good_pairs_are_enough_for_a_decoder()
    {
        (PicturePair[] pool, _) = Pairs(2 * Cells);
        pool = [.. pool.Where(pair => PairCheck.Problem(pair) is null)];
        for (int seed = 1; seed <= 2; seed++)
        {
            Assert.True(pool.Length >= 8, $"{pool.Length} pairs");
            Random random = new(seed);
            random.Shuffle(pool);
            string folder = Path.Combine(_folder, $"good-{seed}");
            DecoderEntry builtIn = LatentDecoders.For(Format, LatentDecoders.Weights([])).First(entry => entry.Description.Id == "latent2rgb");
            List<string> lines = [];
            using (Learner learner = new(folder, _ => [builtIn], () => false, () => { }, Log, new(TimeSpan.Zero, _ => 150)))
            {
                Array.ForEach(pool[..8], pair => learner.Keep(pair, Format));
                long began = Environment.TickCount64;
                while (!Said(lines, " learned from ") && Environment.TickCount64 - began < 100_000)
                {
                    Thread.Sleep(2);
                }
            }

            Assert.True(Said(lines, "is used from now on"), $"seed {seed}: {string.Join(" | ", lines)}");

            void Log(string line)
            {
                lock (lines)
                {
                    lines.Add(line);
                }
            }
        }
    }

    static bool Said(List<string> lines, string words)
    {
        lock (lines)
        {
            return lines.Exists(line => line.Contains(words, StringComparison.Ordinal));
        }
    }

    static string Text(List<Outcome> outcomes)
    {
        double[] taken = [.. outcomes.Where(outcome => outcome.IsTaken).Select(outcome => outcome.Gain).DefaultIfEmpty().Order()];
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{outcomes.Count} trials: {outcomes.Sum(o => o.Bad)} bad pairs came, {outcomes.Sum(o => o.SlippedIn)} slipped in; {outcomes.Count(o => o.IsTaken)} decoders were taken, {taken[0]:0.00} to {taken[^1]:0.00} dB closer on clean pairs (median {taken[taken.Length / 2]:0.00}); {outcomes.Count(o => o.IsDropped)} were dropped");
    }

    /// <summary>Some pairs come to a user who has a built-in decoder or, every second time, one learned before.</summary>
    Outcome Try(int trial, PicturePair[] pool, PicturePair[] clean, ref TrainedWeights? learned)
    {
        Random random = new(trial);
        string folder = Path.Combine(_folder, $"{trial}");
        LearnedSpace space = LearnedSpace.In(folder, Format);
        if (trial % 2 == 1 && learned is not null)
        {
            PrivateFolder.Make(Path.GetDirectoryName(space.Files.Decoder)!);
            space.Write(learned, 1, new(30, 2));
        }

        DecoderEntry builtIn = BuiltIn(pool, random);
        double before = Clean(space.Entry() ?? builtIn);
        DateTime written = File.GetLastWriteTimeUtc(space.Files.Decoder);
        bool hadOne = space.Entry() is not null;
        bool isHeld = true;
        List<string> lines = [], kept = [];
        int bad = 0, slippedIn = 0;
        using (Learner learner = new(folder, _ => [builtIn], () => Volatile.Read(ref isHeld), () => { }, Log, new(TimeSpan.Zero, _ => 40)))
        {
            double share = 0.6 * random.NextDouble();
            List<PicturePair> came = [];
            for (int i = random.Next(8, 30); i > 0; i--)
            {
                PicturePair pair = pool[random.Next(pool.Length)];
                bool isBad = random.NextDouble() < share;
                string what = "";
                if (isBad)
                {
                    bad++;
                    Fault fault = (Fault)random.Next(5);
                    pair = fault == Fault.Duplicate && came.Count > 0 ? came[random.Next(came.Count)] : Spoil(pair, pool[random.Next(pool.Length)], fault, random);
                    what = $"{fault}";
                    slippedIn += fault != Fault.Duplicate && PairCheck.Problem(pair) is null ? 1 : 0;
                }

                came.Add(pair);
                int admitted = space.Pairs.Admitted;
                learner.Keep(pair, Format);
                if (space.Pairs.Admitted > admitted)
                {
                    kept.Add(what);
                }
            }

            if (space.Pairs.Admitted >= 8)
            {
                Volatile.Write(ref isHeld, false);
                long began = Environment.TickCount64;
                while (!Said(lines, " learned from ") && !Said(lines, "was learned: "))
                {
                    Assert.True(Environment.TickCount64 - began < 100_000, $"Trial {trial} does not end: {string.Join(" | ", lines)}");
                    Thread.Sleep(2);
                }

                Assert.False(Said(lines, "No decoder"), string.Join(" | ", lines));
            }
        }

        bool isTaken = File.Exists(space.Files.Decoder) && File.GetLastWriteTimeUtc(space.Files.Decoder) != written;
        bool isDropped = hadOne && !File.Exists(space.Files.Decoder);
        double gain = Clean(space.Entry() ?? builtIn) - before;
        string story = $"trial {trial}, had one: {hadOne}, {builtIn.Description.Id}, before {before:0.00} dB; kept {string.Join(", ", space.Pairs.Files().Select(file => $"{file.Number}{(file.IsTest ? " test" : "")} {kept[file.Number - 1]}".Trim()))}; {string.Join(" | ", lines)}";
        learned = isTaken ? TrainedWeights.Read(space.Files.Decoder) : learned;
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }

        return new(bad, slippedIn, gain, isTaken, isDropped, story);

        void Log(string line)
        {
            lock (lines)
            {
                lines.Add(line);
            }
        }

        double Clean(DecoderEntry entry)
        {
            using ILatentDecoder decoder = entry.Load();
            return DecoderMeasure.Of(decoder, clean, 1, TestContext.Current.CancellationToken).Psnr;
        }
    }

    /// <summary>A map of single or 3 x 3 cells, fitted to a few pairs or to many.</summary>
    static DecoderEntry BuiltIn(PicturePair[] pool, Random random)
    {
        bool is3x3 = random.Next(2) == 0;
        ColourFit fit = new(Format.PlaneChannels, 1, side: is3x3 ? 3 : 1);
        for (int i = random.Next(1, 12); i > 0; i--)
        {
            PicturePair pair = pool[random.Next(pool.Length)].Reduce(1);
            fit.Add(pair.Planes, pair.Pixels, heldOut: false, threads: 1, pair.Width);
        }

        FittedMap map = fit.Solve(is3x3 ? ColourMapKind.Linear3x3 : ColourMapKind.Linear, 1e-4);
        using ILatentDecoder decoder = map.ToDecoder();
        return new(decoder.Description, false, map.ToDecoder);
    }

    static PicturePair Spoil(PicturePair pair, PicturePair other, Fault fault, Random random)
    {
        if (fault is Fault.Mislabelled or Fault.Duplicate)
        {
            return pair with { Pixels = other.Pixels };
        }

        byte[] pixels = new byte[pair.Pixels.Length];
        (int width, int height, int by) = (pair.Width * Side, pair.Height * Side, Side * random.Next(1, 5));
        bool isAcross = random.Next(2) == 0;
        for (int i = 0; fault != Fault.Black && i < width * height; i++)
        {
            (int y, int x) = Math.DivRem(i, width);
            (y, x) = fault == Fault.Mirrored ? (isAcross ? y : height - 1 - y, isAcross ? width - 1 - x : x) : isAcross ? (y, (x + by) % width) : ((y + by) % height, x);
            pair.Pixels.AsSpan(3 * ((y * width) + x), 3).CopyTo(pixels.AsSpan(3 * i));
        }

        return pair with { Pixels = pixels };
    }

    /// <summary>Parts of six photographs' left halves, none of which overlap, to come to the user; their right halves to measure with.</summary>
    static (PicturePair[] Pool, PicturePair[] Clean) Pairs(int cells)
    {
        using ILatentDecoder vae = LatentDecoders.For(Format, LatentDecoders.WeightsOfThisMachine()).First(entry => entry.Description.Id == "tiny").Load();
        List<PicturePair> pool = [], clean = [];
        foreach (string name in (string[])["SDXL_kodim04", "SDXL_batch4", "SDXL_kodim23"])
        {
            LoadedLatent latent = LatentFile.Load(Path.Combine(TestData.RepositoryRoot, "examples", "latents", name + ".safetensors"));
            (int batch, int height, int width) = ((int)latent.Axes[0], (int)latent.Axes[2], (int)latent.Axes[3]);
            int plane = height * width;
            float[] all = Array.ConvertAll(MemoryMarshal.Cast<byte, Half>(latent.Bytes).ToArray(), value => (float)value);
            for (int item = 0; item < batch; item++)
            {
                float[] planes = all[(item * Format.PlaneChannels * plane)..((item + 1) * Format.PlaneChannels * plane)];
                int side = vae.Description.PixelsPerCell;
                byte[] pixels = new byte[3 * side * side * plane];
                vae.Decode(new(planes, Format.PlaneChannels, height, width), pixels, 2, TestContext.Current.CancellationToken);
                PicturePair picture = new PicturePair(planes, Format.PlaneChannels, height, width, pixels, side).Reduce(Side);
                clean.Add(picture.Crop(0, width / 2, height, width / 2));
                for (int top = 0; top + cells <= height; top += cells)
                {
                    for (int left = 0; left + cells <= width / 2; left += cells)
                    {
                        pool.Add(picture.Crop(top, left, cells, cells));
                    }
                }
            }
        }

        return ([.. pool], [.. clean]);
    }
}
