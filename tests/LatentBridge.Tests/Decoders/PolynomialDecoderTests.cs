using LatentBridge.Decoders;
using LatentBridge.Decoders.Polynomial;
using LatentBridge.Simd;
using LatentBridge.Testing;
using LatentBridge.Tests.Simd;
using LatentBridge.Tests.Weights;
using LatentBridge.Weights;

namespace LatentBridge.Tests.Decoders;

public sealed class PolynomialDecoderTests : IDisposable
{
    readonly TestWeights _weights = new();

    public static TheoryData<KernelWidth> Widths => KernelTests.Widths;

    public void Dispose() => _weights.Dispose();

    static List<(string Name, long[] Dimensions, float[] Values)> Tensors(int channels, int degree)
    {
        (string, long[])[] shapes = [("polynomial.linear", [3, channels]), ("polynomial.quadratic", []), ("polynomial.cubic", [])];
        return TestWeights.Random(PolynomialDecoder.Architecture, 21, shapes[..degree]);
    }

    PolynomialDecoder Decoder(List<(string Name, long[] Dimensions, float[] Values)> tensors, KernelWidth width)
    {
        using NetworkTensors open = LatentDecoders.Networks.Open(_weights.Write("p.safetensors", tensors, "SD15"), "polynomial");
        return new(open, width);
    }

    [Theory]
    [MemberData(nameof(Widths))]
    [Trait("Category", "Kernels")]
    public void Every_number_of_cells_and_channels_gives_the_formulas_bytes(KernelWidth width)
    {
        foreach ((int channels, int degree) in ((int, int)[])[(1, 1), (1, 2), (1, 3), (3, 3), (4, 1), (4, 2), (4, 3), (16, 2), (32, 2), (5, 3), (16, 3)])
        {
            var tensors = Tensors(channels, degree);
            using PolynomialDecoder decoder = Decoder(tensors, width);
            for (int cells = 1; cells <= 70; cells += cells < 40 ? 1 : 7)
            {
                uint state = (uint)cells;
                float[] latent = [.. Enumerable.Range(0, channels * cells).Select(_ => 1.5f * TestWeights.Next(ref state))];
                var picture = new byte[3 * cells];
                decoder.Decode(new(latent, channels, 1, cells), picture, 1, CancellationToken.None);
                for (int i = 0; i < picture.Length; i++)
                {
                    Golden.AssertByte(Formula(tensors, latent, channels, cells, i / 3, i % 3), picture[i], 2e-3);
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    [Trait("Category", "Kernels")]
    public void A_latent_of_several_parts_gives_what_its_parts_give(KernelWidth width)
    {
        const int Rows = 83, Columns = 71;
        using PolynomialDecoder decoder = Decoder(Tensors(4, 3), width);
        uint state = 7;
        float[] latent = [.. Enumerable.Range(0, 4 * Rows * Columns).Select(_ => 1.5f * TestWeights.Next(ref state))];
        byte[] whole = new byte[3 * Rows * Columns], row = new byte[3 * Columns];
        decoder.Decode(new(latent, 4, Rows, Columns), whole, 1, CancellationToken.None);
        for (int y = 0; y < Rows; y++)
        {
            float[] cells = [.. Enumerable.Range(0, 4).SelectMany(channel => latent.AsSpan((channel * Rows * Columns) + (y * Columns), Columns).ToArray())];
            decoder.Decode(new(cells, 4, 1, Columns), row, 1, CancellationToken.None);
            Assert.Equal(row, whole.AsSpan(3 * y * Columns, 3 * Columns).ToArray());
        }
    }

    /// <summary>Each product on its own, in double, in the order the file's format states.</summary>
    static double Formula(List<(string Name, long[] Dimensions, float[] Values)> tensors, float[] latent, int channels, int cells, int cell, int colour)
    {
        double sum = tensors[0].Values[colour];
        int pair = 0, triple = 0;
        for (int i = 0; i < channels; i++)
        {
            sum += Coefficient(1, i) * Z(i);
            for (int j = i; tensors.Count > 2 && j < channels; j++)
            {
                sum += Coefficient(2, pair++) * Z(i) * Z(j);
                for (int k = j; tensors.Count > 3 && k < channels; k++)
                {
                    sum += Coefficient(3, triple++) * Z(i) * Z(j) * Z(k);
                }
            }
        }

        return sum;

        double Z(int channel) => latent[channel * cells + cell];
        double Coefficient(int tensor, int column) => tensors[tensor].Values[colour * (tensors[tensor].Values.Length / 3) + column];
    }

    [Fact]
    public void It_says_what_it_is_and_allocates_nothing()
    {
        using PolynomialDecoder decoder = Decoder(Tensors(4, 3), Kernel.Width);
        Assert.Equal(("cubic", 1, 3 * 34L), (decoder.Description.Id, decoder.Description.PixelsPerCell, decoder.Description.MultiplyAddsPerCell));
        var latent = new float[4 * 64];
        var picture = new byte[3 * 64];
        Assert.Equal(0, Allocated.By(() => decoder.Decode(new(latent, 4, 8, 8), picture, 1, CancellationToken.None)));
    }

    // Elsewhere written as 1 + 4 + 16 numbers a colour, 63 in all: a bias, a factor of each channel and a full matrix of their products.
    [Theory]
    [MemberData(nameof(Widths))]
    [Trait("Category", "Kernels")]
    public void A_quadratic_map_of_63_numbers_gives_its_formulas_bytes(KernelWidth width)
    {
        var tensors = TestWeights.Random(PolynomialDecoder.Architecture, 5, ("polynomial.linear", [3, 4]), ("polynomial.quadratic", [3, 4, 4]));
        Assert.Equal(63, tensors.Sum(t => t.Values.Length));
        float[] bias = tensors[0].Values, linear = tensors[1].Values, matrix = tensors[2].Values;
        using PolynomialDecoder decoder = Decoder(tensors, width);
        Assert.Equal(("quadratic", 3 * 14L), (decoder.Description.Id, decoder.Description.MultiplyAddsPerCell));
        const int Cells = 67;
        uint state = 3;
        float[] latent = [.. Enumerable.Range(0, 4 * Cells).Select(_ => 1.5f * TestWeights.Next(ref state))];
        byte[] picture = new byte[3 * Cells];
        decoder.Decode(new(latent, 4, 1, Cells), picture, 1, CancellationToken.None);
        for (int at = 0; at < picture.Length; at++)
        {
            (int cell, int colour) = (at / 3, at % 3);
            double sum = bias[colour];
            for (int i = 0; i < 4; i++)
            {
                sum += linear[(4 * colour) + i] * (double)latent[(i * Cells) + cell];
                for (int j = 0; j < 4; j++)
                {
                    sum += matrix[(16 * colour) + (4 * i) + j] * (double)latent[(i * Cells) + cell] * latent[(j * Cells) + cell];
                }
            }

            Golden.AssertByte(sum, picture[at], 2e-3);
        }
    }

    [Fact]
    public void Coefficients_of_the_wrong_number_are_named()
    {
        var tensors = Tensors(4, 2).Select(t => t.Name == "polynomial.quadratic" ? (t.Name, [3L, 16], new float[48]) : t);
        LatentBridgeException thrown = Assert.Throws<LatentBridgeException>(() => LatentDecoders.Networks.Open(_weights.Write("p.safetensors", tensors, "SD15"), "polynomial"));
        Assert.Contains("'polynomial.quadratic' is [3, 16]; [3, 10] was expected", thrown.Message, StringComparison.Ordinal);
    }
}
