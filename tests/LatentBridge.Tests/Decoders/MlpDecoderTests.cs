using LatentBridge.Decoders;
using LatentBridge.Decoders.Mlp;
using LatentBridge.Simd;
using LatentBridge.Testing;
using LatentBridge.Tests.Simd;
using LatentBridge.Tests.Weights;
using LatentBridge.Weights;

namespace LatentBridge.Tests.Decoders;

public sealed class MlpDecoderTests : IDisposable
{
    /// <summary>How near to a rounding boundary, in bytes, either neighbour is right.</summary>
    const double RoundingTolerance = 2e-3;

    readonly TestWeights _weights = new();

    public static TheoryData<KernelWidth> Widths => KernelTests.Widths;

    public void Dispose() => _weights.Dispose();

    MlpDecoder RandomDecoder(KernelWidth width, params int[] hidden)
    {
        var shapes = hidden.Select((h, i) => i == 0 ? ("in_proj.weight", new long[] { h, 4 }) : ($"hidden_layers.{i - 1}.weight", [h, h])).Append(("out_proj.weight", [3, hidden[0]]));
        using NetworkTensors open = LatentDecoders.Networks.Open(_weights.Write("random.safetensors", TestWeights.Random(MlpDecoder.Architecture, 12, [.. shapes])), "mlp-decoder");
        return new(open, width);
    }

    static void AssertGolden(MlpDecoder decoder, Golden golden, bool channelsLast = false)
    {
        int cells = golden.Height * golden.Width;
        var picture = new byte[3 * cells];
        decoder.Decode(golden.Planes, picture, 1, CancellationToken.None);
        for (int i = 0; i < picture.Length; i++)
        {
            Golden.AssertByte(golden.Picture[channelsLast ? i : i % 3 * cells + i / 3], picture[i], RoundingTolerance);
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    [Trait("Category", "Kernels")]
    public void Networks_of_seeded_numbers_give_what_torch_gives(KernelWidth width)
    {
        using MlpDecoder two = RandomDecoder(width, 12, 12);
        AssertGolden(two, Golden.Committed("mlp-12-12"));
        using MlpDecoder three = RandomDecoder(width, 10, 10, 10);
        AssertGolden(three, Golden.Committed("mlp-10-10-10"));
    }

    [Theory]
    [InlineData("sd1.4")]
    [InlineData("sd1.5")]
    [InlineData("wd1.3")]
    [InlineData("wd1.4")]
    [InlineData("wd1.5")]
    public void The_published_weights_give_what_torch_gives(string name)
    {
        using NetworkTensors tensors = LatentDecoders.Networks.Open(TestData.Require("models", "birch_approx_vae", $"decoder_{name}.pt"), "mlp-decoder");
        foreach (KernelWidth width in Kernel.Supported)
        {
            using var decoder = new MlpDecoder(tensors, width);
            Assert.Equal(($"mlp:decoder_{name}", 1, 4 * 12 + 12 * 12 + 12 * 3L), (decoder.Description.Id, decoder.Description.PixelsPerCell, decoder.Description.MultiplyAddsPerCell));
            AssertGolden(decoder, Golden.OfTestData("golden_taesd", $"birch_{name}_pm1_nhwc"), channelsLast: true);
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    [Trait("Category", "Kernels")]
    public void Every_number_of_cells_and_any_hidden_width_give_the_references_bytes(KernelWidth width)
    {
        foreach (int hidden in (int[])[1, 3, 4, 7, 16, 33])
        {
            using MlpDecoder reference = RandomDecoder(KernelWidth.Scalar, hidden, hidden);
            using MlpDecoder decoder = RandomDecoder(width, hidden, hidden);
            for (int cells = 1; cells <= 70; cells++)
            {
                uint state = (uint)cells;
                float[] latent = [.. Enumerable.Range(0, 4 * cells).Select(_ => 4 * TestWeights.Next(ref state))];
                var expected = new byte[3 * cells];
                var actual = new byte[3 * cells];
                reference.Decode(new(latent, 4, 1, cells), expected, 1, CancellationToken.None);
                decoder.Decode(new(latent, 4, 1, cells), actual, 1, CancellationToken.None);
                Assert.Equal(expected, actual);
            }
        }
    }

    [Fact]
    public void A_decode_allocates_nothing_and_stops_when_cancelled()
    {
        using MlpDecoder decoder = RandomDecoder(Kernel.Width, 12, 12);
        var latent = new float[4 * 64];
        var picture = new byte[3 * 64];
        Assert.Equal(0, Allocated.By(() => decoder.Decode(new(latent, 4, 8, 8), picture, 1, CancellationToken.None)));
        Assert.Throws<OperationCanceledException>(() => decoder.Decode(new(latent, 4, 8, 8), picture, 1, new CancellationToken(true)));
    }

    [Theory]
    [MemberData(nameof(Widths))]
    [Trait("Category", "Kernels")]
    public void Exp_is_within_its_stated_error(KernelWidth width)
    {
        double worst = 0;
        for (double x = -87; x <= 87; x += 1 / 1024.0)
        {
            float argument = (float)x;
            float actual = width switch
            {
                KernelWidth.Vector512 => VectorMath.Exp<Lanes512, System.Runtime.Intrinsics.Vector512<float>>(Lanes512.Broadcast(argument))[7],
                KernelWidth.Vector256 => VectorMath.Exp<Lanes256, System.Runtime.Intrinsics.Vector256<float>>(Lanes256.Broadcast(argument))[7],
                KernelWidth.Vector128 => VectorMath.Exp<Lanes128, System.Runtime.Intrinsics.Vector128<float>>(Lanes128.Broadcast(argument))[3],
                _ => VectorMath.Exp<LanesScalar, float>(argument),
            };
            worst = Math.Max(worst, Math.Abs(actual / Math.Exp(argument) - 1));
        }

        Assert.InRange(worst, 0, 3e-7);
        Assert.Equal(0, VectorMath.Silu<LanesScalar, float>(-1e6f), 1e-30f);
        Assert.Equal(1e6f, VectorMath.Silu<LanesScalar, float>(1e6f));
    }

    [Theory]
    [MemberData(nameof(Widths))]
    [Trait("Category", "Kernels")]
    public void Tanh_is_within_its_stated_error(KernelWidth width)
    {
        double worst = 0;
        for (double x = -100; x <= 100; x += x is > -8 and < 8 ? 1 / 1024.0 : 1)
        {
            float argument = (float)x;
            float actual = width switch
            {
                KernelWidth.Vector512 => VectorMath.Tanh<Lanes512, System.Runtime.Intrinsics.Vector512<float>>(Lanes512.Broadcast(argument))[7],
                KernelWidth.Vector256 => VectorMath.Tanh<Lanes256, System.Runtime.Intrinsics.Vector256<float>>(Lanes256.Broadcast(argument))[7],
                KernelWidth.Vector128 => VectorMath.Tanh<Lanes128, System.Runtime.Intrinsics.Vector128<float>>(Lanes128.Broadcast(argument))[3],
                _ => VectorMath.Tanh<LanesScalar, float>(argument),
            };
            worst = Math.Max(worst, Math.Abs(actual - Math.Tanh(argument)));
        }

        Assert.InRange(worst, 0, 2e-7);
    }
}
