using LatentBridge.Decoders;
using LatentBridge.Formats;

namespace LatentBridge.Sessions.Tests;

public class DecoderTrialTests
{
    readonly FakeClock _clock = new();
    readonly List<int> _sides = [];

    [Fact]
    public void The_side_grows_until_a_decode_takes_some_milliseconds_and_the_first_slow_one_does_not_count()
    {
        // 1 us a cell once it is compiled: 10 ms would take a side of 100, and 64 is the largest.
        double perCell = DecoderTrial.MillisecondsPerCell(side => Sample(side, _sides.Count == 0 ? 40 : side * side * 0.001), _clock);
        Assert.Equal(0.001, perCell, 9);
        Assert.Equal([8, 8, 64, 64], _sides);
    }

    [Fact]
    public void A_slow_decoder_is_tried_three_times_and_no_more_after_a_tenth_of_a_second()
    {
        double milliseconds = 1000;
        double perCell = DecoderTrial.MillisecondsPerCell(side => Sample(side, milliseconds *= 0.5), _clock);
        Assert.Equal([8, 8, 8], _sides);
        Assert.Equal(125.0 / 64, perCell, 9);
    }

    [Fact]
    public void However_quick_a_decoder_becomes_the_trials_end()
    {
        double milliseconds = 1;
        DecoderTrial.MillisecondsPerCell(side => Sample(side, milliseconds *= 0.5), _clock);
        Assert.Equal(8, _sides.Count);
    }

    [Theory]
    [InlineData("StableAudio1")]
    [InlineData("ACEAudio")]
    public void A_strip_of_sound_takes_time_too(string id)
    {
        LatentFormat format = LatentFormats.Get(id);
        using ILatentDecoder sound = LatentDecoders.For(format, [])[0].Load();
        Assert.True(DecoderTrial.MillisecondsPerCell(sound, format, TimeProvider.System) > 0);
    }

    DecoderTrial.Sample Sample(int side, double milliseconds)
    {
        _sides.Add(side);
        _clock.Advance(milliseconds);
        return new(milliseconds, side * side);
    }
}
