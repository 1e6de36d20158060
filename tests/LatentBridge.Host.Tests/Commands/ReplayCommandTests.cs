using System.Buffers.Binary;
using LatentBridge.Files;

namespace LatentBridge.Host.Tests.Commands;

public sealed class ReplayCommandTests : IDisposable
{
    readonly CommandRun _run = new();

    public void Dispose() => _run.Dispose();

    [Fact]
    public void A_run_becomes_frames_and_a_time_lapse_of_the_size_asked_for()
    {
        // As python/latentbridge/recording.py writes it: the steps of a run as a batch.
        string file = Path.Combine(_run.Folder, "run.safetensors");
        float[] latents = [.. Enumerable.Range(0, 3 * 4 * 6 * 5).Select(i => (i % 37 / 9f) - 2)];
        SafetensorsWriter.Write(file, [StoredTensor.FromValues("latents", latents, [3, 4, 6, 5], TensorElementType.F16)], new Dictionary<string, string> { ["latent_format"] = "SD15" });

        Assert.Equal(ExitCode.Done, _run.Run("replay", file, "-o", _run.Folder, "--decoder", "latent2rgb", "--size", "60", "--milliseconds", "50"));
        string[] frames = [.. Directory.GetFiles(_run.Folder, "*.png").Order(StringComparer.Ordinal)];
        Assert.Equal(["run.latent2rgb.000.png", "run.latent2rgb.001.png", "run.latent2rgb.002.png"], frames.Select(Path.GetFileName));
        Assert.All(frames, frame => Assert.Equal((50, 60), CommandRun.PngSize(frame)));
        Assert.Equal(3, frames.Select(frame => Convert.ToHexString(File.ReadAllBytes(frame))).Distinct().Count());

        byte[] animation = File.ReadAllBytes(Path.Combine(_run.Folder, "run.latent2rgb.apng"));
        int control = animation.AsSpan().IndexOf("acTL"u8);
        Assert.Equal(3, BinaryPrimitives.ReadInt32BigEndian(animation.AsSpan(control + 4)));
        int first = animation.AsSpan().IndexOf("fcTL"u8), last = animation.AsSpan().LastIndexOf("fcTL"u8);
        Assert.Equal((50, 250), (BinaryPrimitives.ReadUInt16BigEndian(animation.AsSpan(first + 24)), BinaryPrimitives.ReadUInt16BigEndian(animation.AsSpan(last + 24))));
    }

    [Fact]
    public void A_time_lapse_is_an_APNG_or_a_GIF()
    {
        string file = Path.Combine(_run.Folder, "run.safetensors");
        float[] latents = [.. Enumerable.Range(0, 2 * 4 * 6 * 5).Select(i => (i % 37 / 9f) - 2)];
        SafetensorsWriter.Write(file, [StoredTensor.FromValues("latents", latents, [2, 4, 6, 5], TensorElementType.F16)], new Dictionary<string, string> { ["latent_format"] = "SD15" });
        Assert.Equal(ExitCode.Done, _run.Run("replay", file, "-o", _run.Folder, "--decoder", "latent2rgb", "--animate", "gif"));
        Assert.StartsWith("GIF89a", System.Text.Encoding.Latin1.GetString(File.ReadAllBytes(Path.Combine(_run.Folder, "run.latent2rgb.gif"))), StringComparison.Ordinal);

        Assert.Equal(ExitCode.Usage, _run.Run("replay", file, "-o", _run.Folder, "--animate", "webp"));
        Assert.Contains("'apng'", _run.Error, StringComparison.Ordinal);
        Assert.Contains("'gif'", _run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_is_not_there_is_wrong_usage()
    {
        Assert.Equal(ExitCode.Usage, _run.Run("replay", Path.Combine(_run.Folder, "nothing.safetensors")));
        Assert.Contains("nothing.safetensors", _run.Error, StringComparison.Ordinal);
    }
}
