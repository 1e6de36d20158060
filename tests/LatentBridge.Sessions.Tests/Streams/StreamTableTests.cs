using LatentBridge.Latents;

namespace LatentBridge.Sessions.Tests;

public sealed class StreamTableTests : IDisposable
{
    readonly Rooms _rooms = new();

    public void Dispose() => _rooms.Dispose();

    [Fact]
    public void A_newer_latent_takes_the_place_of_the_one_that_waits()
    {
        SubmittedLatent first = _rooms.Take(0);
        SubmittedLatent second = _rooms.Take(1, step: 1);
        _rooms.Streams.Submit(first);
        _rooms.Streams.Submit(second);
        Assert.Equal([new RecordingSink.Released(0, first.Header.Sequence), first.Drop(DropReason.Replaced)], _rooms.Sink.Events);
        Assert.True(_rooms.Streams.TryTake(out PreviewStream? stream, out SubmittedLatent taken));
        Assert.Equal((second.Header.Sequence, 2L, 1L), (taken.Header.Sequence, stream.Submitted, stream.Replaced));
        Assert.False(_rooms.Streams.TryTake(out _, out _));
    }

    [Fact]
    public void Streams_take_turns_whichever_is_the_busiest()
    {
        _rooms.Streams.Submit(_rooms.Take(0, stream: 5));
        _rooms.Streams.Submit(_rooms.Take(1, stream: 6));
        _rooms.Streams.Submit(_rooms.Take(2, stream: 7));
        var order = new List<uint>();
        for (int i = 0; i < 4 && _rooms.Streams.TryTake(out PreviewStream? stream, out SubmittedLatent latent); i++)
        {
            order.Add(stream.Id);
            _rooms.Slots.GiveBack(latent);
            _rooms.Streams.Submit(_rooms.Take(latent.Slot, stream: 7));
        }

        Assert.Equal([6U, 7U, 5U, 7U], order);
    }

    [Fact]
    public void A_newer_run_drops_what_waits_and_stops_what_is_in_work()
    {
        _rooms.Streams.Submit(_rooms.Take(0, run: 1));
        Assert.True(_rooms.Streams.TryTake(out PreviewStream? stream, out SubmittedLatent latent));
        _rooms.Bench.Start(stream.Context, stream, null, latent);
        SubmittedLatent waiting = _rooms.Take(1, run: 1, step: 1);
        _rooms.Streams.Submit(waiting);
        _rooms.Streams.Begin(0, 2, SessionBench.Format, LatentSpace.Sampler, SessionBench.Raw, "a model");
        Assert.Equal((DropReason.Ended, true), (_rooms.Bench.Current!.Stopped, _rooms.Bench.Cancellation.IsCancellationRequested));
        Assert.Equal(waiting.Drop(DropReason.Ended), _rooms.Sink.Dropped.Single());
        Assert.Equal((2UL, true, "a model"), (stream.Run, stream.IsWarmUpDue, stream.Context.Model));

        _rooms.Streams.Begin(0, 1, null, LatentSpace.Sampler, SessionBench.Raw, null);
        Assert.Contains("a newer one came before", _rooms.Sink.Events.OfType<string>().Single(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_last_step_stops_an_earlier_one_in_work_but_not_another_last_step()
    {
        _rooms.Streams.Submit(_rooms.Take(0, step: 18));
        Assert.True(_rooms.Streams.TryTake(out PreviewStream? stream, out SubmittedLatent latent));
        _rooms.Bench.Start(stream.Context, stream, null, latent);
        _rooms.Streams.Submit(_rooms.Take(1, step: 19, last: true));
        Assert.Equal(DropReason.Replaced, _rooms.Bench.Current!.Stopped);

        _rooms.Bench.End();
        Assert.True(_rooms.Streams.TryTake(out stream, out latent));
        _rooms.Bench.Start(stream.Context, stream, null, latent);
        _rooms.Streams.Submit(_rooms.Take(2, step: 20, last: true));
        Assert.Null(_rooms.Bench.Current!.Stopped);
    }

    [Fact]
    public void A_closed_run_takes_no_latent_even_where_the_close_came_first()
    {
        _rooms.Streams.Close(0, 3, DropReason.Cancelled);
        SubmittedLatent latent = _rooms.Take(0, run: 3);
        _rooms.Streams.Submit(latent);
        Assert.Equal([new RecordingSink.Released(0, latent.Header.Sequence), latent.Drop(DropReason.Cancelled)], _rooms.Sink.Events);
        _rooms.Streams.Submit(_rooms.Take(0, run: 4));
        Assert.True(_rooms.Streams.TryTake(out _, out _));
    }

    [Fact]
    public void The_time_of_a_step_is_smoothed_and_counts_the_steps_that_were_left_out()
    {
        var stream = new PreviewStream(0, _rooms.Clock);
        stream.Begin(1, null, LatentSpace.Sampler, SessionBench.Raw, null);
        stream.CountSubmit(0);
        Assert.Null(stream.StepMilliseconds);
        _rooms.Clock.Advance(100);
        stream.CountSubmit(1);
        Assert.Equal(100, stream.StepMilliseconds);
        _rooms.Clock.Advance(600);
        stream.CountSubmit(4);
        Assert.Equal(150, stream.StepMilliseconds);

        // The same step again (a sampler of second order) says nothing; a new run starts anew.
        _rooms.Clock.Advance(1);
        stream.CountSubmit(4);
        Assert.Equal(150, stream.StepMilliseconds);
        stream.Begin(2, null, LatentSpace.Sampler, SessionBench.Raw, null);
        stream.CountSubmit(5);
        Assert.Null(stream.StepMilliseconds);
    }
}
