using LatentBridge.Decoders;
using LatentBridge.Files;
using LatentBridge.Tests.Weights;
using LatentBridge.Weights;

namespace LatentBridge.Fitting.Tests;

public sealed class ColourFitTests
{
    static float[] Planes(int channels, int cells, uint seed)
    {
        uint state = seed;
        return [.. Enumerable.Range(0, channels * cells).Select(_ => 2 * TestWeights.Next(ref state))];
    }

    /// <summary>The colours that a function of a cell's channels gives, as bytes.</summary>
    static byte[] Colours(float[] planes, int channels, Func<float[], int, double> colour)
    {
        int cells = planes.Length / channels;
        return [.. Enumerable.Range(0, cells).SelectMany(cell =>
        {
            float[] z = [.. Enumerable.Range(0, channels).Select(c => planes[(c * cells) + cell])];
            return Enumerable.Range(0, 3).Select(rgb => (byte)(Math.Clamp((colour(z, rgb) * 127.5) + 127.5, 0, 255) + 0.5));
        })];
    }

    static float[] Values(FittedMap map, string tensor)
    {
        StoredTensor stored = map.Tensors.Single(t => t.Name == tensor);
        return System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(stored.Bytes.Span).ToArray();
    }

    // The form in which quadratic maps of SD1 are written down elsewhere: per colour a bias, 4 factors and a full 4 x 4 matrix, 63 numbers.
    [Fact]
    public void A_quadratic_map_of_SD1_in_its_form_of_63_numbers_is_found_again()
    {
        uint state = 9;
        float[] published = [.. Enumerable.Range(0, 63).Select(_ => 0.05f * TestWeights.Next(ref state))];
        double Published(float[] z, int rgb)
        {
            ReadOnlySpan<float> numbers = published.AsSpan(21 * rgb, 21);
            double sum = numbers[0];
            for (int i = 0; i < 4; i++)
            {
                sum += numbers[1 + i] * z[i];
                for (int j = 0; j < 4; j++)
                {
                    sum += numbers[5 + (4 * i) + j] * z[i] * z[j];
                }
            }

            return sum;
        }

        ColourFit fit = new(4, 2);
        float[] planes = Planes(4, 20_000, 1), others = Planes(4, 3_000, 2);
        fit.Add(planes, Colours(planes, 4, Published), heldOut: false);
        fit.Add(others, Colours(others, 4, Published), heldOut: true);
        FittedMap map = fit.Solve(ColourMapKind.Quadratic, ridge: 0);

        // z_i z_j and z_j z_i are one product: 15 numbers a colour say the same as 21.
        Assert.Equal(45, map.NumberCount);
        Assert.Equal(published[5 + 1] + published[5 + 4], Values(map, "polynomial.quadratic")[1], 3e-3f);
        using ILatentDecoder decoder = map.ToDecoder();
        Assert.Equal("quadratic", decoder.Description.Id);
        Assert.True(fit.HeldOutPsnr(decoder) > 55, $"{fit.HeldOutPsnr(decoder)} dB");
    }

    [Theory]
    [InlineData(ColourMapKind.LinearWithoutBias, 12, 30)]
    [InlineData(ColourMapKind.Linear, 15, 50)]
    [InlineData(ColourMapKind.Quadratic, 45, 50)]
    [InlineData(ColourMapKind.Cubic, 105, 50)]
    public void A_linear_map_with_bias_is_found_again_by_all_that_have_one(ColourMapKind kind, int numbers, double atLeast)
    {
        ColourFit fit = new(4, 3);
        for (uint i = 0; i < 4; i++)
        {
            float[] planes = Planes(4, 2_001, i + 1);
            fit.Add(planes, Colours(planes, 4, (z, rgb) => 0.05 + (0.1 * z[rgb]) - (0.07 * z[3])), heldOut: i == 3);
        }

        FittedMap map = fit.Solve(kind);
        using ILatentDecoder decoder = map.ToDecoder();
        double psnr = fit.HeldOutPsnr(decoder);
        Assert.True(psnr > atLeast, $"{psnr} dB");
        Assert.True(kind != ColourMapKind.LinearWithoutBias || psnr < 45, $"{psnr} dB without the bias that is there");
        Assert.Equal(numbers, map.NumberCount);
    }

