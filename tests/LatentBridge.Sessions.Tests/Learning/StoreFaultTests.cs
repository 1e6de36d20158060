using System.Diagnostics;
using System.Runtime.CompilerServices;
using LatentBridge.Decoders;
using LatentBridge.Files;
using LatentBridge.Fitting.Training;
using LatentBridge.Formats;

namespace LatentBridge.Sessions.Tests.Learning;

/// <summary>What can happen to the folder of what is learned: the old decoder stays, nothing else is lost, and it is said once.</summary>
public sealed class StoreFaultTests : IDisposable
{
    const int Channels = 4;
    const int Cells = 16;
    const string ChildFolder = "LATENTBRIDGE_TEST_STORE";
    const string Used = "is used from now on";

    static readonly LatentFormat Format = LatentFormats.Get("SDXL");

    readonly string _data = Path.Combine(Path.GetTempPath(), $"store-{Guid.NewGuid():N}");
    readonly List<string> _lines = [];

    /// <summary>This program again, as one that writes until it is killed.</summary>
    [ModuleInitializer]
    internal static void WriteUntilKilled()
    {
        if (Environment.GetEnvironmentVariable(ChildFolder) is not { } folder)
        {
            return;
        }

        LearnedSpace space = LearnedSpace.In(folder, Format);
        PicturePair[] pairs = [Pair(1), Pair(2)];
        using TinyTrainer trainer = new(pairs, FirstWeights.FromLinearFit(pairs, 2, 0), new(10), 1);
        TrainedWeights weights = trainer.Weights();
        for (int seed = 1; ; seed++)
        {
            space.Pairs.Add(Pair(seed), Format.Id);
            space.Write(weights, seed, new(30, 2));
            space.Save(trainer, "some");
        }
    }

    public void Dispose()
    {
        if (Directory.Exists(_data))
        {
            Directory.Delete(_data, recursive: true);
        }
    }

    string Folder => LearnedSpace.FolderIn(_data)!;

    LearnedSpace Space => LearnedSpace.In(Folder, Format);

    [Fact]
    public void What_was_forgotten_does_not_come_back_from_a_training_that_was_on()
    {
        using ManualResetEventSlim trains = new();
        using Learner learner = Open(100_000, () => trains.Set());
        Keep(learner, 1, 8);
        Wait(() => File.Exists(Space.Files.Checkpoint), "a checkpoint");
        Assert.Equal((8, null, false), Assert.Single(LearnedDecoder.All(_data)) is var kept ? (kept.Kept, kept.Pictures, kept.HasBefore) : default);
        Assert.Single(LearnedDecoder.All(_data)).Forget(_data);
        Assert.Empty(LearnedDecoder.All(_data));
        learner.Disturb(); // it wants to save what it has
        Wait(() => Said("forgotten meanwhile"), "the end of the training");
        Assert.Empty(LearnedDecoder.All(_data));

        Keep(learner, 10, 1);
        Assert.Equal(["pair"], Directory.GetFiles(Path.GetDirectoryName(Space.Files.Decoder)!).Select(file => Path.GetFileName(file)[..4]));
    }

    [Fact]
    public void Rollback_brings_the_one_before_back_and_then_none()
    {
        (TrainedWeights first, TrainedWeights second) = (Weights(1), Weights(2));
        PrivateFolder.Make(Path.GetDirectoryName(Space.Files.Decoder)!);
        Space.Write(first, 4, new(30, 2));
        Space.Write(second, 8, new(31, 2));
        LearnedDecoder now = Assert.Single(LearnedDecoder.All(_data));
        Assert.Equal((8, 31.0, true), (now.Pictures, now.Psnr, now.HasBefore));
        using Learner learner = Open();
        Assert.Contains("8 pictures", Assert.Single(learner.With([], Format)).Description.Source, StringComparison.Ordinal);
        Assert.False(learner.HasChanged());

        now.RollBack(_data);
        Assert.True(learner.HasChanged());
        Assert.Contains("4 pictures", Assert.Single(learner.With([], Format)).Description.Source, StringComparison.Ordinal);
        Assert.Equal((4, false), Assert.Single(LearnedDecoder.All(_data)) is var before ? (before.Pictures, before.HasBefore) : default);
        now.RollBack(_data);
        Assert.True(learner.HasChanged());
        Assert.Empty(learner.With([], Format));
        now.RollBack(_data); // there is nothing left
        Assert.Null(Assert.Single(LearnedDecoder.All(_data)).Pictures);
    }

