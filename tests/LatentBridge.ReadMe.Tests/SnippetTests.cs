using System.Buffers.Binary;
using System.Diagnostics;
using System.Runtime.CompilerServices;
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
            byte[] step = RunSnippet(new float[4 * 128 * 128]);
            Assert.Equal((256, 256), Size(File.ReadAllBytes(picture)));
            Assert.Equal((512, 512), Size(step));
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
        Assert.Equal("using LatentBridge.Previews;\n\n" + string.Join('\n', code).TrimEnd() + "\n", ReadMe.Snippet("csharp"));
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

    static byte[] RunSnippet(ReadOnlySpan<float> step)
    {
        // snippet begins
        LatentPreview.Decode("examples/latents/SDXL_kodim23.safetensors").SavePng("preview.png");

        using LatentPreviewer previewer = new("SDXL", new() { Size = 512 });
        byte[] png = previewer.ToPng(step, height: 128, width: 128); // step: ReadOnlySpan<float> of 4 x 128 x 128
        // snippet ends
        return png;
    }

    static (int Width, int Height) Size(ReadOnlySpan<byte> png) => (BinaryPrimitives.ReadInt32BigEndian(png[16..]), BinaryPrimitives.ReadInt32BigEndian(png[20..]));

    static string ThisFile([CallerFilePath] string path = "") =>
        File.Exists(path) ? path : Path.Combine(ReadMe.Root, "tests", "LatentBridge.ReadMe.Tests", "SnippetTests.cs");
}
