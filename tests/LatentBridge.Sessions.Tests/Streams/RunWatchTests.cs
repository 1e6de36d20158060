using System.Runtime.InteropServices;
using LatentBridge.Files;
using LatentBridge.Formats;
using LatentBridge.Ipc;
using LatentBridge.Latents;
using LatentBridge.Previews;
using LatentBridge.Testing;
using LatentBridge.Tests;

namespace LatentBridge.Sessions.Tests.Streams;

public sealed class RunWatchTests
{
    const int Steps = 20;
    const int Side = 16;

    readonly RunWatch _watch = new();

    [Theory]
    [InlineData("SD15")]
    [InlineData("SDXL")]
    [InlineData("SD3")]
    [InlineData("Flux")]
    [InlineData("Flux2")]
    public void A_run_that_converges_is_never_spoken_of(string id)
    {
        LatentFormat format = LatentFormats.Get(id);
        LoadedLatent run = LatentFile.Load(Path.Combine(TestData.RepositoryRoot, "examples", "latents", $"{id}_run8.safetensors"));
        int steps = run.Shape.Batch;
        Assert.Equal(8, steps);
        using var shown = new PreviewRenderer(format);
        for (int step = 0; step < steps; step++)
        {
            shown.Stage(run.View, PreviewOptions.Default with { Batch = BatchChoice.Item, Item = step });
            Assert.Null(_watch.Look(Header(step, steps), shown, null, isFormatKnown: true));
        }
    }

    [Fact]
    public void Values_that_are_no_numbers_are_told_at_once_and_also_where_the_format_was_guessed()
    {
        float[] values = Natural(seed: 1);
        values[77] = float.NaN;
        Assert.Equal(RunAlarm.Nan, Look(values, step: 0, isFormatKnown: false));
        values[77] = float.PositiveInfinity;
        Assert.Equal(RunAlarm.Nan, Look(values, step: 1));
        Assert.Null(Look(Natural(seed: 1), step: 2));
    }

    [Fact]
    public void One_colour_is_told_after_the_first_quarter()
    {
        float[] values = new float[4 * Side * Side];
        values.AsSpan(0, Side * Side).Fill(1.5f);
        Assert.Null(Look(values, step: 4));
        Assert.Equal(RunAlarm.Flat, Look(values, step: 5));
        values[3] += 1;
        Assert.Null(Look(values, step: 6));
        Assert.Null(Look(new float[4 * Side * Side], step: 7, isFormatKnown: false));
    }

    [Fact]
    public void Values_that_explode_are_told_after_the_first_quarter()
    {
        float[] values = [.. Natural(seed: 1).Select(v => v * 25)];
        Assert.Null(Look(values, step: 4));
        Assert.Equal(RunAlarm.Exploding, Look(values, step: 5));
        Assert.Null(Look([.. values.Select(v => v / 5)], step: 6));
    }

    [Fact]
    public void A_grid_is_as_good_as_its_best_picture()
    {
        float[] bad = [.. Natural(seed: 1).Select(v => v * 25)];
        using var shown = new PreviewRenderer(SessionBench.Format);
        shown.Stage(Latent([.. bad, .. Natural(seed: 2)], new(2, 4, 1, Side, Side)), SessionBench.Raw with { Batch = BatchChoice.Grid });
        Assert.Equal(2, shown.ItemCount);
        Assert.Null(_watch.Look(Header(10), shown, null, isFormatKnown: true));
        shown.Stage(Latent([.. bad, .. bad], new(2, 4, 1, Side, Side)), SessionBench.Raw with { Batch = BatchChoice.Grid });
        Assert.Equal(RunAlarm.Exploding, _watch.Look(Header(11), shown, null, isFormatKnown: true));
    }

    [Fact]
    public void A_picture_that_stands_still_is_told_while_there_is_still_time_to_save()
    {
        Assert.Null(Look(Natural(seed: 1), step: 7));
        List<RunAlarm?> told = [.. Enumerable.Range(8, 12).Select(step => Look(Natural(seed: 2), step))];
        Assert.Equal([.. Enumerable.Range(8, 12).Select(step => step is >= 12 and <= 15 ? RunAlarm.Still : (RunAlarm?)null)], told);
    }