    [Fact]
    public void Killed_while_it_writes_every_file_is_whole()
    {
        for (int round = 0; round < 6; round++)
        {
            ProcessStartInfo start = new(Environment.ProcessPath!) { UseShellExecute = false, RedirectStandardOutput = true };
            start.Environment[ChildFolder] = Folder;
            using Process child = Process.Start(start)!;
            int before = Space.Pairs.Admitted;
            Wait(() => child.HasExited || Space.Pairs.Admitted > before + 3, "the child to write");
            Thread.Sleep(17 * round);
            Assert.False(child.HasExited);
            child.Kill();
            child.WaitForExit();

            IReadOnlyList<PairStore.PairFile> files = Space.Pairs.Files();
            Assert.InRange(files.Count, 4, PairStore.MaximumPairs + 1);
            Assert.All(files, file => Assert.NotNull(PairStore.Read(file, Channels)));
            Assert.NotNull(Space.Entry());
            using TinyTrainer trainer = new([Pair(1)], Weights(1), new(10), 1);
            using TensorFile checkpoint = TensorFile.Open(Space.Files.Checkpoint);
            Assert.True(trainer.Restore(checkpoint));
        }
    }

    [Fact]
    public void On_a_full_disk_the_old_decoder_and_all_pairs_stay_and_it_says_so_once()
    {
        Directory.CreateDirectory(Folder);
        if (!Run("mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", Folder))
        {
            Assert.Skip("A small file system takes root to mount.");
        }

        try
        {
            using Learner learner = Open();
            Keep(learner, 1, 8);
            Wait(() => Said(Used), "a decoder");
            byte[] decoder = File.ReadAllBytes(Space.Files.Decoder);
            string[] kept = [.. Space.Pairs.Files().Select(file => file.Path)];
            string ballast = Path.Combine(Folder, "ballast");
            Fill(ballast);
            Keep(learner, 9, 6);
            Assert.Equal(kept, Space.Pairs.Files().Select(file => file.Path));
            Assert.Equal(decoder, File.ReadAllBytes(Space.Files.Decoder));
            Assert.Single(Lines(), line => line.Contains("cannot be written", StringComparison.Ordinal));
            Assert.Empty(Directory.GetFiles(Folder, "*.partial", SearchOption.AllDirectories));

            // Room for pairs, not for a checkpoint.
            File.Delete(ballast);
            using (FileStream fill = File.Create(ballast))
            {
                fill.Write(new byte[(int)new DriveInfo(Folder).AvailableFreeSpace - 100_000]);
            }

            Keep(learner, 9, 8);
            Wait(() => Said("was learned: "), "the end of a training");
            Assert.Equal(16, Space.Pairs.Files().Count);
            Assert.Equal(decoder, File.ReadAllBytes(Space.Files.Decoder));
            Assert.NotNull(Space.Entry());
        }
        finally
        {
            Assert.True(Run("umount", "-l", Folder));
        }
    }

    [Fact]
    public void Two_hosts_that_learn_at_once_do_not_train_at_once()
    {
        using Learner one = Open(400), other = Open(400);
        using (FileStream held = Locked())
        {
            Keep(one, 1, 8);
            Thread.Sleep(300);
            Assert.False(File.Exists(Space.Files.Checkpoint));
        }

        Keep(other, 9, 8);
        Wait(() => Lines().Count(line => line.Contains(" was learned from ", StringComparison.Ordinal)) >= 2, "both trainings");
        Assert.All(Space.Pairs.Files(), file => Assert.NotNull(PairStore.Read(file, Channels)));
        Assert.NotNull(Space.Entry());
        Assert.DoesNotContain(Lines(), line => line.Contains("No decoder", StringComparison.Ordinal));
    }

