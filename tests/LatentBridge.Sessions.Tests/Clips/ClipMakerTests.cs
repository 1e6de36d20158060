using System.Runtime.InteropServices;
using LatentBridge.Formats;
using LatentBridge.Imaging.Png;
using LatentBridge.Ipc;
using LatentBridge.Latents;
using LatentBridge.Previews;

namespace LatentBridge.Sessions.Tests.Clips;

public sealed class ClipMakerTests : IDisposable
{
    const int Channels = 16;
    const int Frames = 5;
    const int Side = 2;

    static readonly PreviewOptions Moving = SessionBench.Raw with { Clip = true, Size = 16, ClipKilobytes = 1 << 20 };

    readonly FakeDecoder _colours = new("colours", quality: 20, cost: 10, Channels);
    readonly FakeDecoder _network = new("network", quality: 80, cost: 100, Channels);

    public void Dispose()
    {
        _colours.Dispose();
        _network.Dispose();
    }

    [Fact]
    public void Every_place_gets_its_colours_and_then_a_networks_picture_of_its_frame()
    {
        using SessionBench bench = Bench();
        Begin(bench, 1, Moving);
        bench.Sink.WaitForReady(Submit(bench, 0, run: 1, step: 0));
        List<RecordingSink.ClipPicture> pictures = ReleaseUntil(bench, picture => picture.Place.Sharp == Frames);

        Assert.Equal([0, 1, 2, 3, 4], pictures.Where(p => p.Preview.Decoder == "colours").Select(p => p.Place.Picture));
        Assert.Equal([0, 1, 2, 3, 4], pictures.Where(p => p.Preview.Decoder == "network").Select(p => p.Place.Picture).Order());
        Assert.All(pictures, p => Assert.Equal((Frames, 4.0), (p.Place.Pictures, p.Place.Rate)));
    }

    [Fact]
    public void A_newer_latent_stops_the_picture_in_work_and_its_still_comes_first()
    {
        using SessionBench bench = Bench();
        // The still shows another frame than the clip's first picture, so the hold is for the clip alone.
        Begin(bench, 1, Moving with { Frame = FrameChoice.At(2) });
        _colours.Hold(first: 10);
        bench.Sink.WaitForReady(Submit(bench, 0, run: 1, step: 0));
        _colours.WaitUntilInside();
        ulong newer = Submit(bench, 1, run: 1, step: 1, isLast: true);
        _colours.Go();
        bench.Sink.WaitForReady(newer);
        Assert.Empty(bench.Sink.Events.TakeWhile(e => e is not ReadyPreview { Sequence: var sequence } || sequence != newer).OfType<RecordingSink.ClipPicture>());
        Assert.All(ReleaseUntil(bench, picture => picture.Place.Sharp == Frames), p => Assert.Equal(1, p.Preview.Step));
    }

    [Fact]
    public void After_the_end_of_the_run_nothing_more_comes_and_the_slot_is_free_again()
    {
        using SessionBench bench = Bench();
        // The still shows another frame than the clip's first picture, so the hold is for the clip alone.
        Begin(bench, 1, Moving with { Frame = FrameChoice.At(2) });
        _colours.Hold(first: 10);
        bench.Sink.WaitForReady(Submit(bench, 0, run: 1, step: 0));
        _colours.WaitUntilInside();
        bench.Session.End(0, 1);
        _colours.Go();

        Begin(bench, 2, Moving with { Clip = false });
        bench.Sink.WaitForReady(Submit(bench, 0, run: 2, step: 0));
        Assert.Empty(bench.Sink.Events.OfType<RecordingSink.ClipPicture>());
    }

    [Fact]
    public void A_few_pictures_spread_over_the_video_last_as_long()
    {
        using SessionBench bench = Bench();
        Begin(bench, 1, Moving with { ClipPictures = 3, ClipRate = 20 });
        bench.Sink.WaitForReady(Submit(bench, 0, run: 1, step: 0));
        List<RecordingSink.ClipPicture> pictures = ReleaseUntil(bench, picture => picture.Place.Sharp == 3, out Dictionary<int, byte> colours);
        Assert.All(pictures, p => Assert.Equal((3, 3.0), (p.Place.Pictures, p.Place.Rate)));
        Assert.Equal([10, 30, 50], colours.OrderBy(pair => pair.Key).Select(pair => (int)pair.Value));
    }

