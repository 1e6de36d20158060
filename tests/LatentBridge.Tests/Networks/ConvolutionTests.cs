using LatentBridge.Networks;
using LatentBridge.Simd;
using LatentBridge.Tests.Simd;

namespace LatentBridge.Tests.Networks;

/// <summary>Every convolution of the engine at every vector width, against the scalar reference and against its definition.</summary>
[Trait("Category", "Kernels")]
public sealed unsafe class ConvolutionTests
{
    /// <summary>Winograd's rounding against the plain sum's, for sums near 1.</summary>
    const float Tolerance = 2e-5f;

    public static TheoryData<KernelWidth> Widths => KernelTests.Widths;

    [Theory]
    [MemberData(nameof(Widths))]
    public void Every_height_and_width_up_to_70_gives_what_the_reference_gives(KernelWidth width)
    {
        for (int n = 1; n <= 70; n++)
        {
            // Each number once as a height and once as a width.
            int other = 1 + (n * 37 % 70);
            AssertLikeReference(new Network(5).Convolution("a", 20), n, other, width);
            AssertLikeReference(new Network(5).Convolution("a", 20, bias: false, stride: 2).Relu(), n, other, width);
            AssertLikeReference(new Network(20).Convolution("a", 3), n, other, width);
            AssertLikeReference(new Network(6).Double().Convolution("a", 9), (n + 1) / 2, (other + 1) / 2, width);
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void Every_number_of_channels_gives_what_the_reference_gives(KernelWidth width)
    {
        foreach (int inputs in (int[])[1, 3, 4, 15, 16, 17, 32, 48, 64, 80, 128])
        {
            foreach (int outputs in (int[])[1, 2, 3, 4, 16, 31, 33, 48, 64, 100])
            {
                AssertLikeReference(new Network(inputs).Convolution("a", outputs), 5, 6, width);
                AssertLikeReference(new Network(inputs).Convolution("a", outputs, stride: 2), 5, 6, width);
                AssertLikeReference(new Network(inputs).Double().Convolution("a", outputs, bias: false).Relu(), 3, 2, width);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void Blocks_pools_and_whole_networks_give_what_the_reference_gives(KernelWidth width)
    {
        foreach ((int height, int columns) in ((int, int)[])[(1, 1), (4, 4), (7, 13), (26, 9), (41, 3)])
        {
            AssertLikeReference(new Network(16).Block("a", "b", "c"), height, columns, width);
            AssertLikeReference(new Network(4).Clamp().Convolution("a", 32).Relu().Block("b", "c").Convolution("d", 12).PixelShuffle(2).Add(0.5f), height, columns, width);
            AssertLikeReference(new Network(3).Convolution("a", 64).GroupNormPool("b").Block("c").GroupNormPool("d").Convolution("e", 5), height, columns, width);
            AssertLikeReference(new Network(3).Convolution("a", 16, stride: 2).Relu().Convolution("b", 16, stride: 2).Double().Convolution("c", 3), height, columns, width);
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void A_kernel_of_one_tap_moves_the_picture(KernelWidth width)
    {
        // A flipped kernel moves it the other way, a swapped axis down in place of right. Winograd is not exact here.
        const int Height = 9, Width = 14;
        float[] picture = Numbers(7, Height * Width);
        for (int tap = 0; tap < 9; tap++)
        {
            float[] kernel = new float[9];
            kernel[tap] = 1;
            float[] result = Run(new Network(1).Convolution("a", 1, bias: false), _ => kernel, picture, Height, Width, width);
            for (int y = 0; y < Height; y++)
            {
                for (int x = 0; x < Width; x++)
                {
                    int row = y + (tap / 3) - 1, column = x + (tap % 3) - 1;
                    float expected = row is >= 0 and < Height && column is >= 0 and < Width ? picture[(row * Width) + column] : 0;
                    Assert.Equal(expected, result[(y * Width) + x], Tolerance);
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void Doubling_on_the_way_equals_doubling_first(KernelWidth width)
    {
        const int Height = 5, Width = 7;
        float[] small = Numbers(3, 8 * Height * Width);
        float[] large = new float[4 * small.Length];
        for (int i = 0; i < large.Length; i++)
        {
            (int row, int x) = Math.DivRem(i, 2 * Width);
            (int channel, int y) = Math.DivRem(row, 2 * Height);
            large[i] = small[(((channel * Height) + (y / 2)) * Width) + (x / 2)];
        }

        float[] onTheWay = Run(new Network(8).Double().Convolution("a", 6), Weights(), small, Height, Width, width);
        float[] first = Run(new Network(8).Convolution("a", 6), Weights(), large, 2 * Height, 2 * Width, width);

        AssertClose(first, onTheWay, "doubled");
    }

    [Fact]
    public void The_vector_widths_give_the_same_bits()
    {
        KernelWidth[] vectors = [.. Kernel.Supported.Where(width => width != KernelWidth.Scalar)];
        Network network = new Network(4).Clamp().Convolution("a", 64).Relu().Block("b", "c").Double().Convolution("d", 48);
        float[][] results = [.. vectors.Select(width => Run(network, Weights(), Numbers(1, 4 * 11 * 10), 11, 10, width))];
        Assert.All(results, result => Assert.Equal(results[0], result));
    }

    /// <summary>Numbers from -1 to 1.</summary>
    internal static float[] Numbers(int seed, int count)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (2 * random.NextSingle()) - 1)];
    }

    /// <summary>Seeded weights that keep values near 1, whatever tensors of a network are asked for.</summary>
    internal static Func<ExpectedTensor, float[]> Weights() => tensor =>
    {
        int seed = tensor.Name.Aggregate(17, (hash, letter) => (hash * 31) + letter);
        float scale = 1.5f / MathF.Sqrt(tensor.Length / tensor.Dimensions[0]);
        return [.. Numbers(seed, (int)tensor.Length).Select(number => number * scale)];
    };

    internal static float[] Run(Network network, Func<ExpectedTensor, float[]> weights, float[] input, int height, int width, KernelWidth kernel, int threads = 1, int? stripeWidth = null)
    {
        Dictionary<string, float[]> tensors = network.Tensors.ToDictionary(tensor => tensor.Name, weights);
        using var engine = new NetworkEngine(network, name => tensors[name], kernel, stripeWidth);
        float[] output = new float[network.OutputChannels * network.Shuffle * network.Shuffle * network.PixelsOf(height) * network.PixelsOf(width)];
        fixed (float* from = input)
        fixed (float* to = output)
        {
            engine.Run(height, width, from, null, to, null, threads, TestContext.Current.CancellationToken);
        }

        return output;
    }

    static void AssertLikeReference(Network network, int height, int width, KernelWidth kernel)
    {
        float[] input = Numbers(height + width, network.InputChannels * height * width);
        float[] expected = Run(network, Weights(), input, height, width, KernelWidth.Scalar);
        float[] actual = Run(network, Weights(), input, height, width, kernel, threads: 2);
        AssertClose(expected, actual, $"{string.Join(", ", network.Tensors.Select(tensor => $"{tensor.Name} [{string.Join(", ", tensor.Dimensions)}]"))} at {height} x {width}");
    }

    static void AssertClose(float[] expected, float[] actual, string what)
    {
        float worst = expected.Zip(actual, (a, b) => float.IsFinite(b) ? MathF.Abs(a - b) : float.PositiveInfinity).Max();
        Assert.True(worst <= Tolerance, $"{what}: {worst} apart.");
    }
}
