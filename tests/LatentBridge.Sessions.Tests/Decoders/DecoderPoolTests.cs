using LatentBridge.Decoders;
using LatentBridge.Formats;

namespace LatentBridge.Sessions.Tests;

public class DecoderPoolTests
{
    static readonly LatentFormat Sdxl = LatentFormats.Get("SDXL");

    readonly HashSet<(string Format, string? Model)> _inUse = [];
    readonly FakeDecoder _plain = FakeDecoder.Named("plain", 20);
    readonly FakeDecoder _fine = FakeDecoder.Named("fine", 60);
    readonly FakeClock _clock = new();
    int _asked;

    [Fact]
    public void The_catalogue_is_asked_once_until_it_has_others()
    {
        using DecoderPool pool = Make(() => _asked == 1 ? [_plain.Entry] : [_fine.Entry, _plain.Entry]);
        _inUse.Add(("SD15", null));
        FormatDecoders first = pool.Of(SessionBench.Format, null);
        Assert.Same(first, pool.Of(SessionBench.Format, null));
        first.Candidates[0].Load();
        pool.Refresh();
        FormatDecoders second = pool.Of(SessionBench.Format, null);
        Assert.Equal(2, _asked);
        Assert.Equal(["fine", "plain"], second.Candidates.Select(candidate => candidate.Description.Id));
        Assert.Same(first.Candidates[0], second.Candidates[1]);
        Assert.False(_plain.IsDisposed);
        Assert.Same(second, Assert.Single(pool.All));
    }

    [Fact]
    public void A_catalogue_that_changes_while_it_is_asked_is_asked_once_more()
    {
        DecoderPool pool = null!;
        pool = Make(() =>
        {
            if (_asked == 2)
            {
                pool.Refresh();
            }

            return [_plain.Entry];
        });
        _inUse.Add(("SD15", null));
        pool.Of(SessionBench.Format, null);
        pool.Refresh();
        pool.Of(SessionBench.Format, null);
        pool.Of(SessionBench.Format, "model");
        Assert.Equal(3, _asked);
        pool.Dispose();
    }

    [Fact]
    public void Models_of_a_format_share_what_is_loaded_and_what_nobody_uses_is_given_back()
    {
        using DecoderPool pool = Make(() => [_plain.Entry]);
        _inUse.Add(("SD15", "a"));
        _inUse.Add(("SD15", "b"));
        pool.Of(SessionBench.Format, "a").Candidates[0].Load();
        Assert.True(pool.Of(SessionBench.Format, "b").Candidates[0].Instance is not null);
        Assert.Single(pool.Status());

        _inUse.Remove(("SD15", "a"));
        pool.Of(Sdxl, null);
        Assert.False(_plain.IsDisposed);
        _inUse.Clear();
        pool.Of(Sdxl, "a");
        Assert.True(_plain.IsDisposed);
    }

    [Fact]
    public void A_better_decoder_is_tried_again_when_it_was_not_used_for_a_while()
    {
        using DecoderPool pool = Make(() => [_fine.Entry, _plain.Entry]);
        FormatDecoders decoders = pool.Of(SessionBench.Format, null);
        DecoderCandidate fine = decoders.Candidates[0];
        fine.Load();
        _clock.Advance(19_999);
        decoders.CountFrame(decoders.Candidates[1]);
        Assert.False(decoders.WantsLoading);
        _clock.Advance(2);
        decoders.CountFrame(decoders.Candidates[1]);
        Assert.Same(fine, decoders.TakeWanted());
    }

    DecoderPool Make(Func<DecoderEntry[]> catalogue) => new(
        new object(),
        (_, _) =>
        {
            _asked++;
            return catalogue();
        },
        new Avoidance([]),
        (format, model) => _inUse.Contains((format.Id, model)),
        _clock);
}