    [Fact]
    public void Two_pictures_of_a_long_way_apart_are_not_standing_still_and_a_new_run_counts_anew()
    {
        Assert.Null(Look(Natural(seed: 1), step: 5));
        Assert.Null(Look(Natural(seed: 1), step: 12));
        Assert.Null(Look(Natural(seed: 1), step: 13, run: 2));
        Assert.Null(Look(Natural(seed: 1), step: 14, run: 2));
    }

    [Fact]
    public void A_video_of_equal_frames_is_told_in_the_second_half()
    {
        float[] frame = Natural(seed: 1, channels: 16), first = Natural(seed: 2, channels: 16);
        float[][] motionless = [first, frame, frame, frame];
        Assert.Null(LookAtVideo(motionless, step: 9));
        Assert.Equal(RunAlarm.Motionless, LookAtVideo(motionless, step: 10));
        Assert.Null(LookAtVideo([first, frame, frame, Natural(seed: 3, channels: 16)], step: 11));
        Assert.Null(LookAtVideo([frame, frame], step: 12));
    }

    [Fact]
    public void A_video_that_moved_once_is_not_measured_again_but_the_next_run_is()
    {
        float[] frame = Natural(seed: 1, channels: 16);
        Assert.Null(LookAtVideo([frame, frame, Natural(seed: 3, channels: 16)], step: 10));
        Assert.Null(LookAtVideo([frame, frame, frame], step: 11));
        Assert.Equal(RunAlarm.Motionless, LookAtVideo([frame, frame, frame], step: 12, run: 2));
    }

    [Fact]
    public void A_number_of_steps_that_is_not_known_tells_nothing_but_what_are_no_numbers()
    {
        using var shown = new PreviewRenderer(SessionBench.Format);
        shown.Stage(Latent(new float[4 * Side * Side], new(1, 4, 1, Side, Side)), SessionBench.Raw);
        Assert.Null(_watch.Look(Header(10, total: 0), shown, null, isFormatKnown: true));
    }

    [Fact]
    public void After_the_first_picture_of_a_size_it_allocates_nothing()
    {
        using var shown = new PreviewRenderer(SessionBench.Format);
        shown.Stage(Latent(Natural(seed: 1), new(1, 4, 1, Side, Side)), SessionBench.Raw);
        int step = 0;
        Assert.Equal(0, Allocated.By(() => _watch.Look(Header(step++), shown, null, isFormatKnown: true)));
    }

    RunAlarm? Look(float[] values, int step, ulong run = 1, bool isFormatKnown = true)
    {
        using var shown = new PreviewRenderer(SessionBench.Format);
        shown.Stage(Latent(values, new(1, 4, 1, Side, Side)), SessionBench.Raw);
        return _watch.Look(Header(step, run: run), shown, null, isFormatKnown);
    }

    RunAlarm? LookAtVideo(float[][] video, int step, ulong run = 1)
    {
        LatentFormat format = LatentFormats.Get("Wan21");
        var shape = new LatentShape(1, 16, video.Length, Side, Side);
        // [C,T,H,W]
        float[] values = [.. Enumerable.Range(0, 16).SelectMany(channel => video.SelectMany(frame => frame.AsSpan(channel * Side * Side, Side * Side).ToArray()))];
        using var shown = new PreviewRenderer(format);
        shown.Stage(Latent(values, shape), SessionBench.Raw);
        using var frames = new PreviewRenderer(format) { TakesAllFrames = true };
        frames.Stage(Latent(values, shape), SessionBench.Raw);
        return _watch.Look(Header(step, run: run), shown, frames, isFormatKnown: true);
    }

    static Latent Latent(float[] values, LatentShape shape) => new(MemoryMarshal.AsBytes(values.AsSpan()), LatentElementType.F32, shape);

    static LatentSlotHeader Header(int step, int total = Steps, ulong run = 1) => new() { Run = run, Step = step, TotalSteps = total };

    /// <summary>Values with a deviation of 1.</summary>
    static float[] Natural(int seed, int channels = 4)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, channels * Side * Side).Select(_ => (random.NextSingle() - 0.5f) * MathF.Sqrt(12))];
    }
}