    [Fact]
    public void A_picture_that_no_step_leaves_time_for_gives_way_to_a_smaller_one()
    {
        using FakeDecoder half = new("half", quality: 70, cost: 50, Channels);
        using SessionBench bench = new(4, 4, _ => [_network.Entry, half.Entry, _colours.Entry]);
        Begin(bench, 1, Moving);
        _network.Hold(first: 10 * Frames); // the last frame, second in turn: only the next latent ends it
        for (int step = 0; step < 30 && !Pictures().Any(picture => picture.Preview.Decoder == "half"); step++)
        {
            Submit(bench, step % 4, run: 1, step);
            for (int i = 0; i < 15; i++)
            {
                Thread.Sleep(10);
                ReleaseAll();
            }
        }

        _network.Go();
        Assert.Contains(Pictures(), picture => picture is { Preview.Decoder: "half", Place.Picture: Frames - 1 });

        List<RecordingSink.ClipPicture> Pictures() => [.. bench.Sink.Events.OfType<RecordingSink.ClipPicture>()];

        void ReleaseAll()
        {
            bench.Sink.Events.OfType<RecordingSink.ClipPicture>().ToList().ForEach(picture => bench.Session.Release(picture.Preview.Slot));
            bench.Sink.Events.OfType<ReadyPreview>().ToList().ForEach(still => bench.Session.Release(still.Slot));
        }
    }

    [Theory]
    [InlineData("half")]
    [InlineData("colours")]
    public void A_decoder_that_somebody_named_makes_the_pictures(string named)
    {
        using FakeDecoder half = new("half", quality: 70, cost: 50, Channels);
        using SessionBench bench = new(4, 4, _ => [_network.Entry, half.Entry, _colours.Entry]);
        Begin(bench, 1, Moving with { Decoder = named });
        bench.Sink.WaitForReady(Submit(bench, 0, run: 1, step: 0));
        ReleaseUntil(bench, picture => picture.Preview.Decoder == named && picture.Place.Picture == (named == "half" ? 3 : Frames - 1));
        List<RecordingSink.ClipPicture> last = [];
        ulong newer = Submit(bench, 1, run: 1, step: 1, isLast: true);
        bench.Sink.WaitFor(
            events =>
            {
                last = [.. events.OfType<RecordingSink.ClipPicture>().Where(picture => picture.Preview.Sequence == newer)];
                ReleaseAll(bench, last);
                return last.Count(picture => picture.Preview.Decoder == named) == Frames;
            },
            "every place by the named decoder");
        Assert.DoesNotContain(bench.Sink.Events.OfType<RecordingSink.ClipPicture>(), picture => picture.Preview.Decoder != named && picture.Preview.Decoder != "colours");
    }

    [Fact]
    public void A_newer_latent_of_the_same_step_is_shown_everywhere()
    {
        using SessionBench bench = Bench();
        Begin(bench, 1, Moving);
        bench.Sink.WaitForReady(Submit(bench, 0, run: 1, step: 0));
        int before = ReleaseUntil(bench, picture => picture.Place.Sharp == Frames).Count;
        ulong newer = Submit(bench, 1, run: 1, step: 0, isLast: true);
        bench.Sink.WaitFor(
            events => events.OfType<RecordingSink.ClipPicture>().Skip(before).Count(picture => Given(picture).Preview is { Decoder: "network" } preview && preview.Sequence == newer) == Frames,
            "every place of the newer latent");

        RecordingSink.ClipPicture Given(RecordingSink.ClipPicture picture)
        {
            ThreadPool.QueueUserWorkItem(_ => bench.Session.Release(picture.Preview.Slot));
            return picture;
        }
    }

    [Fact]
    public void Places_without_a_networks_picture_come_before_those_with_a_smaller_networks()
    {
        using StreamClip clip = new();
        using RenderContext context = new();
        context.Want(LatentFormats.Get("Wan21"), LatentSpace.Sampler, Moving, null);
        Start(sequence: 1);
        for (int place = 0; place < Frames; place++)
        {
            clip.Fill(place, place == 0 ? 70 : 20);
        }

        Start(sequence: 2);
        Assert.Equal(Frames - 1, clip.Worst(80));
        for (int place = 1; place < Frames; place++)
        {
            clip.Fill(place, 80);
        }

        Assert.Equal(0, clip.Worst(80));
        clip.Fill(0, 80);
        Assert.Null(clip.Worst(80));

        void Start(ulong sequence)
        {
            Job job = new();
            LatentSlotHeader header = new() { Sequence = sequence, AxisCount = 5 };
            long[] axes = [1, Channels, Frames, Side, Side];
            axes.CopyTo(header.Axes);
            job.Start(context, null, null, new(0, header, 0), 0);
            clip.Take(new byte[Channels * Frames * Side * Side * sizeof(float)], job, []);
            clip.Start(job);
        }
    }

