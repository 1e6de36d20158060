using LatentBridge.Decoders;
using LatentBridge.Fitting.Training;

namespace LatentBridge.Fitting.Tests.Training;

public sealed class HoldOutGateTests
{
    static DecoderMeasure[] Of(params double[] decibels) => [.. decibels.Select(psnr => new DecoderMeasure(psnr, 5))];

    [Fact]
    public void The_fewer_pairs_the_more_it_must_be_ahead()
    {
        Assert.False(HoldOutGate.IsBetter(Of(40, 40), Of(30, 30)));
        Assert.False(HoldOutGate.IsBetter(Of(31.9, 31.9, 31.9), Of(30, 30, 30)));
        Assert.True(HoldOutGate.IsBetter(Of(32.1, 32.1, 32.1), Of(30, 30, 30)));
        Assert.False(HoldOutGate.IsBetter([.. Enumerable.Repeat(30.1, 20).Select(x => new DecoderMeasure(x, 5))], [.. Enumerable.Repeat(30.0, 20).Select(x => new DecoderMeasure(x, 5))]));
        Assert.False(HoldOutGate.IsBetter([], []));
        Assert.False(HoldOutGate.IsBetter(Of(40, 29.5, 30), Of(30, 30, 30))); // they disagree
        Assert.True(HoldOutGate.IsBetter(Of(40, 35, 34), Of(30, 30, 30)));
    }

    [Fact]
    public void A_great_loss_on_one_pair_or_worse_colours_refuse_it()
    {
        Assert.False(HoldOutGate.IsBetter(Of(40, 40, 40, 40, 40, 40, 29.4), Of(30, 30, 30, 30, 30, 30, 30)));
        Assert.False(HoldOutGate.IsBetter([new(35, 6), new(35, 6), new(35, 6)], Of(30, 30, 30)));
    }

    [Fact]
    public void A_picture_of_another_latent_mirrored_moved_or_black_is_refused_and_its_own_is_not()
    {
        CancellationToken none = TestContext.Current.CancellationToken;
        for (uint seed = 1; seed <= 8; seed++)
        {
            PicturePair pair = TinyTrainerTests.Pair(seed), other = TinyTrainerTests.Pair(seed + 50);
            Assert.Null(PairCheck.Problem(pair, none));
            Assert.NotNull(PairCheck.Problem(pair with { Pixels = other.Pixels }, none));
            Assert.NotNull(PairCheck.Problem(pair with { Pixels = new byte[pair.Pixels.Length] }, none));
            Assert.NotNull(PairCheck.Problem(Spoil(pair, other, Fault.Mirrored), none));
            Assert.NotNull(PairCheck.Problem(Spoil(pair, other, Fault.Moved), none));
            float[] planes = [.. pair.Planes];
            planes[5] = float.NaN;
            Assert.Contains("NaN", PairCheck.Problem(pair with { Planes = planes }, none), StringComparison.Ordinal);
        }
    }

    // Networks would take hours: maps of 3 x 3 cells stand in for them, on pairs of noisy latents, good ones and bad ones, checked as they come.
    [Fact]
    public void Of_a_thousand_trials_with_bad_pairs_among_them_no_worse_decoder_gets_through()
    {
        PicturePair[] pool = [.. Enumerable.Range(1, 60).Select(seed => Noisy(TinyTrainerTests.Pair((uint)seed), (uint)seed))];
        PicturePair[] clean = pool[48..], rest = pool[..48];
        PicturePair[] spoiled = [.. rest.SelectMany((pair, i) => Enum.GetValues<Fault>().Select(fault => Spoil(pair, rest[(i + 7) % rest.Length], fault)))];
        PicturePair[] slippedIn = [.. spoiled.Where(pair => PairCheck.Problem(pair, CancellationToken.None) is null)];
        Random random = new(1);
        int taken = 0;
        for (int trial = 0; trial < 1000; trial++)
        {
            PicturePair[] pairs = [.. Enumerable.Range(0, random.Next(5, 20)).Select(_ => random.Next(3) > 0 || slippedIn.Length == 0 ? rest[random.Next(rest.Length)] : slippedIn[random.Next(slippedIn.Length)])];
            PicturePair[] heldOut = [.. pairs.Where((_, i) => i % 5 == 0)], learned = [.. pairs.Where((_, i) => i % 5 != 0)];
            using ILatentDecoder candidate = Fit(learned, random.Next(2) == 0), current = Fit([.. Enumerable.Range(0, random.Next(1, 6)).Select(_ => rest[random.Next(rest.Length)])], random.Next(2) == 0);
            if (HoldOutGate.IsBetter(Measure(candidate, heldOut), Measure(current, heldOut)))
            {
                taken++;
                (DecoderMeasure after, DecoderMeasure before) = (DecoderMeasure.Of(candidate, clean, 1, CancellationToken.None), DecoderMeasure.Of(current, clean, 1, CancellationToken.None));
                Assert.True(after.Psnr >= before.Psnr, $"trial {trial}: {before.Psnr} dB before, {after.Psnr} dB after, {heldOut.Length} held out of {pairs.Length}");
            }
        }

        Assert.True(taken > 100, $"Only {taken} of 1000 were taken: the gate would never let anything through.");
    }

    enum Fault
    {
        Mislabelled,
        Mirrored,
        Moved,
        Black,
    }

    static PicturePair Spoil(PicturePair pair, PicturePair other, Fault fault)
    {
        if (fault == Fault.Mislabelled)
        {
            return pair with { Pixels = other.Pixels };
        }

        byte[] pixels = new byte[pair.Pixels.Length];
        int width = pair.Width * pair.Side, height = pair.Height * pair.Side;
        for (int i = 0; fault != Fault.Black && i < width * height; i++)
        {
            (int y, int x) = Math.DivRem(i, width);
            int from = fault == Fault.Mirrored ? (y * width) + width - 1 - x : ((y + (3 * pair.Side)) % height * width) + x;
            pair.Pixels.AsSpan(3 * from, 3).CopyTo(pixels.AsSpan(3 * i));
        }

        return pair with { Pixels = pixels };
    }

    static PicturePair Noisy(PicturePair pair, uint seed)
    {
        Random random = new((int)seed);
        return pair with { Planes = [.. pair.Planes.Select(value => value + (0.3f * (random.NextSingle() - 0.5f)))] };
    }

    static ILatentDecoder Fit(PicturePair[] pairs, bool is3x3)
    {
        ColourFit fit = new(4, 1, side: is3x3 ? 3 : 1);
        foreach (PicturePair pair in pairs)
        {
            fit.Add(pair.Planes, pair.Reduce(1).Pixels, heldOut: false, threads: 1, pair.Width);
        }

        return fit.Solve(is3x3 ? ColourMapKind.Linear3x3 : ColourMapKind.Linear, 1e-4).ToDecoder();
    }

    static DecoderMeasure[] Measure(ILatentDecoder decoder, PicturePair[] pairs) => [.. pairs.Select(pair => DecoderMeasure.Of(decoder, [pair], 1, CancellationToken.None))];
}
