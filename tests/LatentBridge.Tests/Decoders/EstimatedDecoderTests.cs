using LatentBridge.Decoders.Estimated;
using LatentBridge.Latents;
using LatentBridge.Simd;
using LatentBridge.Tests.Simd;

namespace LatentBridge.Tests.Decoders;

public sealed class EstimatedDecoderTests
{
    const int Side = 24;
    const int Cells = Side * Side;

    public static TheoryData<KernelWidth> Widths => KernelTests.Widths;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(5)]
    [InlineData(64)]
    [InlineData(600)]
    public void Any_number_of_channels_gives_a_picture_with_contrast(int channels)
    {
        byte[] rgb = Decode(new EstimatedDecoder(channels), Scene(channels, seed: 1, noise: 0.1), channels);
        Assert.True(rgb.Max() - rgb.Min() > 100);
        Assert.InRange(rgb.Average(level => level), 90, 165);
    }

    [Fact]
    public void One_channel_is_grey_in_its_own_order()
    {
        float[] values = [.. Enumerable.Range(0, Cells).Select(cell => (float)cell)];
        byte[] rgb = Decode(new EstimatedDecoder(1), values, 1);
        Assert.All(Enumerable.Range(0, Cells), cell => Assert.Equal(rgb[3 * cell], rgb[(3 * cell) + 2]));
        Assert.True(rgb[0] < 60 && rgb[^1] > 195);
    }

    [Fact]
    public void The_first_component_is_the_direction_of_largest_variance()
    {
        // Two channels along (0.6, 0.8) with a little across: brightness must follow the first.
        var random = new Random(5);
        var values = new float[2 * Cells];
        var along = new double[Cells];
        for (int cell = 0; cell < Cells; cell++)
        {
            along[cell] = (random.NextDouble() * 6) - 3;
            double across = (random.NextDouble() * 0.2) - 0.1;
            values[cell] = (float)((0.6 * along[cell]) - (0.8 * across));
            values[Cells + cell] = (float)((0.8 * along[cell]) + (0.6 * across));
        }

        byte[] rgb = Decode(new EstimatedDecoder(2), values, 2);
        Assert.All(Enumerable.Range(0, Cells), cell => Assert.Equal(127.5 + (along[cell] / (2.5 * Math.Sqrt(3)) * 127.5), rgb[(3 * cell) + 2], 12.0));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    [InlineData(65504)]
    public void A_constant_latent_is_mid_grey(float value)
    {
        byte[] rgb = Decode(new EstimatedDecoder(4), Enumerable.Repeat(value, 4 * Cells).ToArray(), 4);
        Assert.All(rgb, level => Assert.Equal(128, level));
    }

    [Fact]
    public void A_latent_that_hardly_changes_gives_a_picture_that_hardly_changes()
    {
        // The third and fourth channels swap which of them varies more, from step to step: a basis of its own for each step would jump.
        using var decoder = new EstimatedDecoder(4);
        byte[] before = Decode(decoder, Balanced(0), 4);
        for (int step = 1; step <= 12; step++)
        {
            byte[] now = Decode(decoder, Balanced(step), 4);
            double change = now.Zip(before).Average(pair => Math.Abs(pair.First - pair.Second));
            Assert.True(change < 6, $"step {step} changes the picture by {change:F1} levels in the mean");
            before = now;
        }
    }

    [Fact]
    public void Signs_are_kept_through_a_run_that_converges()
    {
        using var decoder = new EstimatedDecoder(16);
        byte[]? first = null;
        byte[] last = [];
        for (int step = 0; step < 10; step++)
        {
            last = Decode(decoder, Scene(16, seed: 3, noise: 0.5 - (0.05 * step)), 16);
            first ??= last;
        }

        Assert.True(Correlation(first!, last) > 0.7);
    }

    [Fact]
    public void A_step_of_nonsense_spoils_no_later_one()
    {
        using var decoder = new EstimatedDecoder(4);
        float[] scene = Scene(4, seed: 1, noise: 0.1);
        byte[] good = Decode(decoder, scene, 4);
        float[] broken = [.. scene];
        broken[100] = 65504;
        Decode(decoder, broken, 4);
        byte[] after = Decode(decoder, scene, 4);
        Assert.True(Correlation(good, after) > 0.9 && after.Max() - after.Min() > 100);
    }

    [Fact]
    public void The_pictures_of_a_grid_share_their_colours_from_the_first_step_on()
    {
        float[] left = Scene(8, seed: 1, noise: 0.1);
        float[] right = Scene(8, seed: 2, noise: 0.1);
        using var decoder = new EstimatedDecoder(8);
        decoder.Observe(new LatentPlanes(left, 8, Side, Side), CancellationToken.None);
        decoder.Observe(new LatentPlanes(right, 8, Side, Side), CancellationToken.None);
        byte[] first = Decode(decoder, left, 8);
        byte[] second = Decode(decoder, right, 8);
        decoder.Observe(new LatentPlanes(left, 8, Side, Side), CancellationToken.None);
        decoder.Observe(new LatentPlanes(right, 8, Side, Side), CancellationToken.None);
        Assert.All(Decode(decoder, left, 8).Zip(first), pair => Assert.InRange(pair.First - pair.Second, -1, 1));
        Assert.All(Decode(decoder, right, 8).Zip(second), pair => Assert.InRange(pair.First - pair.Second, -1, 1));
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void Every_width_gives_the_same_picture_but_for_rounding(KernelWidth width)
    {
        float[] scene = Scene(7, seed: 4, noise: 0.2);
        byte[] expected = Decode(new EstimatedDecoder(7, KernelWidth.Scalar), scene, 7);
        byte[] actual = Decode(new EstimatedDecoder(7, width), scene, 7);
        Assert.All(actual.Zip(expected), pair => Assert.InRange(pair.First - pair.Second, -1, 1));
    }

    static byte[] Decode(EstimatedDecoder decoder, float[] values, int channels)
    {
        var rgb = new byte[3 * Cells];
        decoder.Decode(new LatentPlanes(values, channels, Side, Side), rgb, 1, CancellationToken.None);
        return rgb;
    }

    /// <summary>Three smooth patterns mixed into the channels, and noise.</summary>
    static float[] Scene(int channels, int seed, double noise)
    {
        var mixing = new Random(seed);
        var grain = new Random(99);
        var values = new float[channels * Cells];
        for (int channel = 0; channel < channels; channel++)
        {
            (double a, double b, double c) = (mixing.NextDouble() - 0.5, mixing.NextDouble() - 0.5, mixing.NextDouble() - 0.5);
            for (int cell = 0; cell < Cells; cell++)
            {
                (double x, double y) = (cell % Side / (double)Side, cell / Side / (double)Side);
                double pattern = (3 * a * Math.Sin(5 * x)) + (2 * b * Math.Cos(4 * y)) + (c * Math.Sin(9 * (x + y)));
                values[(channel * Cells) + cell] = (float)(pattern + (noise * (grain.NextDouble() - 0.5)));
            }
        }

        return values;
    }

    static float[] Balanced(int step)
    {
        float[] values = Scene(4, seed: 8, noise: 0);
        var random = new Random(21);
        double tilt = 0.02 * ((step % 2) - 0.5);
        for (int cell = 0; cell < Cells; cell++)
        {
            values[cell] = (float)(values[cell] * 2);
            values[(2 * Cells) + cell] = (float)((random.NextDouble() - 0.5) * (1 + tilt));
            values[(3 * Cells) + cell] = (float)((random.NextDouble() - 0.5) * (1 - tilt));
        }

        return values;
    }

    static double Correlation(byte[] a, byte[] b)
    {
        double meanA = a.Average(level => level);
        double meanB = b.Average(level => level);
        double product = a.Zip(b).Sum(pair => (pair.First - meanA) * (pair.Second - meanB));
        return product / Math.Sqrt(a.Sum(level => (level - meanA) * (level - meanA)) * b.Sum(level => (level - meanB) * (level - meanB)));
    }
}
