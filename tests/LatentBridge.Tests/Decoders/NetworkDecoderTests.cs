using LatentBridge.Decoders;
using LatentBridge.Decoders.Taesd;
using LatentBridge.Decoders.Tiny;
using LatentBridge.Tensors;
using LatentBridge.Tests.Tensors;
using LatentBridge.Weights;

namespace LatentBridge.Tests.Decoders;

public class NetworkDecoderTests
{
    /// <summary>How far sums in another order, Winograd's among them, may be apart, in 0..1.</summary>
    const float Tolerance = 5e-5f;

    public static TheoryData<KernelWidth> Widths => KernelTests.Widths;

    [Theory]
    [InlineData("sd1")]
    [InlineData("sdxl")]
    [InlineData("sd3")]
    [InlineData("flux1")]
    [InlineData("flux2")]
    public void Tiny_gives_what_torch_gives(string name)
    {
        string weights = Path.Combine(TestData.RepositoryRoot, "models", "tiny", $"tiny-{name}.safetensors");
        using NetworkTensors tensors = NetworkTensors.Open(weights, "latentbridge-tiny");
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
        using NetworkTensors tensors = NetworkTensors.Open(TestData.Require("models", file), "taesd-decoder");
        Golden golden = Golden.OfTestData($"golden_{name}", "decoded01_unclamped");
        foreach (KernelWidth width in Kernel.Supported)
        {
            using var decoder = new TaesdDecoder(tensors, half: false, width);
            AssertGives(golden, decoder);
        }
    }

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
