using LatentBridge.Decoders.ApproxNn;
using LatentBridge.Latents;
using LatentBridge.Tensors;
using LatentBridge.Testing;
using LatentBridge.Tests.Tensors;
using LatentBridge.Tests.Weights;
using LatentBridge.Weights;

namespace LatentBridge.Tests.Decoders;

public sealed class ApproxNnDecoderTests : IDisposable
{
    /// <summary>How far sums in another order may be apart, in -1..1.</summary>
    const float Tolerance = 5e-5f;

    readonly TestWeights _weights = new();

    public static TheoryData<KernelWidth> Widths => KernelTests.Widths;

    public void Dispose() => _weights.Dispose();

    ApproxNnDecoder RandomDecoder(KernelWidth width, int channels = 4, string latentFormat = "SD15")
    {
        var tensors = TestWeights.Random(NetworkArchitectures.ApproxNn, 11, ("conv1.weight", [8, channels, 7, 7]), ("conv8.weight", [3, 8, 3, 3]));
        using NetworkTensors open = NetworkTensors.Open(_weights.Write("approx.safetensors", tensors, latentFormat), "approx-nn");
        return new(open, width);
    }

    static float WorstDifference(ApproxNnDecoder decoder, Golden golden)
    {
        var picture = new float[golden.Picture.Length];
        decoder.DecodeUnclamped(golden.Planes, picture);
        return picture.Zip(golden.Picture, (a, b) => MathF.Abs(a - b)).Max();
    }

    [Theory]
    [MemberData(nameof(Widths))]
    [Trait("Category", "Kernels")]
    public void A_network_of_seeded_numbers_gives_what_torch_gives(KernelWidth width)
    {
        using ApproxNnDecoder four = RandomDecoder(width);
        Assert.InRange(WorstDifference(four, Golden.Committed("approx-nn-4")), 0, Tolerance);
        using ApproxNnDecoder sixteen = RandomDecoder(width, 16, "SD3");
        Assert.InRange(WorstDifference(sixteen, Golden.Committed("approx-nn-16")), 0, Tolerance);
    }

    [Theory]
    [InlineData("golden_taesd", "vaeapprox_model.pt")]
    [InlineData("golden_taesdxl", "vaeapprox-sdxl.pt")]
    [InlineData("golden_taesd3", "vaeapprox-sd3.pt")]
    public void The_published_weights_give_what_torch_gives(string golden, string file)
    {
        using NetworkTensors tensors = NetworkTensors.Open(TestData.Require("models", file), "approx-nn");
        foreach (KernelWidth width in Kernel.Supported)
        {
            using var decoder = new ApproxNnDecoder(tensors, width);
            Assert.InRange(WorstDifference(decoder, Golden.OfTestData(golden, "vaeapprox_pm1")), 0, Tolerance);
        }
    }

    [Fact]
    public void Padding_each_layer_instead_of_once_would_be_seen()
    {
        // The border's pixels must be far from what "same" padding gives, or the goldens would not tell the two apart.
        Golden golden = Golden.Committed("approx-nn-4");
        var tensors = TestWeights.Random(NetworkArchitectures.ApproxNn, 11, ("conv1.weight", [8, 4, 7, 7]), ("conv8.weight", [3, 8, 3, 3]));

        float[] once = Reference(tensors, golden, padOnce: true);
        float[] each = Reference(tensors, golden, padOnce: false);

        Assert.InRange(once.Zip(golden.Picture, (a, b) => MathF.Abs(a - b)).Max(), 0, Tolerance);
        Assert.InRange(each.Zip(golden.Picture, (a, b) => MathF.Abs(a - b)).Max(), 100 * Tolerance, float.MaxValue);
    }

