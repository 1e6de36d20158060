using System.Runtime.InteropServices;
using LatentBridge.Decoders;
using LatentBridge.Fitting;
using LatentBridge.Formats;
using LatentBridge.Ipc;
using LatentBridge.Latents;
using LatentBridge.Previews;

namespace LatentBridge.Sessions.Tests;

public sealed class CalibrationSessionTests : IDisposable
{
    const int Side = 16;
    const int Capacity = (128 + CalibrationPair.PictureChannels) * Side * Side * 4;

    readonly string _data = Path.Combine(Path.GetTempPath(), $"calibrations-{Guid.NewGuid():N}");
    readonly string _folder;
    ulong _sequence = 1000;

    public CalibrationSessionTests() => _folder = Path.Combine(_data, "calibration");

    public void Dispose()
    {
        if (Directory.Exists(_data))
        {
            Directory.Delete(_data, recursive: true);
        }
    }

    [Fact]
    public void A_format_without_a_table_shows_its_own_colours_after_its_first_picture_and_after_a_restart()
    {
        using (SessionBench bench = Open())
        {
            Assert.Equal("estimated", Show(bench, 1, "model"));
            RecordingSink.Lesson lesson = Teach(bench, "model");
            Assert.True(lesson is { IsUsed: true, Map.PictureCount: 1 }, lesson.ToString());
            Assert.Equal("calibrated", Show(bench, 2, "model"));
            Assert.Equal("estimated", Show(bench, 3, "another model"));
            Assert.Equal("estimated", Show(bench, 4, null));
            Assert.Equal("estimated", Show(bench, 5, "model", new() { Calibrate = false, Encoding = PreviewEncoding.Rgb24 }));
            DecoderStatus status = bench.Session.Status().Decoders.First(d => d.Id == "calibrated" || d.Id == "estimated");
            Assert.Equal("unknown", status.Format);
        }

        using SessionBench later = Open();
        Assert.Equal("calibrated", Show(later, 1, "model"));
        Assert.StartsWith("1 of this model's pictures, ", later.Session.Status().Streams.Single().Source, StringComparison.Ordinal);
    }

    [Fact]
    public void The_picture_has_the_colours_that_were_taught()
    {
        using SessionBench bench = Open();
        Teach(bench, "model");
        Assert.Equal("calibrated", Show(bench, 1, "model"));
        byte[] picture = bench.Picture(bench.Sink.Ready.Last());
        float[] values = Values(6, seed: 3);
        double difference = Enumerable.Range(0, picture.Length).Average(i => Math.Abs(picture[i] - ((Colour(values, i / 3, i % 3) * 127.5) + 127.5)));

        // The 16 grey cells of Calibration, of variance 1, draw these 256 of variance 1/3 towards grey by 16 / (16 + 256 / 3) = 16 %: 5 of the 32 levels
        // that they are from it on average. Channels that look alike by chance add the rest.
        Assert.InRange(difference, 4, 8);
    }

    [Fact]
    public void What_is_wrong_with_a_pair_is_said_and_the_map_stays()
    {
        using SessionBench bench = Open();
        Teach(bench, "model");
        Assert.Contains("NaN", Teach(bench, "model", spoil: values => values[^1] = float.NaN).Why, StringComparison.Ordinal);
        Assert.Contains("one colour", Teach(bench, "model", spoil: values => values.AsSpan(6 * Side * Side).Clear()).Why, StringComparison.Ordinal);
        Assert.Contains("6 channels", Teach(bench, "model", format: LatentFormats.Get("SDXL")).Why, StringComparison.Ordinal);
        bench.Session.Teach(new(2, 77, null, "model", "no slot"));
        Assert.NotNull(bench.Sink.Events.OfType<RecordingSink.Lesson>().Single(l => l.Tag as string == "no slot").Why);
        Assert.Equal("calibrated", Show(bench, 1, "model"));
        Assert.Equal(2, Teach(bench, "model").Map!.PictureCount);
    }

    [Fact]
    public void A_file_that_is_damaged_is_left_out_with_one_line_and_made_anew()
    {
        using (SessionBench bench = Open())
        {
            Teach(bench, "model");
        }

        string file = Assert.Single(Directory.GetFiles(_folder));
        Assert.DoesNotContain("model", Path.GetFileName(file), StringComparison.Ordinal);
        File.WriteAllBytes(file, File.ReadAllBytes(file)[..200]);
        using SessionBench later = Open();
        Assert.Equal("estimated", Show(later, 1, "model"));
        Assert.Equal("estimated", Show(later, 2, "model"));
        Assert.Single(later.Sink.Events.OfType<string>());
        Assert.Equal(1, Teach(later, "model").Map!.PictureCount);
        Assert.Equal("calibrated", Show(later, 3, "model"));
    }

