using LatentBridge.Decoders;
using LatentBridge.Decoders.Taesd;
using LatentBridge.Decoders.Tiny;
using LatentBridge.Simd;
using LatentBridge.Tests.Simd;
using LatentBridge.Tests.Weights;
using LatentBridge.Weights;

namespace LatentBridge.Tests.Decoders;

public sealed class NetworkDecoderTests : IDisposable
{
    /// <summary>How far sums in another order, Winograd's among them, may be apart, in 0..1.</summary>
    const float Tolerance = 5e-5f;

    readonly TestWeights _weights = new();

    public static TheoryData<KernelWidth> Widths => KernelTests.Widths;

    public void Dispose() => _weights.Dispose();

    [Theory]
    [MemberData(nameof(Widths))]
    [Trait("Category", "Kernels")]
    public void Networks_of_seeded_numbers_give_what_torch_gives(KernelWidth width)
    {
        AssertDecodes("tiny-4", TinyDecoder.Architecture, 21, t => new TinyDecoder(t, width), ("conv_in.weight", [64, 4, 3, 3]), ("conv_out.weight", [48, 64, 3, 3]));
        AssertDecodes("tiny-32", TinyDecoder.Architecture, 21, t => new TinyDecoder(t, width), ("conv_in.weight", [64, 32, 3, 3]), ("conv_out.weight", [48, 64, 3, 3]));
        AssertDecodes("taesd-4", TaesdNetworks.DecoderArchitecture, 22, t => new TaesdDecoder(t, false, width), Taesd(4));
        AssertDecodes("taesd-16", TaesdNetworks.DecoderArchitecture, 22, t => new TaesdDecoder(t, false, width), Taesd(16));
        AssertDecodes("taesd-half-4", TaesdNetworks.DecoderArchitecture, 22, t => new TaesdDecoder(t, true, width), Taesd(4));
        AssertDecodes("taesd-groupnorm-32", TaesdNetworks.DecoderArchitecture, 22, t => new TaesdDecoder(t, false, width), [.. Taesd(32), ("3.pool.0.weight", [256, 64, 1, 1])]);
        AssertDecodes("taesana-decoder-32", TaesdNetworks.SanaDecoderArchitecture, 23, t => new TaesdDecoder(t, false, width), ("1.weight", [256, 32, 3, 3]), ("29.weight", [3, 64, 3, 3]));
    }

    [Theory]
    [MemberData(nameof(Widths))]
    [Trait("Category", "Kernels")]
    public void Encoders_of_seeded_numbers_give_what_torch_gives(KernelWidth width)
    {
        AssertEncodes("taesd-encoder-4", TaesdNetworks.EncoderArchitecture, 24, width, 53, 39, ("0.weight", [64, 3, 3, 3]), ("14.weight", [4, 64, 3, 3]));
        AssertEncodes("taesd-encoder-groupnorm-32", TaesdNetworks.EncoderArchitecture, 24, width, 37, 61, ("0.weight", [64, 3, 3, 3]), ("14.weight", [32, 64, 3, 3]), ("11.pool.0.weight", [256, 64, 1, 1]));
        AssertEncodes("taesana-encoder-32", TaesdNetworks.SanaEncoderArchitecture, 25, width, 65, 97, ("0.weight", [32, 3, 3, 3]), ("17.weight", [32, 64, 3, 3]));
    }

    [Theory]
    [InlineData("sd1")]
    [InlineData("sdxl")]
    [InlineData("sd3")]
    [InlineData("flux1")]
    [InlineData("flux2")]
    public void Tiny_gives_what_torch_gives(string name)
    {
        string weights = Path.Combine(TestData.RepositoryRoot, "models", "tiny", $"tiny-{name}.safetensors");
        using NetworkTensors tensors = LatentDecoders.Networks.Open(weights, "latentbridge-tiny");
        Golden golden = Golden.OfTestData($"golden_tiny_{name}", "tiny01_unclamped");
        foreach (KernelWidth width in Kernel.Supported)
        {
            using var decoder = new TinyDecoder(tensors, width);
            AssertGives(golden, decoder);
        }
    }

    [Theory]
    [InlineData("taesd", "taesd_decoder.safetensors")]
    [InlineData("taesdxl", "taesdxl_decoder.safetensors")]
    [InlineData("taesd3", "taesd3_decoder.safetensors")]
    [InlineData("taef1", "taef1_decoder.safetensors")]
    [InlineData("taef2", "taef2_decoder.pth")]
    public void Taesd_gives_what_torch_gives(string name, string file)
    {
        using NetworkTensors tensors = LatentDecoders.Networks.Open(TestData.Require("models", file), "taesd-decoder");
        Golden golden = Golden.OfTestData($"golden_{name}", "decoded01_unclamped");
        // The scalar reference takes seconds a picture: one of the family is enough.
        foreach (KernelWidth width in Kernel.Supported.Where(width => width != KernelWidth.Scalar || name == "taesd"))
        {
            using var decoder = new TaesdDecoder(tensors, half: false, width);
            AssertGives(golden, decoder);
        }
    }

    static (string Name, long[] Dimensions)[] Taesd(long channels) => [("1.weight", [64, channels, 3, 3]), ("19.weight", [3, 64, 3, 3])];

    void AssertDecodes(string golden, NetworkArchitecture architecture, int seed, Func<NetworkTensors, NetworkDecoder> make, params (string Name, long[] Dimensions)[] given)
    {
        using NetworkTensors tensors = Open(architecture, seed, given);
        using NetworkDecoder decoder = make(tensors);
        AssertGives(Golden.Committed(golden), decoder);
    }

    void AssertEncodes(string name, NetworkArchitecture architecture, int seed, KernelWidth kernel, int height, int width, params (string Name, long[] Dimensions)[] given)
    {
        Golden golden = Golden.Committed(name);
        using NetworkTensors tensors = Open(architecture, seed, given);
        using var encoder = new TaesdEncoder(tensors, kernel);
        Assert.Equal((golden.Width, golden.Height), encoder.LatentSize(width, height));
        float[] latent = new float[golden.Latent.Length];
        encoder.Encode(golden.Picture, width, height, latent);
        Assert.InRange(latent.Zip(golden.Latent, (a, b) => MathF.Abs(a - b)).Max(), 0, Tolerance);
    }

    NetworkTensors Open(NetworkArchitecture architecture, int seed, (string Name, long[] Dimensions)[] given) =>
        LatentDecoders.Networks.Open(_weights.Write("network.safetensors", TestWeights.Random(architecture, seed, given), "SD15"), architecture.Id);

    static void AssertGives(Golden golden, NetworkDecoder decoder)
    {
        float[] picture = new float[golden.Picture.Length];
        decoder.DecodeUnclamped(golden.Planes, picture, threads: 2, TestContext.Current.CancellationToken);
        Assert.InRange(picture.Zip(golden.Picture, (a, b) => MathF.Abs(a - b)).Max(), 0, Tolerance);

        byte[] bytes = new byte[picture.Length];
        decoder.Decode(golden.Planes, bytes, threads: 1, TestContext.Current.CancellationToken);
        int plane = bytes.Length / 3;
        for (int i = 0; i < bytes.Length; i++)
        {
            Golden.AssertByte((2 * golden.Picture[((i % 3) * plane) + (i / 3)]) - 1, bytes[i], 255 * Tolerance);
        }
    }
}
