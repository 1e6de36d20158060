using LatentBridge.Formats;
using LatentBridge.Imaging.Png;
using LatentBridge.Latents;
using LatentBridge.Previews;

namespace LatentBridge.Tests.Previews;

public sealed class LatentPreviewTests
{
    static readonly string Example = Path.Combine(TestData.RepositoryRoot, "examples", "latents", "SD15_kodim23.safetensors");

    [Fact]
    public void A_file_becomes_a_picture_in_one_statement()
    {
        LatentPreview preview = LatentPreview.Decode(Example);

        Assert.Equal(("SD15", 3 * preview.Width * preview.Height), (preview.FormatId, preview.Rgb.Length));
        PngImage png = PngReader.Read(preview.ToPng());
        Assert.Equal((preview.Width, preview.Height), (png.Width, png.Height));
        Assert.True(preview.Rgb.SequenceEqual(png.Pixels));
    }

    [Fact]
    public void The_options_are_obeyed()
    {
        LatentPreview preview = LatentPreview.Decode(Example, new() { Decoder = "LATENT2RGB", Size = 48 });

        Assert.Equal(("latent2rgb", 48), (preview.DecoderId, Math.Max(preview.Width, preview.Height)));
    }

    [Fact]
    public void A_step_in_F32_and_in_F16_gives_the_picture_of_its_file()
    {
        using LatentPreviewer previewer = new("sd15", new() { Decoder = "latent2rgb" });
        float[] step = [.. Enumerable.Range(0, 4 * 6 * 5).Select(i => (i % 17 - 8) / 4f)];
        Half[] half = [.. step.Select(value => (Half)value)];

        byte[] png = previewer.ToPng(step, height: 6, width: 5);

        Assert.Equal(png, previewer.ToPng(half, height: 6, width: 5));
        Assert.Equal((5, 6), (PngReader.Read(png).Width, PngReader.Read(png).Height));
    }

    [Fact]
    public void Whatever_does_not_fit_is_named()
    {
        using LatentPreviewer previewer = new("SD15", new() { Decoder = "latent2rgb" });

        Assert.Contains("4 x 64 x 64 = 16384", Assert.Throws<LatentBridgeException>(() => previewer.ToPng(new float[5], 64, 64)).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => previewer.ToPng(new float[5], 0, 64));
        Assert.Contains("\"SD16\"", Assert.Throws<LatentBridgeException>(() => new LatentPreviewer("SD16")).Message);
        Assert.Contains("latent2rgb", Assert.Throws<LatentBridgeException>(() => new LatentPreviewer("SD15", new() { Decoder = "nope" })).Message);
    }
}