    [Fact]
    public void The_products_are_those_of_the_decoders_order()
    {
        const int Channels = 3;
        ColourFit fit = new(Channels, 3);
        float[] planes = Planes(Channels, 30_000, 5);
        fit.Add(planes, Colours(planes, Channels, (z, rgb) => rgb switch { 0 => 0.1 * z[0] * z[1] * z[2], 1 => 0.1 * z[1] * z[1] * z[2], _ => 0.2 * z[0] * z[2] }), false);
        float[] cubic = Values(fit.Solve(ColourMapKind.Cubic), "polynomial.cubic"), quadratic = Values(fit.Solve(ColourMapKind.Cubic), "polynomial.quadratic");

        // 000 001 002 011 012 022 111 112 122 222, and 00 01 02 11 12 22.
        Assert.Equal(0.1f, cubic[4], 2e-3f);
        Assert.Equal(0.1f, cubic[10 + 7], 2e-3f);
        Assert.Equal(0.2f, quadratic[12 + 2], 2e-3f);
        Assert.InRange(cubic.Where((_, i) => i is not (4 or 17)).Max(MathF.Abs), 0, 2e-3f);
    }

    [Fact]
    public void The_threads_do_not_change_the_numbers()
    {
        byte[][] maps = [.. new[] { 1, 4 }.Select(threads =>
        {
            ColourFit fit = new(4, 2);
            float[] planes = Planes(4, 10_007, 3);
            fit.Add(planes, Colours(planes, 4, (z, rgb) => 0.2 * z[rgb]), false, threads);
            return fit.Solve(ColourMapKind.Quadratic).Tensors.SelectMany(t => t.Bytes.ToArray()).ToArray();
        })];
        Assert.Equal(maps[0], maps[1]);
    }

    [Fact]
    public void A_perceptron_learns_what_a_line_cannot_and_the_same_again_by_the_same_seed()
    {
        byte[][] trained = [.. Enumerable.Range(0, 2).Select(_ =>
        {
            ColourFit fit = new(4, 1, seed: 7);
            float[] planes = Planes(4, 8_000, 1), others = Planes(4, 2_000, 2);
            static double Curve(float[] z, int rgb) => Math.Tanh(z[0] * z[1]) * (0.5 - (0.2 * rgb));
            fit.Add(planes, Colours(planes, 4, Curve), false);
            fit.Add(others, Colours(others, 4, Curve), true);
            FittedMap map = fit.Train(hidden: 8, steps: 1200, TestContext.Current.CancellationToken);
            using ILatentDecoder perceptron = map.ToDecoder(), line = fit.Solve(ColourMapKind.Linear).ToDecoder();
            Assert.True(fit.HeldOutPsnr(perceptron) > fit.HeldOutPsnr(line) + 6, $"{fit.HeldOutPsnr(perceptron)} and {fit.HeldOutPsnr(line)} dB");
            return map.Tensors.SelectMany(t => t.Bytes.ToArray()).ToArray();
        })];
        Assert.Equal(trained[0], trained[1]);
    }

    [Fact]
    public void The_file_makes_the_same_decoder()
    {
        using TestWeights weights = new();
        ColourFit fit = new(16, 2);
        float[] planes = Planes(16, 1_000, 4);
        fit.Add(planes, Colours(planes, 16, (z, rgb) => 0.1 * z[rgb] * z[rgb + 4]), false);
        FittedMap map = fit.Solve(ColourMapKind.Quadratic);
        string path = Path.Combine(weights.Folder, "m.safetensors");
        map.Write(path, "SD3", "a test");

        FoundWeights found = Assert.Single(LatentDecoders.Weights([weights.Folder]).Found);
        Assert.Equal((null, "polynomial"), (found.Problem, found.Architecture));
        Assert.Contains("SD3", found.Formats);
        using NetworkTensors tensors = LatentDecoders.Networks.Open(path, "polynomial");
        Assert.Equal(Values(map, "polynomial.quadratic"), tensors.Take("polynomial.quadratic"));
    }

