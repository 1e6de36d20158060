using System.Text.Json;
using LatentBridge.Imaging;

namespace LatentBridge.Host.Tests.Commands;

public sealed class CodecCommandTests : IDisposable
{
    readonly CommandRun _run = new();

    public void Dispose() => _run.Dispose();

    static string TestData(params string[] path)
    {
        string file = Path.Combine([Environment.GetEnvironmentVariable("LATENTBRIDGE_TEST_DATA") ?? Path.Combine(CommandRun.Root, "..", "shared"), .. path]);
        if (!Path.Exists(file))
        {
            Assert.Skip($"No test data: {file} is not there.");
        }

        return file;
    }

    [Fact]
    public void More_bits_are_nearer_to_the_photograph_and_peers_have_at_most_as_many_bytes()
    {
        PngImage photograph = PngReader.Read(File.ReadAllBytes(TestData("images", "kodim23.png")));
        byte[] pixels = new byte[3 * 128 * 96];
        for (int y = 0; y < 96; y++)
        {
            photograph.ToRgb().AsSpan(3 * (((y + 200) * photograph.Width) + 300), 3 * 128).CopyTo(pixels.AsSpan(3 * 128 * y));
        }

        byte[] file = new byte[PngEncoder.MaximumLength(128, 96, 3)];
        string picture = Path.Combine(_run.Folder, "crop.png"), plot = Path.Combine(_run.Folder, "plot.svg");
        File.WriteAllBytes(picture, file[..new PngEncoder().Encode(pixels, 128, 96, 3, file)]);

        Assert.Equal(ExitCode.Done, _run.Run("codec", picture, "-f", "Flux", "--models", TestData("models"), "--plot", plot, "--json"));
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
        Assert.Equal(ExitCode.Failed, _run.Run("codec", _run.Folder, "-f", "Wan21"));
        Assert.Contains("No TAESD decoder and encoder for Wan21", _run.Error, StringComparison.Ordinal);
    }
}
