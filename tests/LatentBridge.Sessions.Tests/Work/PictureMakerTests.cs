using LatentBridge.Decoders;
using LatentBridge.Latents;

namespace LatentBridge.Sessions.Tests;

public sealed class PictureMakerTests
{
    const string File = "/models/bad.onnx";

    [Fact]
    public void A_picture_says_how_long_its_latent_waited()
    {
        using var rooms = new Rooms(catalogue: _ => [new FakeDecoder().Entry]);
        SubmittedLatent latent = rooms.Take(0, value: 9);
        rooms.Streams.Submit(latent);
        rooms.Clock.Advance(12.5);
        Assert.True(rooms.Do(rooms.Pictures));
        Assert.Equal(12.5, rooms.Sink.Ready.Single().WaitMilliseconds);
        Assert.Equal(new RecordingSink.Released(0, latent.Header.Sequence), rooms.Sink.Events[0]);
        Assert.False(rooms.Do(rooms.Pictures));
    }

    [Fact]
    public void A_single_picture_goes_before_what_waits_in_a_stream_and_counts_in_none()
    {
        using var rooms = new Rooms(catalogue: _ => [new FakeDecoder().Entry]);
        rooms.Streams.Submit(rooms.Take(0));
        SubmittedLatent single = rooms.Take(1);
        rooms.Singles.Add(new(1, single.Header.Sequence, SessionBench.Format, LatentSpace.Sampler, SessionBench.Raw, "single"), single);
        Assert.True(rooms.Do(rooms.Pictures));
        Assert.Equal("single", rooms.Sink.Events.OfType<RecordingSink.Answer>().Single().Tag);
        Assert.Equal(0, rooms.Streams.All.Single().Shown);
        Assert.True(rooms.Do(rooms.Pictures));
        Assert.Equal(1, rooms.Streams.All.Single().Shown);
    }

    [Fact]
    public void Without_a_free_image_slot_nothing_is_taken()
    {
        using var rooms = new Rooms(imageSlots: 1, catalogue: _ => [new FakeDecoder().Entry]);
        rooms.Slots.TakeImageSlot();
        rooms.Streams.Submit(rooms.Take(0));
        Assert.False(rooms.Do(rooms.Pictures));
        rooms.Slots.FreeImageSlot(0);
        Assert.True(rooms.Do(rooms.Pictures));
    }

    [Fact]
    public void A_decoder_with_a_file_is_named_before_it_makes_its_first_picture_and_then_no_more()
    {
        var decoder = new FakeDecoder("bad");
        using var rooms = new Rooms(catalogue: _ => [decoder.Entry with { File = File }]);
        rooms.Streams.Submit(rooms.Take(0));
        rooms.Do(rooms.Pictures);
        Assert.Equal([new RecordingSink.Notice("bad", File, false), new RecordingSink.Notice("bad", File, true)], rooms.Sink.Events.OfType<RecordingSink.Notice>());
        rooms.Streams.Submit(rooms.Take(0, step: 1));
        rooms.Do(rooms.Pictures);
        Assert.Equal(2, rooms.Sink.Ready.Count());
        Assert.Equal(2, rooms.Sink.Events.OfType<RecordingSink.Notice>().Count());
    }

    [Fact]
    public void A_decoder_that_ends_the_process_was_named_when_its_code_ran()
    {
        var named = new List<object>();
        Rooms rooms = null!;
        var inner = new FakeDecoder("bad");
        var entry = new DecoderEntry(inner.Description, false, () =>
        {
            named.AddRange(rooms.Sink.Events.OfType<RecordingSink.Notice>());
            return inner;
        })
        { File = File };
        using (rooms = new Rooms(catalogue: _ => [entry]))
        {
            inner.Failure = new InvalidOperationException("as far as a test can go");
            rooms.Streams.Submit(rooms.Take(0));
            rooms.Do(rooms.Pictures);
            Assert.Equal([new RecordingSink.Notice("bad", File, false)], named);
            Assert.Equal(new RecordingSink.Notice("bad", File, true), rooms.Sink.Events.OfType<RecordingSink.Notice>().Last());
            Assert.Equal(DropReason.Failed, rooms.Sink.Dropped.Single().Reason);
        }
    }

    [Fact]
    public void A_picture_says_which_decoder_was_left_out_and_the_next_one_makes_it()
    {
        DecoderEntry bad = FakeDecoder.Named("bad", 80, cost: 200).Entry with { File = File };
        using var rooms = new Rooms(catalogue: _ => [bad, FakeDecoder.Named("plain", 20).Entry], avoid: new AvoidedDecoder("bad", File));
        rooms.Streams.Submit(rooms.Take(0));
        rooms.Do(rooms.Pictures);
        ReadyPreview ready = rooms.Sink.Ready.Single();
        Assert.Equal("plain", ready.Decoder);
        Assert.StartsWith("bad left out: ", ready.Warning, StringComparison.Ordinal);
        DecoderStatus status = rooms.Pool.Status().Single(decoder => decoder.Id == "bad");
        Assert.Equal((false, Avoidance.Reason), (status.Loaded, status.Failure));
    }
}