    [Fact]
    public void A_host_that_lists_and_forgets_while_another_writes_never_fails()
    {
        Task writes = Task.Run(() =>
        {
            for (int seed = 0; seed < 150; seed++)
            {
                try
                {
                    Space.Pairs.Add(Pair(seed), Format.Id);
                }
                catch (Exception e) when (e is LatentBridgeException or IOException or UnauthorizedAccessException)
                {
                    // The folder went at this moment: what the learner says once.
                }
            }
        }, TestContext.Current.CancellationToken);
        while (!writes.IsCompleted)
        {
            foreach (LearnedDecoder space in LearnedDecoder.All(_data))
            {
                space.Forget(_data);
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_decoder_that_is_damaged_or_of_another_version_gives_way_to_a_new_one(bool isAnotherVersion)
    {
        PrivateFolder.Make(Path.GetDirectoryName(Space.Files.Decoder)!);
        Space.Write(Weights(1), 4, new(30, 2));
        File.Copy(Space.Files.Decoder, Space.Files.Before);
        if (isAnotherVersion)
        {
            SafetensorsWriter.Write(Space.Files.Decoder, [StoredTensor.FromValues("conv_in.weight", new float[9], [1, 1, 3, 3])], new Dictionary<string, string> { ["architecture"] = "latentbridge-0" });
        }
        else
        {
            File.WriteAllBytes(Space.Files.Decoder, File.ReadAllBytes(Space.Files.Decoder)[..1000]);
        }

        byte[] before = File.ReadAllBytes(Space.Files.Before);
        using Learner learner = Open();
        Assert.Empty(learner.With([], Format));
        Assert.Empty(learner.With([], Format));
        Assert.Single(Lines());
        Keep(learner, 1, 8);
        Wait(() => Said(Used), "a decoder");
        Assert.Contains("5 pictures", Assert.Single(learner.With([], Format)).Description.Source, StringComparison.Ordinal);
        Assert.Equal(before, File.ReadAllBytes(Space.Files.Before)); // the good one, not the damaged one
    }

    [Fact]
    public void Pairs_in_the_store_that_nothing_can_be_learned_from_disturb_no_training()
    {
        string folder = Path.GetDirectoryName(Space.Files.Decoder)!;
        PrivateFolder.Make(folder);
        Write("pair-00000001-00000000-learn", [Channels, 0, 0], [0, 0, 3], "1", 0);
        Write("pair-00000002-00000000-learn", [Channels, 4, 4], [9, 8, 3], "1", 0);
        Write("pair-00000003-00000000-learn", [Channels, 4, 4], [8, 8, 3], "1", float.NaN);
        Write("pair-00000004-00000000-test", [Channels + 1, 4, 4], [8, 8, 3], "1", 1);
        Write("pair-00000005-00000000-test", [Channels, 4, 4], [8, 8, 3], "0", 1);
        using Learner learner = Open();
        Keep(learner, 6, 11);
        Wait(() => Said(Used), "a decoder");
        Assert.Equal(16, Space.Pairs.Files().Count); // those of other versions are left alone

        void Write(string name, long[] latent, long[] picture, string version, float value)
        {
            float[] values = new float[latent.Aggregate(1L, (a, b) => a * b)];
            Array.Fill(values, value);
            byte[] pixels = new byte[picture.Aggregate(1L, (a, b) => a * b)];
            new Random(1).NextBytes(pixels);
            SafetensorsWriter.Write(
                Path.Combine(folder, name + ".safetensors"), [StoredTensor.FromValues("latent", values, latent), new("picture", TensorElementType.U8, picture, pixels)],
                new Dictionary<string, string> { ["latentbridge_pair"] = version });
        }
    }

    [Fact]
    public void A_picture_that_is_not_its_latents_is_not_kept()
    {
        using Learner learner = Open();
        PicturePair pair = Pair(1);
        float[] planes = [.. pair.Planes];
        planes[7] = float.NaN;
        learner.Keep(pair with { Planes = planes }, Format);
        learner.Keep(pair with { Pixels = Pair(2).Pixels }, Format);
        learner.Keep(pair with { Pixels = new byte[pair.Pixels.Length] }, Format);
        Assert.Empty(LearnedDecoder.All(_data));
        Assert.Equal(3, Lines().Length);
    }

    Learner Open(int steps = 40, Action? trains = null) => new(
        Folder, _ => [],
        () =>
        {
            trains?.Invoke();
            return false;
        },
        () => { },
        line =>
        {
            lock (_lines)
            {
                _lines.Add(line);
            }
        },
        new(TimeSpan.Zero, _ => steps));

    static void Keep(Learner learner, int first, int count)
    {
        for (int seed = first; seed < first + count; seed++)
        {
            learner.Keep(Pair(seed), Format);
        }
    }

    FileStream Locked()
    {
        PrivateFolder.Make(Path.GetDirectoryName(Space.Files.Lock)!);
        return Space.TryLock()!;
    }

    string[] Lines()
    {
        lock (_lines)
        {
            return [.. _lines];
        }
    }

    static void Fill(string path)
    {
        using FileStream fill = new(path, FileMode.Create, FileAccess.Write, FileShare.None, 0);
        Assert.Throws<IOException>((Action)(() =>
        {
            while (true)
            {
                fill.Write(new byte[4096]);
            }
        }));
    }

    bool Said(string words) => Array.Exists(Lines(), line => line.Contains(words, StringComparison.Ordinal));

    void Wait(Func<bool> isSo, string what)
    {
        long began = Environment.TickCount64;
        while (!isSo())
        {
            Assert.True(Environment.TickCount64 - began < 60_000, $"Waited a minute for {what}. The log: {string.Join(" | ", Lines())}");
            Thread.Sleep(5);
        }
    }

    static bool Run(string program, params string[] arguments)
    {
        try
        {
            ProcessStartInfo start = new(program, arguments) { RedirectStandardError = true };
            using Process process = Process.Start(start)!;
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }

    static TrainedWeights Weights(int seed) => FirstWeights.FromLinearFit([Pair(seed), Pair(seed + 1)], 2, seed);

    /// <summary>A smooth picture, two pixels a cell, whose colours are half of the first three channels.</summary>
    static PicturePair Pair(int seed)
    {
        Random random = new(seed);
        float[] planes = [.. Enumerable.Range(0, Channels * Cells * Cells).Select(_ => (2 * random.NextSingle()) - 1)];
        byte[] pixels = new byte[3 * 4 * Cells * Cells];
        for (int i = 0; i < pixels.Length; i++)
        {
            (int y, int x) = Math.DivRem(i / 3, 2 * Cells);
            pixels[i] = (byte)(127.5f * (1 + (0.5f * planes[(i % 3 * Cells * Cells) + (y / 2 * Cells) + (x / 2)])));
        }

        return new(planes, Channels, Cells, Cells, pixels, 2);
    }
}