    [Theory]
    [MemberData(nameof(Widths))]
    [Trait("Category", "Kernels")]
    public void Every_size_gives_the_bytes_of_the_reference(KernelWidth width)
    {
        using ApproxNnDecoder reference = RandomDecoder(KernelWidth.Scalar);
        using ApproxNnDecoder decoder = RandomDecoder(width);
        foreach ((int height, int columns) in ((int, int)[])[(1, 1), (1, 9), (9, 1), (2, 3), (3, 8), (5, 16), (4, 17), (2, 31), (3, 33), (2, 70)])
        {
            uint state = 5;
            float[] latent = [.. Enumerable.Range(0, 4 * height * columns).Select(_ => 2 * TestWeights.Next(ref state))];
            var expected = new byte[3 * 4 * height * columns];
            var actual = new byte[expected.Length];
            reference.Decode(new(latent, 4, height, columns), expected, 1, CancellationToken.None);
            decoder.Decode(new(latent, 4, height, columns), actual, 1, CancellationToken.None);
            Assert.All(expected.Zip(actual), pair => Assert.InRange(Math.Abs(pair.First - pair.Second), 0, 1));
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(7)]
    public void Threads_change_no_byte(int threads)
    {
        using ApproxNnDecoder decoder = RandomDecoder(Kernel.Width);
        uint state = 5;
        float[] latent = [.. Enumerable.Range(0, 4 * 150 * 5).Select(_ => 2 * TestWeights.Next(ref state))];
        var one = new byte[3 * 4 * 150 * 5];
        var many = new byte[one.Length];
        decoder.Decode(new(latent, 4, 150, 5), one, 1, CancellationToken.None);
        decoder.Decode(new(latent, 4, 150, 5), many, threads, CancellationToken.None);
        Assert.Equal(one, many);
    }

    [Fact]
    public void A_decode_after_the_first_allocates_nothing()
    {
        using ApproxNnDecoder decoder = RandomDecoder(Kernel.Width);
        var latent = new float[4 * 8 * 8];
        var picture = new byte[3 * 16 * 16];
        Assert.Equal(0, Allocated.By(() => decoder.Decode(new(latent, 4, 8, 8), picture, 1, CancellationToken.None)));
    }

    [Fact]
    public void A_cancelled_decode_stops_and_the_next_is_right()
    {
        using ApproxNnDecoder decoder = RandomDecoder(Kernel.Width);
        var latent = new float[4 * 6 * 6];
        latent[40] = 1;
        var first = new byte[3 * 12 * 12];
        var second = new byte[3 * 12 * 12];
        decoder.Decode(new(latent, 4, 6, 6), first, 1, CancellationToken.None);
        Assert.Throws<OperationCanceledException>(() => decoder.Decode(new(latent, 4, 6, 6), second, 2, new CancellationToken(true)));
        decoder.Decode(new(latent, 4, 6, 6), second, 1, CancellationToken.None);
        Assert.Equal(first, second);
    }

    [Fact]
    public void It_says_what_it_costs()
    {
        using ApproxNnDecoder decoder = RandomDecoder(Kernel.Width);
        Assert.Equal(("approx-nn", 2, 4L * (52395 - 179)), (decoder.Description.Id, decoder.Description.PixelsPerCell, decoder.Description.MultiplyAddsPerCell));
        Assert.InRange(decoder.WorkingBytes(128, 128), 200_000, 1_000_000);
        Assert.Equal(decoder.WorkingBytes(128, 128), decoder.WorkingBytes(4096, 128));
    }

    /// <summary>The network, one number at a time in double; either framed by 11 zeros once, or by each layer for itself.</summary>
    static float[] Reference(List<(string Name, long[] Dimensions, float[] Values)> tensors, Golden golden, bool padOnce)
    {
        int frame = padOnce ? 11 : 0;
        (int h, int w) = (2 * golden.Height + 2 * frame, 2 * golden.Width + 2 * frame);
        var x = new double[golden.Channels, h, w];
        for (int c = 0; c < golden.Channels; c++)
        {
            for (int i = frame; i < h - frame; i++)
            {
                for (int j = frame; j < w - frame; j++)
                {
                    x[c, i, j] = golden.Planes.Plane(c)[(i - frame) / 2 * golden.Width + (j - frame) / 2];
                }
            }
        }

        for (int layer = 0; layer < 8; layer++)
        {
            (_, long[] shape, float[] weights) = tensors[2 * layer];
            (int outputs, int inputs, int k) = ((int)shape[0], (int)shape[1], (int)shape[2]);
            int shift = padOnce ? 0 : k / 2;
            (int oh, int ow) = padOnce ? (x.GetLength(1) - k + 1, x.GetLength(2) - k + 1) : (x.GetLength(1), x.GetLength(2));
            var y = new double[outputs, oh, ow];
            for (int o = 0; o < outputs; o++)
            {
                for (int i = 0; i < oh; i++)
                {
                    for (int j = 0; j < ow; j++)
                    {
                        double sum = tensors[2 * layer + 1].Values[o];
                        for (int t = 0; t < inputs * k * k; t++)
                        {
                            (int row, int column) = (i + t / k % k - shift, j + t % k - shift);
                            if (row >= 0 && column >= 0 && row < x.GetLength(1) && column < x.GetLength(2))
                            {
                                sum += weights[o * inputs * k * k + t] * x[t / (k * k), row, column];
                            }
                        }

                        y[o, i, j] = Math.Max(sum, 0.1 * sum);
                    }
                }
            }

            x = y;
        }

        return [.. x.Cast<double>().Select(value => (float)value)];
    }
}
