using System.Diagnostics;
using LatentBridge.Imaging.Png;

namespace LatentBridge.Tests.Imaging.Png;

/// <summary>What we write, read by others.</summary>
public sealed class PngPeersTests : IDisposable
{
    /// <summary>
    /// Arguments: files; prints for each the size, mode, number of frames, delay and the sum of all bytes of the last frame.
    /// </summary>
    const string PillowScript = """
        import sys
        from PIL import Image
        for name in sys.argv[1:]:
            image = Image.open(name)
            frames = getattr(image, "n_frames", 1)
            image.load()
            delay = image.info.get("duration", 0)
            image.seek(frames - 1)
            print(image.size[0], image.size[1], image.mode, frames, int(delay), sum(image.convert("L" if image.mode == "L" else "RGB").tobytes()))
        """;

    readonly string _folder = Directory.CreateTempSubdirectory("latentbridge-png-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Pillow_reads_what_the_encoder_writes()
    {
        List<string> files = [], expected = [];
        foreach ((int width, int height, int channels) in new[] { (1, 1, 3), (1, 1, 1), (67, 33, 3), (130, 70, 1), (1, 90, 3), (300, 200, 3) })
        {
            foreach (string kind in PngSamples.Kinds)
            {
                byte[] pixels = PngSamples.Make(kind, width, height, channels, seed: 11);
                files.Add(Write(Encode(pixels, width, height, channels)));
                expected.Add($"{width} {height} {(channels == 1 ? "L" : "RGB")} 1 0 {pixels.Sum(value => value)}");
            }
        }

        Assert.Equal(expected, Pillow(files));
    }

    [Fact]
    public void Pillow_plays_an_animation()
    {
        byte[][] pictures = [.. Enumerable.Range(0, 3).Select(i => PngSamples.Make("soft noise", 40, 30, 3, seed: i))];
        byte[] file = ApngWriter.Write([.. pictures.Select(pixels => new ApngFrame(Encode(pixels, 40, 30, 3), 120))]);
        Assert.Equal([$"40 30 RGB 3 120 {pictures[2].Sum(value => value)}"], Pillow([Write(file)]));
    }

    [Fact]
    public void Pngcheck_finds_no_fault()
    {
        List<string> files = [];
        foreach (string kind in PngSamples.Kinds)
        {
            files.Add(Write(Encode(PngSamples.Make(kind, 67, 33, 3, seed: 12), 67, 33, 3)));
            files.Add(Write(Encode(PngSamples.Make(kind, 400, 90, 1, seed: 12), 400, 90, 1)));
        }

        (int exit, string output) = Run("pngcheck", ["-v", .. files]) ?? Skip("pngcheck is not installed.");
        Assert.True(exit == 0, output);
    }

    static byte[] Encode(byte[] pixels, int width, int height, int channels)
    {
        byte[] file = new byte[PngEncoder.MaximumLength(width, height, channels)];
        return file[..new PngEncoder().Encode(pixels, width, height, channels, file)];
    }

    string Write(byte[] file)
    {
        string path = Path.Combine(_folder, $"{Guid.NewGuid():N}.png");
        File.WriteAllBytes(path, file);
        return path;
    }

    static string[] Pillow(List<string> files)
    {
        foreach (string python in new[] { "python3", "/usr/bin/python3", "python" })
        {
            if (Run(python, ["-c", "import PIL"]) is (0, _))
            {
                (int exit, string output) = Run(python, ["-c", PillowScript, .. files])!.Value;
                Assert.True(exit == 0, output);
                return output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            }
        }

        Skip("No Python with Pillow was found.");
        return [];
    }

    static (int Exit, string Output) Skip(string reason)
    {
        Assert.Skip(reason);
        return default;
    }

    static (int Exit, string Output)? Run(string program, IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        try
        {
            using Process process = Process.Start(start)!;
            Task<string> error = process.StandardError.ReadToEndAsync();
            string output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return (process.ExitCode, output + error.Result);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }
}
