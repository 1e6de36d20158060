using LatentBridge.Decoders;
using LatentBridge.Latents;

namespace LatentBridge.Sessions.Tests;

public class DecoderPreparationTests
{
    readonly FakeDecoder _fine = FakeDecoder.Named("fine", 60, cost: 100_000);
    readonly FakeDecoder _plain = FakeDecoder.Named("plain", 20);

    [Fact]
    public void A_run_that_begins_gets_its_cheapest_and_its_last_picture_s_decoder_loaded_and_measured()
    {
        using var rooms = new Rooms(catalogue: _ => [_fine.Entry with { File = "/models/fine.safetensors" }, _plain.Entry]);
        Assert.False(rooms.Do(rooms.Preparation));
        rooms.Streams.Begin(0, 1, SessionBench.Format, LatentSpace.Sampler, SessionBench.Raw, null);
        while (rooms.Do(rooms.Preparation))
        {
        }

        Assert.All(rooms.Pool.All.Single().Candidates, candidate => Assert.True(candidate.IsLoaded && candidate.Times.IsMeasured));
        Assert.Equal(
            [new RecordingSink.Notice("fine", "/models/fine.safetensors", false), new RecordingSink.Notice("fine", "/models/fine.safetensors", true)],
            rooms.Sink.Events);
        Assert.Empty(rooms.Log);
    }

    [Fact]
    public void A_decoder_that_cannot_be_loaded_is_logged_and_rests()
    {
        var broken = new DecoderEntry(_fine.Description, false, () => throw new LatentBridgeException("the file is damaged"));
        using var rooms = new Rooms(catalogue: _ => [broken, _plain.Entry]);
        rooms.Streams.Begin(0, 1, SessionBench.Format, LatentSpace.Sampler, SessionBench.Raw, null);
        while (rooms.Do(rooms.Preparation))
        {
        }

        Assert.Equal(["fine (test) cannot be used: the file is damaged"], rooms.Log);
        DecoderCandidate fine = rooms.Pool.All.Single().Candidates[0];
        Assert.Equal((false, "the file is damaged"), (fine.IsUsable, fine.Failure));
        Assert.Equal([false, true], rooms.Sink.Events.OfType<RecordingSink.Notice>().Select(notice => notice.IsDone));
    }

    [Fact]
    public void A_catalogue_that_fails_is_logged_and_the_duty_goes_on()
    {
        using var rooms = new Rooms(catalogue: _ => throw new IOException("no such share"));
        rooms.Streams.Begin(0, 1, SessionBench.Format, LatentSpace.Sampler, SessionBench.Raw, null);
        Assert.True(rooms.Do(rooms.Preparation));
        Assert.Contains("no such share", rooms.Log.Single(), StringComparison.Ordinal);
        Assert.False(rooms.Do(rooms.Preparation));
    }
}
