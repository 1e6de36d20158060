using System.Text.Json;
using LatentBridge.Decoders;
using LatentBridge.Files;
using LatentBridge.Host.Sheets;
using LatentBridge.Weights;

namespace LatentBridge.Host.Tests.Commands;

public sealed class TrainCommandTests : IDisposable
{
    const int Cells = 16;
    const int Side = 8 * Cells;

    readonly CommandRun _run = new();

    public void Dispose() => _run.Dispose();

    string Decoder => Path.Combine(_run.Folder, "weights", "tiny-mine.safetensors");

    string Checkpoint => Path.Combine(_run.Folder, "checkpoint");

    int Train(params string[] more) => _run.Run(["train", _run.Folder, "-f", "SD15", "--from", "linear", "--side", "2", "--threads", "1", "-o", Decoder, .. more]);

    [Fact]
    public void Pairs_become_a_decoder_that_weights_folders_take_and_an_interrupted_training_goes_on()
    {
        WritePairs(6);
        Directory.CreateDirectory(Path.GetDirectoryName(Decoder)!);
        Assert.Equal(ExitCode.Done, Train("--steps", "100", "--checkpoint", Checkpoint, "--licence", "CC0-1.0", "--json"));
        using (JsonDocument report = JsonDocument.Parse(_run.Output))
        {
            Assert.Equal(5, report.RootElement.GetProperty("pairs").GetInt32());
            Assert.True(report.RootElement.GetProperty("trained")[0].GetDouble() > 30, _run.Output);
            Assert.True(report.RootElement.TryGetProperty("linear map of these pairs", out _));
        }

        FoundWeights found = Assert.Single(LatentDecoders.Weights([Path.GetDirectoryName(Decoder)!]).Found);
        Assert.Null(found.Problem);
        Assert.Equal("SD15", Assert.Single(found.Formats));
        using (TensorFile file = TensorFile.Open(Decoder))
        {
            Assert.Equal(("5", "CC0-1.0"), (file.Metadata["pairs"], file.Metadata["licence"]));
        }

        byte[] first = File.ReadAllBytes(Decoder);
        Assert.Equal(ExitCode.Done, Train("--steps", "100", "--checkpoint", Checkpoint, "--licence", "CC0-1.0"));
        Assert.Contains("Goes on after step 100", _run.Error, StringComparison.Ordinal);
        Assert.Equal(first, File.ReadAllBytes(Decoder));
        File.Copy(Decoder, Checkpoint, overwrite: true);
        Assert.Equal(ExitCode.Usage, Train("--steps", "101", "--checkpoint", Checkpoint));
        Assert.Contains("is of another training", _run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void What_does_not_fit_is_named()
    {
        Assert.Equal(ExitCode.Usage, _run.Run("train"));
        Assert.Contains("No pictures were named", _run.Error, StringComparison.Ordinal);
        WritePairs(4);
        Assert.Equal(ExitCode.Usage, Train("--vae", "taesd"));
        Assert.Contains("Leave it out", _run.Error, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Usage, _run.Run("train", _run.Folder, "-f", "SD99"));
        Assert.Equal(ExitCode.Usage, _run.Run("train", _run.Folder, "-f", "Flux"));
        Assert.Contains("Too few pairs are left", _run.Error, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Usage, Train("--side", "3"));
    }

    [Fact]
    public void A_picture_of_another_latent_is_left_out_and_of_a_space_without_a_format_nothing_need_be_known()
    {
        WritePairs(4);
        File.Copy(PictureOf(0), PictureOf(1), overwrite: true);
        Assert.Equal(ExitCode.Done, _run.Run("train", _run.Folder, "-f", "unknown", "--steps", "1", "--side", "1", "-o", Path.Combine(_run.Folder, "out"), "--json"));
        Assert.Contains($"{PictureOf(1)} is left out", _run.Error, StringComparison.Ordinal);
        using JsonDocument report = JsonDocument.Parse(_run.Output);
        Assert.InRange(report.RootElement.GetProperty("pairs").GetInt32(), 2, 3);
    }

    string PictureOf(int number) => Path.Combine(_run.Folder, $"{number}.png");

    /// <summary>Pictures whose cells' colours follow from the first three channels.</summary>
    void WritePairs(int count)
    {
        for (int number = 0; number < count; number++)
        {
            Random random = new(number);
            float[] latent = [.. Enumerable.Range(0, 4 * Cells * Cells).Select(_ => (random.NextSingle() * 4) - 2)];
            byte[] pixels = new byte[3 * Side * Side];
            for (int i = 0; i < pixels.Length; i++)
            {
                (int pixel, int colour) = Math.DivRem(i, 3);
                int cell = (pixel / Side / 8 * Cells) + (pixel % Side / 8);
                pixels[i] = (byte)(128 + (50 * latent[(Cells * Cells * colour) + cell]));
            }

            File.WriteAllBytes(PictureOf(number), Canvas.ToPng(new Picture(pixels, Side, Side)));
            SafetensorsWriter.Write(Path.ChangeExtension(PictureOf(number), ".safetensors"), [StoredTensor.FromValues("latent", latent, [1, 4, Cells, Cells])]);
        }
    }
}
