namespace LatentBridge.Sessions.Tests;

public sealed class WorkbenchTests : IDisposable
{
    readonly Rooms _rooms = new();

    public void Dispose() => _rooms.Dispose();

    [Fact]
    public void Only_the_job_of_that_stream_and_of_no_spared_run_is_stopped()
    {
        var stream = new PreviewStream(0, _rooms.Clock);
        var other = new PreviewStream(1, _rooms.Clock);
        _rooms.Bench.Start(stream.Context, stream, null, _rooms.Take(0, run: 5));
        _rooms.Bench.Stop(other, DropReason.Ended);
        _rooms.Bench.Stop(null, DropReason.Ended);
        _rooms.Bench.Stop(stream, DropReason.Ended, unlessRun: 5);
        Assert.Null(_rooms.Bench.Current!.Stopped);
        _rooms.Bench.Stop(stream, DropReason.Cancelled);
        _rooms.Bench.Stop(stream, DropReason.Ended);
        Assert.Equal(DropReason.Cancelled, _rooms.Bench.Current!.Stopped);
        Assert.True(_rooms.Bench.Cancellation.IsCancellationRequested);
    }

    [Fact]
    public void A_job_after_a_stopped_one_is_not_cancelled_and_keeps_what_was_wanted_when_it_started()
    {
        var stream = new PreviewStream(0, _rooms.Clock);
        stream.Begin(1, SessionBench.Format, default, SessionBench.Raw, "one");
        _rooms.Bench.Start(stream.Context, stream, null, _rooms.Take(0));
        _rooms.Bench.Stop(stream, DropReason.Ended);
        _rooms.Bench.End();
        Assert.Null(_rooms.Bench.Current);
        _rooms.Bench.Start(stream.Context, stream, null, _rooms.Take(1));
        stream.Begin(2, null, default, SessionBench.Raw with { Size = 32 }, "two");
        Job job = _rooms.Bench.Current!;
        Assert.Equal((null, false, 1), (job.Stopped, _rooms.Bench.Cancellation.IsCancellationRequested, job.ImageSlot));
        Assert.Equal((SessionBench.Format, SessionBench.Raw, "one"), (job.Format, job.Options, job.Model));
    }
}
