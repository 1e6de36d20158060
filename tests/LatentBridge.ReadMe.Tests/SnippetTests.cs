using System.Buffers.Binary;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using LatentBridge.Decoders;
using LatentBridge.Files;
using LatentBridge.Formats;
using LatentBridge.Imaging.Png;
using LatentBridge.Previews;

namespace LatentBridge.ReadMe.Tests;

/// <summary>What the README shows is what runs here.</summary>
public sealed class SnippetTests : IDisposable
{
    readonly string _folder = Path.Combine(Path.GetTempPath(), $"latentbridge-test-{Guid.NewGuid():N}");

    public SnippetTests() => Directory.CreateDirectory(_folder);

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void The_csharp_snippet_makes_a_picture()
    {
        string before = Environment.CurrentDirectory;
        string picture = Path.Combine(ReadMe.Root, "preview.png");
        Assert.False(File.Exists(picture), $"{picture} is in the way of this test.");
        Environment.CurrentDirectory = ReadMe.Root;
        try
        {
            RunSnippet();
            ReadOnlySpan<byte> png = File.ReadAllBytes(picture);
            Assert.Equal((512, 512), (BinaryPrimitives.ReadInt32BigEndian(png[16..]), BinaryPrimitives.ReadInt32BigEndian(png[20..])));
        }
        finally
        {
            Environment.CurrentDirectory = before;
            File.Delete(picture);
        }
    }

    [Fact]
    public void The_csharp_snippet_is_the_code_of_this_file()
    {
        IEnumerable<string> code = File.ReadLines(ThisFile())
            .SkipWhile(line => !line.EndsWith("// snippet begins", StringComparison.Ordinal)).Skip(1)
            .TakeWhile(line => !line.EndsWith("// snippet ends", StringComparison.Ordinal))
            .Select(line => line.Length > 8 ? line[8..] : "");
        Assert.Equal(string.Join('\n', code).TrimEnd() + "\n", ReadMe.Snippet("csharp"));
    }

    [Fact]
    public async Task The_python_snippet_shows_the_steps_of_a_run()
    {
        string python = Environment.GetEnvironmentVariable("LATENTBRIDGE_PYTHON") is { Length: > 0 } named ? named : "python3";
        string host = Path.Combine(ReadMe.Root, "artifacts", "bin", "LatentBridge.Host");
        Assert.SkipUnless(Directory.Exists(host), "The host is not built: dotnet build src/LatentBridge.Host");

        string script = Path.Combine(_folder, "snippet.py");
        File.WriteAllText(script, "import array\nsteps = [memoryview(array.array('f', [0.5] * 4 * 64 * 64)).cast('B').cast('f', (1, 4, 64, 64))] * 3\n" + ReadMe.Snippet("python"));
        ProcessStartInfo start = new(python, [script]) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["PYTHONPATH"] = Path.Combine(ReadMe.Root, "python");
        try
        {
            using Process process = Process.Start(start)!;
            Task<string> error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
            string output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            Assert.True(process.ExitCode == 0, await error);
            Assert.Contains("step 2:", output);
            Assert.Contains("bytes of PNG", output);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Skip("Python 3 is not on PATH.");
        }
    }

    static void RunSnippet()
    {
        // snippet begins
        LoadedLatent latent = LatentFile.Load("examples/latents/SDXL_kodim23.safetensors");
        DecoderEntry best = LatentDecoders.For(latent.Format, LatentDecoders.WeightsOfThisMachine())[0];

        using ILatentDecoder decoder = best.Load();
        using PreviewRenderer renderer = new(latent.Format);
        PreviewOptions options = new() { Size = 512 };
        renderer.Stage(latent.View, options);

        byte[] png = new byte[PngEncoder.MaximumLength(512, 512, 3)];
        PreviewResult result = renderer.Render(decoder, options, png, CancellationToken.None);
        File.WriteAllBytes("preview.png", png.AsSpan(0, result.ByteLength));
        // snippet ends
    }

    static string ThisFile([CallerFilePath] string path = "") =>
        File.Exists(path) ? path : Path.Combine(ReadMe.Root, "tests", "LatentBridge.ReadMe.Tests", "SnippetTests.cs");
}