    [Fact]
    public void A_map_that_depends_on_the_neighbours_is_found_again()
    {
        const int Width = 50, Cells = 50 * 60;
        ColourFit fit = new(4, 1, side: 3), alone = new(4, 1);
        for (uint i = 0; i < 3; i++)
        {
            float[] planes = Planes(4, Cells, i + 1);

            // Red: a channel and the one above; green: the one on the left; blue: the one on the right and below. At the border the nearest.
            float At(int channel, int cell, int across, int down)
            {
                int x = Math.Clamp((cell % Width) + across, 0, Width - 1), y = Math.Clamp((cell / Width) + down, 0, (Cells / Width) - 1);
                return planes[(channel * Cells) + (y * Width) + x];
            }

            byte[] rgb = [.. Enumerable.Range(0, Cells).SelectMany(cell => ((float[])[(0.1f * At(0, cell, 0, 0)) + (0.1f * At(1, cell, 0, -1)), 0.2f * At(2, cell, -1, 0), 0.2f * At(3, cell, 1, 1)])
                .Select(value => (byte)((Math.Clamp(value, -1, 1) * 127.5f) + 128)))];
            fit.Add(planes, rgb, i == 2, 1, Width);
            alone.Add(planes, rgb, i == 2);
        }

        FittedMap map = fit.Solve(ColourMapKind.Linear3x3), trained = fit.Train(hidden: 6, steps: 300, TestContext.Current.CancellationToken);
        float[] linear = Values(map, "polynomial.linear");
        Assert.Equal([3, 4, 3, 3], map.Tensors.Single(t => t.Name == "polynomial.linear").Dimensions);
        Assert.Equal((111, 0.1f, 0.1f, 0.2f, 0.2f), (map.NumberCount, MathF.Round(linear[4], 2), MathF.Round(linear[9 + 1], 2), MathF.Round(linear[36 + 18 + 3], 2), MathF.Round(linear[72 + 27 + 8], 2)));
        using ILatentDecoder decoder = map.ToDecoder(), perceptron = trained.ToDecoder(), line = alone.Solve(ColourMapKind.Linear).ToDecoder();
        Assert.True(fit.HeldOutPsnr(decoder) > 50, $"{fit.HeldOutPsnr(decoder)} dB");
        Assert.True(fit.HeldOutPsnr(perceptron) > fit.HeldOutPsnr(line) + 6, $"{fit.HeldOutPsnr(perceptron)} dB");
        Assert.Equal(alone.HeldOutPsnr(line), fit.HeldOutPsnr(line), 1e-9);
        Assert.Throws<ArgumentException>(() => fit.Solve(ColourMapKind.Linear));
        Assert.Throws<ArgumentException>(() => alone.Solve(ColourMapKind.Linear3x3));
        Assert.Throws<ArgumentException>(() => fit.Add(Planes(4, 10, 1), new byte[30], false, 1, 3));
        Assert.Throws<ArgumentException>(() => new ColourFit(4, 2, side: 3));
    }

    [Fact]
    public void Too_few_cells_are_refused()
    {
        ColourFit fit = new(4, 2);
        fit.Add(Planes(4, 14, 1), new byte[3 * 14], false);
        Assert.Contains("Too few pairs: 14 cells for 15", Assert.Throws<LatentBridgeException>(() => fit.Solve(ColourMapKind.Quadratic)).Message, StringComparison.Ordinal);
        Assert.Contains("Too few pairs", Assert.Throws<LatentBridgeException>(() => fit.Train(cancellation: TestContext.Current.CancellationToken)).Message, StringComparison.Ordinal);
        Assert.Contains("held out", Assert.Throws<LatentBridgeException>(() => fit.HeldOutPsnr(fit.Solve(ColourMapKind.Linear).ToDecoder())).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false, "is 0 in every cell")]
    [InlineData(true, "follows from the others")]
    public void Singular_equations_are_refused_by_name(bool copy, string why)
    {
        ColourFit fit = new(4, 1);
        float[] planes = Planes(4, 500, 1);
        planes.AsSpan(0, 500).CopyTo(planes.AsSpan(1000, 500));
        if (!copy)
        {
            planes.AsSpan(1000, 500).Clear();
        }

        fit.Add(planes, new byte[1500], false);
        string message = Assert.Throws<LatentBridgeException>(() => fit.Solve(ColourMapKind.Linear, ridge: 0)).Message;
        Assert.Contains($"term 3 of the polynomial", message, StringComparison.Ordinal);
        Assert.Contains(why, message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Values_that_are_no_numbers_are_refused_and_nothing_is_taken(float odd)
    {
        ColourFit fit = new(4, 1);
        float[] planes = Planes(4, 100, 1);
        planes[123] = odd;
        Assert.Contains("Value 123", Assert.Throws<LatentBridgeException>(() => fit.Add(planes, new byte[300], false)).Message, StringComparison.Ordinal);
        Assert.Equal(0, fit.TrainingCellCount);
        Assert.Throws<ArgumentException>(() => fit.Add(new float[400], new byte[297], false));
    }

    [Fact]
    public void A_polynomial_with_too_many_terms_is_refused_before_memory_is_taken() =>
        Assert.Contains("6545 terms", Assert.Throws<LatentBridgeException>(() => new ColourFit(32, 3)).Message, StringComparison.Ordinal);
}