    [Fact]
    public void At_most_64_models_are_kept()
    {
        using SessionBench bench = Open();
        for (int i = 0; i < 70; i++)
        {
            Teach(bench, $"model {i}");
        }

        Assert.Equal(64, Directory.GetFiles(_folder).Length);
        Assert.Equal("calibrated", Show(bench, 1, "model 69"));
    }

    [Fact]
    public void Nobody_else_can_read_or_replace_what_was_learned()
    {
        using SessionBench bench = Open();
        Teach(bench, "model");
        if (OperatingSystem.IsWindows())
        {
            Assert.Skip("Windows has no modes");
            return;
        }

        const UnixFileMode OfFile = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        Assert.Equal(OfFile, File.GetUnixFileMode(Directory.GetFiles(_folder).Single()));
        Assert.Equal(OfFile | UnixFileMode.UserExecute, File.GetUnixFileMode(_folder));
        Assert.Equal(OfFile | UnixFileMode.UserExecute, File.GetUnixFileMode(_data));
    }

    [Fact]
    public void What_a_killed_program_left_is_removed()
    {
        Directory.CreateDirectory(_folder);
        string left = Path.Combine(_folder, "0123.safetensors.17.partial");
        string begun = Path.Combine(_folder, "4567.safetensors.18.partial");
        File.WriteAllBytes(left, [1]);
        File.WriteAllBytes(begun, [1]);
        File.SetLastWriteTimeUtc(left, DateTime.UtcNow - TimeSpan.FromDays(1));
        using SessionBench bench = Open();
        Teach(bench, "model");
        Assert.False(File.Exists(left));
        Assert.True(File.Exists(begun));
    }

    [Fact]
    public void A_folder_that_cannot_be_written_to_costs_a_line_not_the_map()
    {
        Directory.CreateDirectory(_data);
        File.WriteAllText(_folder, "");
        using SessionBench bench = Open();
        Teach(bench, "model");
        Assert.Equal("calibrated", Show(bench, 1, "model"));
        Assert.Contains("forgotten at the end", Assert.Single(bench.Sink.Events.OfType<string>()), StringComparison.Ordinal);
    }

    [Fact]
    public void What_was_learned_can_be_listed()
    {
        Assert.Empty(LearnedModel.All(_data));
        using (SessionBench bench = Open())
        {
            Teach(bench, "sub/mine \"\u00e9\".safetensors [0123456789]");
            Teach(bench, "another");
            Teach(bench, "another");
        }

        File.WriteAllBytes(Path.Combine(_folder, "damaged.safetensors"), [1, 2, 3]);
        LearnedModel[] learned = [.. LearnedModel.All(_data).OrderBy(model => model.Map.PictureCount)];
        Assert.Equal([("sub/mine \"\u00e9\".safetensors [0123456789]", 1), ("another", 2)], learned.Select(model => (model.Model, model.Map.PictureCount)));
        Assert.All(learned, model => Assert.Equal(("unknown", 6), (model.Format.Id, model.Format.PlaneChannels)));
    }

    SessionBench Open() => new(4, 4, Catalogue, null, Capacity, _folder);

    static IReadOnlyList<DecoderEntry> Catalogue(LatentFormat format) => LatentDecoders.For(format, LatentDecoders.Weights([]));

    static float[] Values(int channels, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, channels * Side * Side).Select(_ => (2 * random.NextSingle()) - 1)];
    }

    static float Colour(float[] values, int cell, int colour) => 0.5f * values[(colour * Side * Side) + cell];

    RecordingSink.Lesson Teach(SessionBench bench, string model, LatentFormat? format = null, Action<float[]>? spoil = null)
    {
        float[] latent = Values(6, seed: 1);
        float[] values = [.. latent, .. Enumerable.Range(0, CalibrationPair.PictureChannels * Side * Side).Select(i => Colour(latent, i % (Side * Side), i / (4 * Side * Side)))];
        spoil?.Invoke(values);
        LatentSlotHeader header = Write(bench, 3, 0, values);
        bench.Session.Teach(new(3, header.Sequence, format, model, header.Sequence));
        bench.Sink.WaitFor(events => events.OfType<RecordingSink.Lesson>().Any(l => l.Tag is ulong tag && tag == header.Sequence), "a lesson");
        Assert.Contains(new RecordingSink.Released(3, header.Sequence), bench.Sink.Events);
        return bench.Sink.Events.OfType<RecordingSink.Lesson>().Single(l => l.Tag is ulong tag && tag == header.Sequence);
    }

    /// <summary>The decoder that a run's picture is made by.</summary>
    string Show(SessionBench bench, ulong run, string? model, PreviewOptions? options = null)
    {
        bench.Session.Begin(0, run, null, LatentSpace.Sampler, options ?? SessionBench.Raw, model);
        LatentSlotHeader header = Write(bench, 0, run, Values(6, seed: 3));
        bench.Session.Submit(0, header.Sequence);
        ReadyPreview ready = bench.Sink.WaitForReady(header.Sequence);
        bench.Session.Release(ready.Slot);
        return ready.Decoder;
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
