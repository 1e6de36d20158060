using LatentBridge.Files;
using LatentBridge.Fitting.Training;

namespace LatentBridge.Sessions.Tests.Learning;

public sealed class PairStoreTests : IDisposable
{
    const int Channels = 4;
    const int Cells = 8;
    const int Side = 2;

    readonly string _folder = Path.Combine(Path.GetTempPath(), $"pairs-{Guid.NewGuid():N}");

    public void Dispose()
    {
        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    [Fact]
    public void Of_more_than_fit_the_oldest_go_and_one_in_five_stays_to_measure_with()
    {
        PairStore store = new(_folder);
        for (int seed = 1; seed <= PairStore.MaximumPairs + 15; seed++)
        {
            store.Add(Pair(seed), "SDXL");
        }

        PairStore.PairFile[] files = [.. store.Files()];
        Assert.Equal(PairStore.MaximumPairs, files.Length);
        Assert.Equal(Numbers(isTest: false), files.Where(file => !file.IsTest).Select(file => file.Number));
        Assert.Equal(Numbers(isTest: true), files.Where(file => file.IsTest).Select(file => file.Number));
        Assert.Equal(PairStore.MaximumPairs + 15, store.Admitted);
        Assert.All(files, file => Assert.NotNull(PairStore.Read(file, Channels)));

        static IEnumerable<int> Numbers(bool isTest) => Enumerable.Range(1, PairStore.MaximumPairs + 15).Where(number => PairStore.IsTest(number) == isTest).TakeLast(isTest ? 14 : PairStore.MaximumPairs - 14);
    }

    [Fact]
    public void Of_two_that_are_alike_the_older_goes_before_the_oldest()
    {
        PairStore store = new(_folder);
        for (int seed = 1; seed <= PairStore.MaximumPairs; seed++)
        {
            store.Add(seed == 31 ? Like(Pair(22)) : Pair(seed), "SDXL");
        }

        store.Add(Pair(100), "SDXL"); // the 65th, to measure with
        store.Add(Pair(101), "SDXL");
        int[] numbers = [.. store.Files().Select(file => file.Number)];
        Assert.Equal(PairStore.MaximumPairs, numbers.Length);
        Assert.Contains(1, numbers);
        Assert.DoesNotContain(3, numbers); // the oldest to measure with, where no two are alike
        Assert.DoesNotContain(22, numbers);
        Assert.Contains(31, numbers);
    }

    [Fact]
    public void The_same_picture_takes_its_own_place_and_keeps_its_role()
    {
        PairStore store = new(_folder);
        for (int seed = 1; seed <= 6; seed++)
        {
            store.Add(Pair(seed), "SDXL");
        }

        store.Add(Pair(5), "SDXL");
        Assert.Equal(6, store.Files().Count);
        Assert.Equal([3, 7], store.Files().Where(file => file.IsTest).Select(file => file.Number));
    }

    [Fact]
    public void What_comes_back_is_what_was_kept()
    {
        PairStore store = new(_folder);
        PicturePair pair = Pair(1);
        store.Add(pair, "SDXL");
        PicturePair read = PairStore.Read(Assert.Single(store.Files()), Channels)!;
        Assert.Equal(pair.Pixels, read.Pixels);
        Assert.Equal(pair.Planes.Select(value => (float)(Half)value), read.Planes);
        Assert.Null(PairStore.Read(Assert.Single(store.Files()), Channels + 1));
    }

    [Fact]
    public void Pairs_of_another_version_damaged_ones_and_what_a_kill_left_disturb_nobody()
    {
        PairStore store = new(_folder);
        store.Add(Pair(1), "SDXL");
        string older = Path.Combine(_folder, "pair-00000002-00000000-learn.safetensors"), damaged = Path.Combine(_folder, "pair-00000003-00000000-test.safetensors");
        SafetensorsWriter.Write(older, [StoredTensor.FromValues("latent", new float[4], [4, 1, 1])], new Dictionary<string, string> { ["latentbridge_pair"] = "0" });
        File.WriteAllBytes(damaged, [1, 2, 3]);
        string left = Path.Combine(_folder, "decoder.safetensors.1.partial"), beingWritten = Path.Combine(_folder, "decoder.safetensors.2.partial");
        File.WriteAllBytes(left, [1]);
        File.WriteAllBytes(beingWritten, [1]);
        File.SetLastWriteTimeUtc(left, DateTime.UtcNow.AddHours(-2));

        store.Add(Pair(4), "SDXL");
        Assert.Equal([1, 2, 3, 4], store.Files().Select(file => file.Number));
        Assert.Equal([true, false, false, true], store.Files().Select(file => PairStore.Read(file, Channels) is not null));
        Assert.False(File.Exists(left));
        Assert.True(File.Exists(beingWritten));
    }

    [Fact]
    public void Two_programs_at_once_keep_whole_pairs_and_no_more_than_fit()
    {
        PairStore[] stores = [new(_folder), new(_folder)];
        Parallel.For(0, 2, program =>
        {
            for (int i = 0; i < 40; i++)
            {
                stores[program].Add(Pair(1 + (2 * i) + program), "SDXL");
            }
        });
        Assert.InRange(stores[0].Files().Count, 1, PairStore.MaximumPairs);
        Assert.All(stores[0].Files(), file => Assert.NotNull(PairStore.Read(file, Channels)));
        Assert.Empty(Directory.GetFiles(_folder, "*.partial"));
    }

    [Fact]
    public void Where_nothing_can_be_written_it_says_so()
    {
        File.WriteAllText(_folder, "a file where the folder should be");
        try
        {
            Assert.Contains("cannot be made", Assert.Throws<LatentBridgeException>(() => new PairStore(_folder).Add(Pair(1), "SDXL")).Message, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(_folder);
        }
    }

    /// <summary>A colour a cell, so that no two look alike.</summary>
    static PicturePair Pair(int seed)
    {
        Random random = new(seed);
        byte[] cells = new byte[3 * Cells * Cells], pixels = new byte[3 * Cells * Cells * Side * Side];
        random.NextBytes(cells);
        for (int i = 0; i < pixels.Length / 3; i++)
        {
            (int y, int x) = Math.DivRem(i, Cells * Side);
            cells.AsSpan(3 * ((y / Side * Cells) + (x / Side)), 3).CopyTo(pixels.AsSpan(3 * i));
        }

        return new([.. Enumerable.Range(0, Channels * Cells * Cells).Select(_ => random.NextSingle())], Channels, Cells, Cells, pixels, Side);
    }

    static PicturePair Like(PicturePair pair) => pair with { Pixels = [.. pair.Pixels.Select(value => (byte)(value < 128 ? value + 10 : value - 10))] };
}
