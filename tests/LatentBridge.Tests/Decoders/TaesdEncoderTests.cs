using LatentBridge.Decoders;
using LatentBridge.Decoders.Taesd;
using LatentBridge.Weights;

namespace LatentBridge.Tests.Decoders;

public sealed class TaesdEncoderTests
{
    /// <summary>How far a latent may be from torch's: Winograd and the order of sums differ.</summary>
    const float Tolerance = 3e-4f;

    [Theory]
    [InlineData("taesd", "taesd_encoder.safetensors")]
    [InlineData("taesdxl", "taesdxl_encoder.safetensors")]
    [InlineData("taesd3", "taesd3_encoder.safetensors")]
    [InlineData("taef1", "taef1_encoder.safetensors")]
    [InlineData("taef2", "taef2_encoder.pth")]
    public void The_published_weights_give_what_torch_gives(string name, string file)
    {
        Golden golden = Golden.OfTestData("golden_" + name, "image01");
        using NetworkTensors weights = LatentDecoders.Networks.Open(TestData.Require("models", file), TaesdEncoder.Architecture);
        using var encoder = new TaesdEncoder(weights);
        Assert.Equal((golden.Width, golden.Height), encoder.LatentSize(8 * golden.Width, 8 * golden.Height));

        var latent = new float[golden.Latent.Length];
        encoder.Encode(golden.Picture, 8 * golden.Width, 8 * golden.Height, latent);

        Assert.InRange(latent.Zip(golden.Latent, (a, b) => MathF.Abs(a - b)).Max(), 0, Tolerance);
    }

    [Fact]
    public void Bytes_and_floats_give_the_same_latent_at_odd_sizes_too()
    {
        using NetworkTensors weights = LatentDecoders.Networks.Open(TestData.Require("models", "taesd_encoder.safetensors"), TaesdEncoder.Architecture);
        using var encoder = new TaesdEncoder(weights);
        foreach ((int width, int height) in ((int, int)[])[(1, 1), (8, 17), (23, 9)])
        {
            var pixels = new byte[3 * width * height];
            new Random(width).NextBytes(pixels);
            float[] planes = [.. Enumerable.Range(0, 3).SelectMany(c => Enumerable.Range(0, width * height).Select(i => pixels[(3 * i) + c] / 255f))];
            (int w, int h) = encoder.LatentSize(width, height);
            var fromBytes = new float[4 * w * h];
            var fromFloats = new float[4 * w * h];

            encoder.Encode(pixels, width, height, fromBytes, 2, CancellationToken.None);
            encoder.Encode(planes, width, height, fromFloats);

            Assert.Equal(fromFloats, fromBytes);
        }
    }

    [Fact]
    public void Lengths_that_do_not_fit_are_named_and_a_cancelled_encode_stops()
    {
        using NetworkTensors weights = LatentDecoders.Networks.Open(TestData.Require("models", "taesd_encoder.safetensors"), TaesdEncoder.Architecture);
        using var encoder = new TaesdEncoder(weights);
        Assert.Contains("192", Assert.Throws<ArgumentException>(() => encoder.Encode(new byte[5], 8, 8, new float[4], 1, CancellationToken.None)).Message, StringComparison.Ordinal);
        Assert.Contains("4 planes", Assert.Throws<ArgumentException>(() => encoder.Encode(new byte[192], 8, 8, new float[5], 1, CancellationToken.None)).Message, StringComparison.Ordinal);
        Assert.Throws<OperationCanceledException>(() => encoder.Encode(new byte[192], 8, 8, new float[4], 1, new CancellationToken(true)));
    }
}