    [Theory]
    [InlineData(PreviewEncoding.Webp, true, PreviewEncoding.Webp)]
    [InlineData(PreviewEncoding.Webp, false, PreviewEncoding.Png)]
    [InlineData(PreviewEncoding.Jpeg, true, PreviewEncoding.Png)]
    [InlineData(PreviewEncoding.Rgb24, true, PreviewEncoding.Png)]
    public void Its_pictures_are_WebP_where_the_run_asks_for_that_and_the_host_has_it(PreviewEncoding asked, bool hasWebp, PreviewEncoding expected)
    {
        using StreamClip clip = new();
        using RenderContext context = new();
        context.Want(LatentFormats.Get("Wan21"), LatentSpace.Sampler, Moving with { Encoding = asked }, null);
        Job job = new();
        LatentSlotHeader header = new() { Sequence = 1, AxisCount = 5 };
        long[] axes = [1, Channels, Frames, Side, Side];
        axes.CopyTo(header.Axes);
        job.Start(context, null, null, new(0, header, 0), 0);
        clip.Take(new byte[Channels * Frames * Side * Side * sizeof(float)], job, hasWebp ? [new NoWebp()] : []);
        clip.Start(job);
        Assert.Equal(expected, clip.Options.Encoding);
    }

    sealed class NoWebp : IPictureEncoder
    {
        public PreviewEncoding Encoding => PreviewEncoding.Webp;

        public int Encode(ReadOnlySpan<byte> rgb, int width, int height, int quality, Span<byte> destination) => 0;
    }

    static void ReleaseAll(SessionBench bench, List<RecordingSink.ClipPicture> pictures) =>
        pictures.ForEach(picture => ThreadPool.QueueUserWorkItem(_ => bench.Session.Release(picture.Preview.Slot)));

    SessionBench Bench() => new(4, 4, _ => [_network.Entry, _colours.Entry]);

    static void Begin(SessionBench bench, ulong run, PreviewOptions options) => bench.Session.Begin(0, run, LatentFormats.Get("Wan21"), LatentSpace.Sampler, options);

    /// <summary>Frame f is 10 (f + 1) all over. Behind the last step there is time for every picture, however fast the steps were.</summary>
    static ulong Submit(SessionBench bench, int slot, ulong run, int step, bool isLast = false)
    {
        LatentSlotHeader header = bench.Header(run, step: step);
        (header.AxisCount, header.PayloadLength) = (5, Channels * Frames * Side * Side * sizeof(float));
        header.Flags |= isLast ? FrameMarks.LastStep : 0;
        long[] axes = [1, Channels, Frames, Side, Side];
        float[] values = [.. Enumerable.Range(0, Channels * Frames * Side * Side).Select(i => 10f * ((i / (Side * Side) % Frames) + 1))];
        axes.CopyTo(header.Axes);
        long offset = (long)(bench.Page.LatentSlotsOffset + ((ulong)slot * bench.Page.LatentSlotStride));
        bench.Memory.Write(MemoryMarshal.AsBytes(values.AsSpan()), offset + 128);
        bench.Memory.Write(header, offset);
        bench.Session.Submit(slot, header.Sequence);
        return header.Sequence;
    }

    static List<RecordingSink.ClipPicture> ReleaseUntil(SessionBench bench, Func<RecordingSink.ClipPicture, bool> isLast) => ReleaseUntil(bench, isLast, out _);

    /// <summary>Gives slots back as the shim does, until the last picture came.</summary>
    static List<RecordingSink.ClipPicture> ReleaseUntil(SessionBench bench, Func<RecordingSink.ClipPicture, bool> isLast, out Dictionary<int, byte> colours)
    {
        List<RecordingSink.ClipPicture> seen = [];
        colours = [];
        while (seen.Count == 0 || !isLast(seen[^1]))
        {
            int count = seen.Count;
            bench.Sink.WaitFor(events => events.OfType<RecordingSink.ClipPicture>().Count() > count, $"picture {count} of the clip");
            RecordingSink.ClipPicture next = bench.Sink.Events.OfType<RecordingSink.ClipPicture>().ElementAt(count);
            colours[next.Place.Picture] = PngReader.Read(bench.Picture(next.Preview)).Pixels[0];
            seen.Add(next);
            bench.Session.Release(next.Preview.Slot);
        }

        return seen;
    }
}
