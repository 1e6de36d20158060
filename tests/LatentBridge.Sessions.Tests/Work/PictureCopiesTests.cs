using LatentBridge.Previews;

namespace LatentBridge.Sessions.Tests;

public sealed class PictureCopiesTests
{
    static readonly PreviewOptions HalfPng = new() { Encoding = PreviewEncoding.Png, Size = 2 };

    [Fact]
    public void A_copy_is_the_newest_picture_smaller_and_as_something_else_and_nothing_is_decoded()
    {
        var decoder = new FakeDecoder();
        using var rooms = new Rooms(catalogue: _ => [decoder.Entry]);
        ReadyPreview shown = Show(rooms, step: 3);
        rooms.Slots.FreeImageSlot(shown.Slot);
        Assert.True(rooms.Copies.TryAdd(new(0, HalfPng, "copy")));
        Assert.True(rooms.Do(rooms.Copies));
        ReadyPreview copy = Answer(rooms).Picture!.Value;
        Assert.Equal((2, 2, PreviewEncoding.Png), (copy.Picture.Width, copy.Picture.Height, copy.Picture.Encoding));
        Assert.Equal((shown.Sequence, 3, "fake"), (copy.Sequence, copy.Step, copy.Decoder));
        Assert.Equal(1, decoder.Count);
        Assert.False(rooms.Do(rooms.Copies));
    }

    [Fact]
    public void A_copy_is_never_larger_than_the_picture()
    {
        using var rooms = new Rooms(catalogue: _ => [new FakeDecoder().Entry]);
        rooms.Slots.FreeImageSlot(Show(rooms).Slot);
        rooms.Copies.TryAdd(new(0, HalfPng with { Size = 64 }, "copy"));
        rooms.Do(rooms.Copies);
        Assert.Equal(4, Answer(rooms).Picture!.Value.Picture.Width);
    }

    [Fact]
    public void Without_a_picture_the_answer_says_so()
    {
        using var rooms = new Rooms(catalogue: _ => [new FakeDecoder().Entry]);
        rooms.Copies.TryAdd(new(7, HalfPng, "copy"));
        rooms.Do(rooms.Copies);
        Assert.Equal("stream 7 has no picture yet", Answer(rooms).Dropped!.Value.Detail);
        Assert.True(rooms.Slots.HasSpareImageSlot);
    }

    [Fact]
    public void A_picture_that_was_stopped_half_way_is_not_copied()
    {
        var decoder = new FakeDecoder();
        using var rooms = new Rooms(catalogue: _ => [decoder.Entry]);
        rooms.Slots.FreeImageSlot(Show(rooms).Slot);
        decoder.Failure = new InvalidOperationException("broken");
        rooms.Streams.Submit(rooms.Take(0, step: 1));
        rooms.Do(rooms.Pictures);
        rooms.Copies.TryAdd(new(0, HalfPng, "copy"));
        rooms.Do(rooms.Copies);
        Assert.NotNull(Answer(rooms).Dropped);
    }

    [Fact]
    public void The_last_free_image_slot_is_left_to_the_pictures()
    {
        using var rooms = new Rooms(catalogue: _ => [new FakeDecoder().Entry]);
        Show(rooms); // keeps one of two
        rooms.Copies.TryAdd(new(0, HalfPng, "copy"));
        Assert.False(rooms.Do(rooms.Copies));
    }

    [Fact]
    public void No_more_wait_than_is_sane()
    {
        using var rooms = new Rooms(catalogue: _ => [new FakeDecoder().Entry]);
        int taken = 0;
        while (taken < 1000 && rooms.Copies.TryAdd(new(0, HalfPng, taken)))
        {
            taken++;
        }

        Assert.Equal(64, taken);
    }

    static ReadyPreview Show(Rooms rooms, int step = 0)
    {
        rooms.Streams.Submit(rooms.Take(0, step: step, value: 9));
        Assert.True(rooms.Do(rooms.Pictures));
        return rooms.Sink.Ready.Last();
    }

    static RecordingSink.Answer Answer(Rooms rooms) => rooms.Sink.Events.OfType<RecordingSink.Answer>().Single();
}
