using System.Text.Json;

namespace LatentBridge.Host.Tests.Commands;

public sealed class QualityCommandTests : IDisposable
{
    readonly CommandRun _run = new();

    public void Dispose() => _run.Dispose();

    [Theory]
    [InlineData("SD15")]
    [InlineData("Flux")]
    public void The_default_decoder_is_well_above_the_linear_map_of_uis(string format)
    {
        int exitCode = _run.Run("quality", _run.Photograph("kodim04", 256, 256), "--format", format, "--models", CommandRun.TestData("models"), "--json", "--without-cost");

        Assert.Equal((ExitCode.Done, ""), (exitCode, _run.Error));
        using JsonDocument rows = JsonDocument.Parse(_run.Output);
        Assert.InRange(Row("tiny", 8).GetProperty("psnr").GetDouble(), Row("latent2rgb:comfyui", 8).GetProperty("psnr").GetDouble() + 10, 60);
        Assert.InRange(Row("tiny", 8).GetProperty("ssim").GetDouble(), Row("latent2rgb:comfyui", 8).GetProperty("ssim").GetDouble(), 1);
        Assert.InRange(Row("tiny", 8).GetProperty("ciede2000").GetDouble(), 0, Row("latent2rgb:comfyui", 8).GetProperty("ciede2000").GetDouble());
        Assert.InRange(Row("taesd-half", 2).GetProperty("psnr").GetDouble(), 28, 60);

        JsonElement Row(string decoder, int divisor) => Assert.Single(
            rows.RootElement.EnumerateArray(), row => row.GetProperty("decoder").GetString() == decoder && row.GetProperty("divisor").GetInt32() == divisor);
    }

    [Fact]
    public void A_sheet_shows_the_decoders_asked_for_and_the_table_can_be_markdown()
    {
        string sheet = Path.Combine(_run.Folder, "sheet.png");
        string[] command = ["quality", _run.Photograph("kodim23", 192, 128), "-f", "SDXL", "-d", "latent2rgb:comfyui,mlp", "--models", CommandRun.TestData("models"), "--sheet", sheet, "--crop", "64", "--markdown", "--without-cost"];
        Assert.Equal((ExitCode.Done, ""), (_run.Run([.. command, "--show", "latent2rgb:comfyui", "mlp", "taesd"]), _run.Error));
        Assert.True(CommandRun.PngSize(sheet).Width >= (3 * 64) + (2 * 12) + 40);
        string[] lines = _run.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.StartsWith("| format | decoder |", lines[0], StringComparison.Ordinal);
        Assert.Equal(["latent2rgb:comfyui", "mlp", "taesd"], lines[2..].Select(line => line.Split('|')[2].Trim()));

        Assert.Equal(ExitCode.Failed, _run.Run([.. command, "--show", "tiny"]));
        Assert.Contains("no decoder tiny", _run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void An_unknown_decoder_is_an_error_that_names_the_known_ones()
    {
        Assert.Equal(ExitCode.Usage, _run.Run("quality", _run.Photograph("kodim23", 64, 64), "-f", "SDXL", "-d", "mlp,fly", "--models", CommandRun.TestData("models")));
        Assert.Contains("There is no decoder \"fly\" for SDXL. Available: latent2rgb", _run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_taesd_it_says_what_is_missing()
    {
        // No picture is read before it is known that there is something to compare with.
        File.WriteAllBytes(Path.Combine(_run.Folder, "a.png"), []);
        Assert.Equal(ExitCode.Usage, _run.Run("quality", _run.Folder, "--format", "Wan21"));
        Assert.Contains("Wan21: left out, because no TAESD decoder and encoder", _run.Error, StringComparison.Ordinal);
        Assert.Contains("--models", _run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_not_there_is_named()
    {
        Assert.Equal(ExitCode.Usage, _run.Run("quality", "/no/such/folder"));
        Assert.Contains("/no/such/folder", _run.Error, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Usage, _run.Run("quality", _run.Folder));
        Assert.Contains("no PNG", _run.Error, StringComparison.Ordinal);
    }
}
