using LatentBridge.Host.Sheets;

namespace LatentBridge.Host.Tests.Commands;

public sealed class EncodeCommandTests : IDisposable
{
    readonly CommandRun _run = new();

    public void Dispose() => _run.Dispose();

    [Fact]
    public void A_JPEG_named_as_a_PNG_is_read_as_what_it_is()
    {
        Assert.Equal(ExitCode.Done, _run.Run("decode", CommandRun.Example("SD15_kodim23"), "-o", _run.Folder, "-d", "latent2rgb", "--encode", "jpeg"));
        string named = Path.Combine(_run.Folder, "named.png");
        File.Move(Assert.Single(Directory.GetFiles(_run.Folder, "*.jp*g")), named);
        Assert.True(ExitCode.Done == _run.Run("encode", named, "--models", CommandRun.TestData("models"), "-o", _run.Folder), _run.Error);
        Assert.Single(Directory.GetFiles(_run.Folder, "named.*.safetensors"));
    }

    [Fact]
    public void What_is_no_picture_is_named_and_the_others_become_latents()
    {
        string text = Path.Combine(_run.Folder, "text.png");
        File.WriteAllText(text, "text");
        Assert.Equal(ExitCode.Usage, _run.Run("encode", _run.Folder, text, WritePng("picture.png", 24, 13), "--models", CommandRun.TestData("models"), "-o", _run.Folder));
        Assert.Contains($"Access to the path '{_run.Folder}' is denied", _run.Error, StringComparison.Ordinal);
        Assert.Contains($"\"{text}\": Not a picture", _run.Error, StringComparison.Ordinal);
        Assert.Contains("[1, 4, 2, 3] of 24 x 13 pixels, its edge repeated up to 24 x 16", _run.Error, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Done, _run.Run("decode", Path.Combine(_run.Folder, "picture.SDXL.safetensors"), "-o", _run.Folder, "-d", "latent2rgb"));
    }

    [Fact]
    public void Two_pictures_of_one_name_do_not_overwrite_each_others_latent()
    {
        Directory.CreateDirectory(Path.Combine(_run.Folder, "other"));
        Assert.Equal(
            ExitCode.Failed,
            _run.Run("encode", WritePng("a.png", 16, 16), WritePng(Path.Combine("other", "a.png"), 32, 32), "--models", CommandRun.TestData("models"), "-o", _run.Folder));
        Assert.Contains("was just written from", _run.Error, StringComparison.Ordinal);
        Assert.Contains("of 16 x 16 pixels", _run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_an_encoder_it_says_what_to_do()
    {
        Assert.Equal(ExitCode.Usage, _run.Run("encode", WritePng("a.png", 16, 16), "-f", "Wan21"));
        Assert.Contains("No TAESD encoder for Wan21 was found among the weights. Put it into a folder and name the folder with --models", _run.Error, StringComparison.Ordinal);
    }

    string WritePng(string name, int width, int height)
    {
        string path = Path.Combine(_run.Folder, name);
        File.WriteAllBytes(path, Canvas.ToPng(new(new byte[3 * width * height], width, height)));
        return path;
    }
}
