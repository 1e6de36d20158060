using System.Runtime.InteropServices;
using LatentBridge.Decoders;
using LatentBridge.Fitting;
using LatentBridge.Ipc;
using LatentBridge.Latents;
using LatentBridge.Previews;

namespace LatentBridge.Sessions.Tests.Learning;

public sealed class LearningSessionTests : IDisposable
{
    const int Channels = 6;
    const int Side = 16;
    const int Capacity = (Channels + CalibrationPair.PictureChannels) * Side * Side * 4;
    const string Used = "is used from now on";

    static readonly PreviewOptions Learning = SessionBench.Raw with { Learn = true };

    /// <summary>By name: which decoder <c>auto</c> takes depends on the machine's speed.</summary>
    static readonly PreviewOptions ByIt = Learning with { Decoder = "learned" };

    readonly string _folder = Path.Combine(Path.GetTempPath(), $"learned-{Guid.NewGuid():N}");
    ulong _sequence = 1000;

    public void Dispose()
    {
        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    [Fact]
    public void Finished_pictures_make_a_decoder_that_is_used_from_then_on_and_after_a_restart()
    {
        using (SessionBench bench = Open())
        {
            Assert.Equal("estimated", Show(bench, 1, Learning));
            TeachEight(bench);
            WaitForDecoder(bench);
            Assert.Equal("learned", ShowOnceLoaded(bench, 2));
            Assert.StartsWith("5 pictures, ", bench.Session.Status().Streams.Single().Source, StringComparison.Ordinal);
            Assert.Equal("estimated", Show(bench, 1000, ByIt with { Learn = false }));
        }

        Assert.Empty(Directory.GetFiles(_folder, "checkpoint*", SearchOption.AllDirectories));
        using SessionBench later = Open();
        Assert.Equal("learned", ShowOnceLoaded(later, 1));
    }

    [Fact]
    public void Nothing_is_kept_where_nobody_asked_to_learn()
    {
        using SessionBench bench = Open();
        Show(bench, 1, SessionBench.Raw);
        TeachEight(bench);
        Assert.False(Directory.Exists(_folder));
    }

    [Fact]
    public void While_a_run_is_on_nothing_is_trained()
    {
        using SessionBench bench = Open();
        bench.Session.Begin(0, 1, null, LatentSpace.Sampler, Learning);
        TeachEight(bench);
        Assert.Empty(Directory.GetFiles(_folder, "decoder*", SearchOption.AllDirectories));
        Assert.DoesNotContain(bench.Sink.Events.OfType<string>(), line => line.Contains(Used, StringComparison.Ordinal));
        bench.Session.End(0, 1);
        WaitForDecoder(bench);
    }

    [Fact]
    public void Nobody_else_can_read_what_is_kept()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Skip("Windows has no modes");
            return;
        }

        using SessionBench bench = Open();
        Show(bench, 1, Learning);
        TeachEight(bench);
        WaitForDecoder(bench);
        const UnixFileMode OfFile = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        string[] files = Directory.GetFiles(_folder, "*", SearchOption.AllDirectories);
        Assert.Equal(8, files.Count(file => Path.GetFileName(file).StartsWith("pair-", StringComparison.Ordinal)));
        foreach (string file in files)
        {
            Assert.Equal(OfFile, File.GetUnixFileMode(file));
        }

        Assert.Equal(OfFile | UnixFileMode.UserExecute, File.GetUnixFileMode(_folder));
    }

    [Fact]
    public void A_damaged_decoder_is_left_out_with_one_line()
    {
        using (SessionBench bench = Open())
        {
            Show(bench, 1, Learning);
            TeachEight(bench);
            WaitForDecoder(bench);
        }

        string file = Assert.Single(Directory.GetFiles(_folder, "decoder*", SearchOption.AllDirectories));
        File.WriteAllBytes(file, File.ReadAllBytes(file)[..200]);
        using SessionBench later = Open();
        Assert.Equal("estimated", Show(later, 1, Learning));
        Assert.Equal("estimated", Show(later, 2, Learning));
        Assert.Single(later.Sink.Events.OfType<string>(), line => line.Contains("left out", StringComparison.Ordinal));
    }

    SessionBench Open() => new(4, 4, format => LatentDecoders.For(format, LatentDecoders.Weights([])), null, Capacity, null, _folder);

    static void WaitForDecoder(SessionBench bench) =>
        bench.Sink.WaitFor(events => events.OfType<string>().Any(line => line.Contains(Used, StringComparison.Ordinal)), "a decoder");

    static float[] Values(int seed)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, Channels * Side * Side).Select(_ => (2 * random.NextSingle()) - 1)];
    }

    /// <summary>Pictures whose colours are half of the first three channels.</summary>
    void TeachEight(SessionBench bench)
    {
        for (int seed = 1; seed <= 8; seed++)
        {
            float[] latent = Values(seed);
            int cells = Side * Side;
            float[] values = [.. latent, .. Enumerable.Range(0, CalibrationPair.PictureChannels * cells).Select(i => 0.5f * latent[(i / (4 * cells) * cells) + (i % cells)])];
            LatentSlotHeader header = Write(bench, 3, 0, values);
            bench.Session.Teach(new(3, header.Sequence, null, "model", header.Sequence));
            bench.Sink.WaitFor(events => events.OfType<RecordingSink.Lesson>().Any(lesson => lesson.Tag is ulong tag && tag == header.Sequence), "a lesson");
        }
    }

    /// <summary>The decoder that a whole run's picture is made by.</summary>
    string Show(SessionBench bench, ulong run, PreviewOptions options)
    {
        bench.Session.Begin(0, run, null, LatentSpace.Sampler, options);
        LatentSlotHeader header = Write(bench, 0, run, Values(9));
        bench.Session.Submit(0, header.Sequence);
        ReadyPreview ready = bench.Sink.WaitForReady(header.Sequence);
        bench.Session.Release(ready.Slot);
        bench.Session.End(0, run);
        return ready.Decoder;
    }

    /// <summary>The same, by the learned decoder; others stand in while it is loaded.</summary>
    string ShowOnceLoaded(SessionBench bench, ulong run)
    {
        long began = Environment.TickCount64;
        string decoder = "";
        while (decoder != "learned" && Environment.TickCount64 - began < 30_000)
        {
            decoder = Show(bench, run++, ByIt);
        }

        return decoder;
    }

    LatentSlotHeader Write(SessionBench bench, int slot, ulong run, float[] values)
    {
        LatentSlotHeader header = bench.Header(run);
        header.Sequence = ++_sequence;
        header.Axes[1] = values.Length / (Side * Side);
        header.Axes[2] = header.Axes[3] = Side;
        header.PayloadLength = (ulong)values.Length * 4;
        long offset = (long)(bench.Page.LatentSlotsOffset + ((ulong)slot * bench.Page.LatentSlotStride));
        bench.Memory.Write(MemoryMarshal.AsBytes(values.AsSpan()), offset + 128);
        bench.Memory.Write(header, offset);
        return header;
    }
}
