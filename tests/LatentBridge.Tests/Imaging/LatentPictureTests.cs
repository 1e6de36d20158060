using LatentBridge.Imaging;
using LatentBridge.Imaging.Png;
using LatentBridge.Latents;

namespace LatentBridge.Tests.Imaging;

public sealed class LatentPictureTests
{
    const float HalfStep = 3f / 255;

    [Theory]
    [InlineData(4, 5, 9)]
    [InlineData(16, 1, 1)]
    [InlineData(32, 7, 3)]
    [InlineData(5, 4, 6)]
    public void A_latent_comes_back_within_half_a_step_and_cut_at_three(int channels, int height, int width)
    {
        Random random = new(channels);
        float[] values = [.. Enumerable.Range(0, channels * height * width).Select(_ => (float)((random.NextDouble() * 8) - 4))];
        byte[] png = LatentPicture.Write(new LatentPlanes(values, channels, height, width), "SDXL");
        (string formatId, long[] axes, float[] back) = LatentPicture.Read(png);
        Assert.Equal("SDXL", formatId);
        Assert.Equal([1, channels, height, width], axes);
        for (int i = 0; i < values.Length; i++)
        {
            Assert.InRange(back[i], Math.Clamp(values[i], -3, 3) - HalfStep - 1e-5f, Math.Clamp(values[i], -3, 3) + HalfStep + 1e-5f);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(5)]
    [InlineData(7)]
    public void Fewer_bits_are_fewer_levels_and_a_shorter_file(int bits)
    {
        Random random = new(bits);
        float[] values = [.. Enumerable.Range(0, 4 * 64 * 64).Select(_ => (float)((random.NextDouble() * 6) - 3))];
        LatentPlanes latent = new(values, 4, 64, 64);
        byte[] png = LatentPicture.Write(latent, "SDXL", bits);
        float[] back = LatentPicture.Read(png).Values;
        Assert.Equal(1 << bits, back.Distinct().Count());
        Assert.InRange(png.Length, 0, LatentPicture.Write(latent, "SDXL", bits + 1).Length - 1);

        // Half a level, and half a byte's step.
        float halfLevel = 3f / ((1 << bits) - 1);
        Assert.All(values.Zip(back), pair => Assert.InRange(MathF.Abs(pair.First - pair.Second), 0, halfLevel + HalfStep + 1e-5f));
        Assert.Throws<ArgumentOutOfRangeException>(() => LatentPicture.Write(new LatentPlanes(new float[4], 4, 1, 1), "SDXL", 0));
    }

    [Fact]
    public void An_ordinary_picture_is_refused_with_what_to_do()
    {
        byte[] buffer = new byte[PngEncoder.MaximumLength(4, 4, 3)];
        PngEncoder encoder = new();
        int length = encoder.Encode(new byte[48], 4, 4, 3, buffer);
        LatentBridgeException refusal = Assert.Throws<LatentBridgeException>(() => LatentPicture.Read(buffer.AsSpan(0, length)));
        Assert.Contains("encode PICTURE --as png", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_damaged_picture_is_refused()
    {
        byte[] png = LatentPicture.Write(new LatentPlanes(new float[16], 4, 2, 2), "SD15");
        for (int length = 0; length < png.Length; length++)
        {
            byte[] cut = png[..length];
            Assert.Throws<LatentBridgeException>(() => LatentPicture.Read(cut));
        }
    }
}
