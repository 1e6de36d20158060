using LatentBridge.Decoders;
using LatentBridge.Decoders.Mlp;
using LatentBridge.Decoders.Polynomial;
using LatentBridge.Simd;
using LatentBridge.Testing;
using LatentBridge.Tests.Simd;
using LatentBridge.Tests.Weights;
using LatentBridge.Weights;

namespace LatentBridge.Tests.Decoders;

/// <summary>Decoders that look at the 3 x 3 cells around each: against a convolution written out, in double.</summary>
public sealed class NeighbourhoodTests : IDisposable
{
    const int Channels = 3;
    const int Hidden = 5;
    const double RoundingTolerance = 2e-3;

    readonly TestWeights _weights = new();

    public static TheoryData<KernelWidth> Widths => KernelTests.Widths;

    public void Dispose() => _weights.Dispose();

    static float[] Latent(int width, int height)
    {
        uint state = (uint)((width * 1000) + height);
        return [.. Enumerable.Range(0, Channels * width * height).Select(_ => 1.5f * TestWeights.Next(ref state))];
    }

    /// <summary>One output of a 3 x 3 convolution; beyond the border the nearest cell counts.</summary>
    static double Convolve(float[] weights, int output, float[] latent, int width, int height, int x, int y)
    {
        double sum = 0;
        for (int i = 0; i < 9 * Channels; i++)
        {
            int row = Math.Clamp(y + (i / 3 % 3) - 1, 0, height - 1), column = Math.Clamp(x + (i % 3) - 1, 0, width - 1);
            sum += (double)weights[(output * 9 * Channels) + i] * latent[(((i / 9 * height) + row) * width) + column];
        }

        return sum;
    }

    static void AssertPictures(ILatentDecoder decoder, Func<float[], int, int, int, int, double[]> rgb)
    {
        foreach ((int width, int height) in ((int, int)[])[(1, 1), (2, 1), (1, 3), (17, 2), (5, 7), (33, 9), (70, 8), (300, 3), (131, 36)])
        {
            float[] latent = Latent(width, height);
            byte[] picture = new byte[3 * width * height];
            decoder.Decode(new(latent, Channels, height, width), picture, 1, CancellationToken.None);
            for (int cell = 0; cell < width * height; cell++)
            {
                double[] expected = rgb(latent, width, height, cell % width, cell / width);
                for (int colour = 0; colour < 3; colour++)
                {
                    Golden.AssertByte(expected[colour], picture[(3 * cell) + colour], RoundingTolerance);
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    [Trait("Category", "Kernels")]
    public void A_linear_map_of_neighbours_is_a_convolution(KernelWidth width)
    {
        var tensors = TestWeights.Random(PolynomialDecoder.Architecture, 31, ("polynomial.linear", [3, Channels, 3, 3]));
        using NetworkTensors open = LatentDecoders.Networks.Open(_weights.Write("p.safetensors", tensors, "SD15"), "polynomial");
        using PolynomialDecoder decoder = new(open, width);
        Assert.Equal(("linear3x3", Channels, 27 * Channels), (decoder.Description.Id, decoder.Description.Channels, decoder.Description.MultiplyAddsPerCell));
        AssertPictures(decoder, (latent, w, h, x, y) => [.. Enumerable.Range(0, 3).Select(colour =>
            tensors[0].Values[colour] + Convolve(tensors[1].Values, colour, latent, w, h, x, y))]);
    }

    [Theory]
    [MemberData(nameof(Widths))]
    [Trait("Category", "Kernels")]
    public void A_perceptron_of_neighbours_begins_with_a_convolution(KernelWidth width)
    {
        var tensors = TestWeights.Random(MlpDecoder.Architecture3x3, 32, ("in_proj.weight", [Hidden, Channels, 3, 3]), ("out_proj.weight", [3, Hidden]));
        using NetworkTensors open = LatentDecoders.Networks.Open(_weights.Write("m.safetensors", tensors, "SD15"), "mlp-3x3");
        using MlpDecoder decoder = new(open, width);
        Assert.Equal(("mlp:m", Channels, (9 * Channels * Hidden) + (3 * Hidden)), (decoder.Description.Id, decoder.Description.Channels, decoder.Description.MultiplyAddsPerCell));
        AssertPictures(decoder, (latent, w, h, x, y) =>
        {
            double[] hidden = [.. Enumerable.Range(0, Hidden).Select(o => tensors[1].Values[o] + Convolve(tensors[0].Values, o, latent, w, h, x, y)).Select(s => s / (1 + Math.Exp(-s)))];
            return [.. Enumerable.Range(0, 3).Select(colour => tensors[3].Values[colour] + hidden.Select((value, o) => value * tensors[2].Values[(colour * Hidden) + o]).Sum())];
        });
    }

    [Fact]
    public void A_second_decode_allocates_nothing_and_a_cancelled_one_stops()
    {
        var tensors = TestWeights.Random(MlpDecoder.Architecture3x3, 33, ("in_proj.weight", [Hidden, Channels, 3, 3]), ("out_proj.weight", [3, Hidden]));
        using NetworkTensors open = LatentDecoders.Networks.Open(_weights.Write("m.safetensors", tensors, "SD15"), "mlp-3x3");
        using MlpDecoder decoder = new(open);
        float[] latent = Latent(30, 20);
        byte[] picture = new byte[3 * 600];
        Assert.Equal(0, Allocated.By(() => decoder.Decode(new(latent, Channels, 20, 30), picture, 1, CancellationToken.None)));
        Assert.Throws<OperationCanceledException>(() => decoder.Decode(new(latent, Channels, 20, 30), picture, 1, new CancellationToken(true)));
    }
}
