using System.Text.Json;
using LatentBridge.Decoders;
using LatentBridge.Files;
using LatentBridge.Host.Sheets;
using LatentBridge.Imaging.Png;
using LatentBridge.Weights;

namespace LatentBridge.Host.Tests.Commands;

public sealed class FitCommandTests : IDisposable
{
    readonly CommandRun _run = new();

    public void Dispose() => _run.Dispose();

    string Maps => Path.Combine(_run.Folder, "maps");

    /// <summary>A latent of 8 x 8 cells, and a picture of it 16 times as large whose colours follow from it by a line.</summary>
    void WritePair(string name, int seed, int height = 128, bool nan = false)
    {
        Random random = new(seed);
        float[] latent = [.. Enumerable.Range(0, 4 * 64).Select(_ => (random.NextSingle() * 4) - 2)];
        byte[] pixels = new byte[3 * 128 * height];
        for (int i = 0; i < pixels.Length; i++)
        {
            (int x, int y, int colour) = (i / 3 % 128, i / 3 / 128, i % 3);
            int cell = (Math.Min(y / 16, 7) * 8) + (x / 16);
            pixels[i] = (byte)(128 + (30 * latent[(64 * colour) + cell]) + (15 * latent[192 + cell]));
        }

        if (nan)
        {
            latent[70] = float.NaN;
        }

        byte[] file = new byte[PngEncoder.MaximumLength(128, height, 3)];
        File.WriteAllBytes(Path.Combine(_run.Folder, name + ".png"), file[..new PngEncoder().Encode(pixels, 128, height, 3, file)]);
        SafetensorsWriter.Write(Path.Combine(_run.Folder, name + ".safetensors"), [StoredTensor.FromValues("latent", latent, [1, 4, 8, 8])]);
    }

    int Fit(params string[] more) => _run.Run(["fit", _run.Folder, "-f", "SD15", "-o", Maps, .. more]);

    [Fact]
    public void Pairs_become_maps_that_models_folders_take()
    {
        foreach (int i in Enumerable.Range(0, 8))
        {
            WritePair($"run{i}", i);
        }

        Assert.Equal(ExitCode.Done, Fit("-k", "linear", "cubic", "mlp", "--steps", "50", "--json"));
        using JsonDocument report = JsonDocument.Parse(_run.Output);
        JsonElement psnr = report.RootElement.GetProperty("heldOutPsnr");
        Assert.Equal(6 * 64, report.RootElement.GetProperty("trainingCells").GetInt32());
        Assert.True(psnr.GetProperty(Path.Combine(Maps, "linear-SD15.safetensors")).GetDouble() > 48);
        Assert.True(psnr.GetProperty("latent2rgb").GetDouble() < 30);
        IReadOnlyList<FoundWeights> found = LatentDecoders.Weights([Maps]).Found;
        Assert.Equal(["cubic-SD15.safetensors", "linear-SD15.safetensors", "mlp-SD15.safetensors"], found.Select(f => f.FileName));
        Assert.All(found, f => Assert.Null(f.Problem));
        Assert.All(found, f => Assert.Contains("SD15", f.Formats));
    }

    [Fact]
    public void The_same_seed_gives_the_same_bytes_and_another_holds_out_others()
    {
        foreach (int i in Enumerable.Range(0, 8))
        {
            WritePair($"run{i}", i);
        }

        byte[][] maps = [.. new[] { "1", "1", "2" }.Select(seed =>
        {
            Assert.Equal(ExitCode.Done, Fit("-k", "linear", "--seed", seed));
            return File.ReadAllBytes(Path.Combine(Maps, "linear-SD15.safetensors"));
        })];
        Assert.Equal(maps[0], maps[1]);
        Assert.NotEqual(maps[0], maps[2]);
    }

    [Fact]
    public void Pairs_of_another_folder_can_be_measured_with_and_maps_may_look_at_neighbours()
    {
        string test = Directory.CreateDirectory(Path.Combine(_run.Folder, "test")).FullName;
        WritePair("run0", 0);
        WritePair("run1", 1);
        WritePair(Path.Combine("test", "other"), 2);
        Assert.Equal(ExitCode.Done, Fit("-k", "linear", "linear3x3", "--test", test, "--json"));
        using JsonDocument report = JsonDocument.Parse(_run.Output);
        Assert.Equal((2 * 64, 1), (report.RootElement.GetProperty("trainingCells").GetInt32(), report.RootElement.GetProperty("heldOutPictures").GetInt32()));
        Assert.True(report.RootElement.GetProperty("heldOutPsnr").GetProperty(Path.Combine(Maps, "linear3x3-SD15.safetensors")).GetDouble() > 35);
        Assert.Contains("held out other", TensorFile.Open(Path.Combine(Maps, "linear3x3-SD15.safetensors")).Metadata["source"], StringComparison.Ordinal);
        Assert.Equal(ExitCode.Usage, Fit("-k", "linear", "--scales", "1", "2"));
        Assert.Contains("--scales is for pictures without latents", _run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_picture_that_is_none_or_too_small_is_named()
    {
        string text = Path.Combine(_run.Folder, "text.png"), small = Path.Combine(_run.Folder, "small.png");
        File.WriteAllText(text, "text");
        File.WriteAllBytes(small, Canvas.ToPng(new(new byte[3 * 9 * 7], 9, 7)));
        Assert.Equal(ExitCode.Usage, _run.Run("fit", "-f", "SDXL", text, text, "--test", text));
        Assert.Contains($"\"{text}\": Not a picture", _run.Error, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Usage, _run.Run("fit", "-f", "SDXL", small, "--test", small));
        Assert.Contains($"\"{small}\" is 9 x 7; at least 16 x 16 pixels are needed", _run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void One_pair_is_too_few()
    {
        WritePair("only", 1);
        Assert.Equal(ExitCode.Usage, Fit());
        Assert.Contains("Too few pairs: 1 found", _run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(120, false, "whole multiple")]
    [InlineData(128, true, "1 values that are NaN")]
    public void A_pair_that_is_none_stops_the_fit_and_the_old_map_stays(int height, bool nan, string message)
    {
        foreach (int i in Enumerable.Range(0, 3))
        {
            WritePair($"run{i}", i);
        }

        Assert.Equal(ExitCode.Done, Fit("-k", "linear"));
        byte[] old = File.ReadAllBytes(Path.Combine(Maps, "linear-SD15.safetensors"));
        WritePair("run9", 9, height, nan);
        Assert.Equal(ExitCode.Usage, Fit("-k", "linear"));
        Assert.Contains("run9", _run.Error, StringComparison.Ordinal);
        Assert.Contains(message, _run.Error, StringComparison.Ordinal);
        Assert.Equal(old, File.ReadAllBytes(Path.Combine(Maps, "linear-SD15.safetensors")));
    }

    [Theory]
    [InlineData("--ridge", "-1", "from 0 to 1")]
    [InlineData("--kind", "quartic", "quartic")]
    [InlineData("--hidden", "65", "from 1 to 64")]
    [InlineData("--scales", "0", "from 1 to 16")]
    public void Wrong_options_are_refused(string option, string value, string message)
    {
        Assert.Equal(ExitCode.Usage, Fit(option, value));
        Assert.Contains(message, _run.Error, StringComparison.Ordinal);
    }
}
