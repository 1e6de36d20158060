using LatentBridge.Latents;

namespace LatentBridge.Sessions.Tests;

public sealed class SinglePicturesTests : IDisposable
{
    readonly Rooms _rooms = new();

    public void Dispose() => _rooms.Dispose();

    [Fact]
    public void They_come_in_the_order_of_their_asking_once_they_are_not_held()
    {
        _rooms.Singles.AreHeld = true;
        Ask(0, "first");
        Ask(1, "second");
        Assert.False(_rooms.Singles.TryTake(out _, out _));
        _rooms.Singles.AreHeld = false;
        Assert.True(_rooms.Singles.TryTake(out DecodeRequest? first, out SubmittedLatent latent));
        Assert.Equal(("first", 0, SessionBench.Format), (first.Tag, latent.Slot, _rooms.Singles.Context.Format));
        Assert.True(_rooms.Singles.TryTake(out DecodeRequest? second, out _));
        Assert.Equal("second", second.Tag);
        Assert.False(_rooms.Singles.TryTake(out _, out _));
    }

    [Fact]
    public void All_are_answered_when_they_are_dropped_and_the_one_in_work_is_stopped()
    {
        Ask(0, "in work");
        Assert.True(_rooms.Singles.TryTake(out DecodeRequest? request, out SubmittedLatent latent));
        _rooms.Bench.Start(_rooms.Singles.Context, null, request, latent);
        SubmittedLatent waiting = Ask(1, "waits");
        _rooms.Singles.DropAll(DropReason.Cancelled);
        Assert.Equal(DropReason.Cancelled, _rooms.Bench.Current!.Stopped);
        Assert.Equal(
            [new RecordingSink.Released(1, waiting.Header.Sequence), new RecordingSink.Answer("waits", null, waiting.Drop(DropReason.Cancelled))],
            _rooms.Sink.Events);
    }

    SubmittedLatent Ask(int slot, string tag)
    {
        SubmittedLatent latent = _rooms.Take(slot);
        _rooms.Singles.Add(new(slot, latent.Header.Sequence, SessionBench.Format, LatentSpace.Sampler, SessionBench.Raw, tag), latent);
        return latent;
    }
}
