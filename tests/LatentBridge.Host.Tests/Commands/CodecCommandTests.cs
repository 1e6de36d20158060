using System.Text.Json;

namespace LatentBridge.Host.Tests.Commands;

public sealed class CodecCommandTests : IDisposable
{
    readonly CommandRun _run = new();

    public void Dispose() => _run.Dispose();

    [Fact]
    public void More_bits_are_nearer_to_the_photograph_and_peers_have_at_most_as_many_bytes()
    {
        string picture = _run.Photograph("kodim23", 128, 96), plot = Path.Combine(_run.Folder, "plot.svg");
        Assert.Equal(ExitCode.Done, _run.Run("codec", picture, "-f", "Flux", "--models", CommandRun.TestData("models"), "--plot", plot, "--json"));
        using JsonDocument report = JsonDocument.Parse(_run.Output);
        JsonElement[] rows = [.. report.RootElement.GetProperty("rows").EnumerateArray()];
        double[] psnr = [.. rows.Select(row => row.GetProperty("latent").GetProperty("psnr").GetDouble())];
        double[] bytes = [.. rows.Select(row => row.GetProperty("latent").GetProperty("bytes").GetDouble())];
        Assert.Equal(["2 bits", "3 bits", "4 bits", "5 bits", "6 bits", "8 bits", "F16"], rows.Select(row => row.GetProperty("storage").GetString()));
        Assert.Equal(bytes.Order(), bytes);
        Assert.InRange(psnr[^1], psnr[0] + 3, 40);
        Assert.InRange(psnr[^1] - psnr[^2], -0.2, 0.5);
        foreach (JsonElement row in rows)
        {
            if (row.TryGetProperty("jpeg", out JsonElement jpeg) && jpeg.ValueKind == JsonValueKind.Object)
            {
                Assert.InRange(jpeg.GetProperty("bytes").GetDouble(), 1, row.GetProperty("latent").GetProperty("bytes").GetDouble());
            }
        }

        Assert.Contains("Flux latent", File.ReadAllText(plot), StringComparison.Ordinal);
        System.Xml.Linq.XDocument.Load(plot);
    }

    [Fact]
    public void What_is_missing_is_named()
    {
        Assert.Equal(ExitCode.Usage, _run.Run("codec", _run.Folder));
        Assert.Contains("no PNG", _run.Error, StringComparison.Ordinal);
        File.WriteAllBytes(Path.Combine(_run.Folder, "a.png"), []);
        Assert.Equal(ExitCode.Usage, _run.Run("codec", _run.Folder, "-f", "Wan21"));
        Assert.Contains("No TAESD decoder and encoder for Wan21", _run.Error, StringComparison.Ordinal);
    }
}
