using LatentBridge.Host.Output;
using LatentBridge.Host.Sheets;
using LatentBridge.Imaging.Png;

namespace LatentBridge.Host.Tests.Commands;

/// <summary>One run of the command line, in this process: what it wrote and ended with, and a folder of its own.</summary>
sealed class CommandRun : IDisposable
{
    internal CommandRun() => Directory.CreateDirectory(Folder);

    /// <summary>The repository's root.</summary>
    internal static string Root { get; } = FindRoot();

    /// <summary>An empty folder, removed at the end.</summary>
    internal string Folder { get; } = Path.Combine(Path.GetTempPath(), $"latentbridge-test-{Guid.NewGuid():N}");

    internal string Output { get; private set; } = "";

    internal string Error { get; private set; } = "";

    /// <summary>An example latent that comes with the repository.</summary>
    internal static string Example(string name) => Path.Combine(Root, "examples", "latents", name + ".safetensors");

    /// <summary>A file or folder beside the repository that not every machine has; without it the test is skipped.</summary>
    internal static string TestData(params string[] path)
    {
        string file = Path.Combine([Environment.GetEnvironmentVariable("LATENTBRIDGE_TEST_DATA") ?? Path.Combine(Root, "..", "shared"), .. path]);
        if (!Path.Exists(file))
        {
            Assert.Skip($"No test data: {file} is not there.");
        }

        return file;
    }

    /// <summary>The middle of one of the photographs among the test data, as a PNG file.</summary>
    internal string Photograph(string name, int width, int height)
    {
        PngImage image = PngReader.Read(File.ReadAllBytes(TestData("images", name + ".png")));
        string path = Path.Combine(Folder, name + ".png");
        File.WriteAllBytes(path, Canvas.ToPng(new Picture(image.ToRgb(), image.Width, image.Height).Middle(width, height)));
        return path;
    }

    /// <summary>Runs a command; returns its exit code.</summary>
    internal int Run(params string[] arguments) => Run(false, arguments);

    /// <summary>Runs a command as if before a terminal; returns its exit code.</summary>
    internal int RunOnTerminal(params string[] arguments) => Run(true, arguments);

    int Run(bool isTerminal, string[] arguments)
    {
        using StringWriter output = new();
        using StringWriter error = new();
        int exitCode = CommandLine.Run(arguments, new Terminal(output, error, isTerminal), output, error);
        (Output, Error) = (output.ToString(), error.ToString());
        return exitCode;
    }

    /// <summary>Writes a file of one tensor, as numpy does; returns its path.</summary>
    internal string WriteNpy(string name, float[] values, params int[] axes)
    {
        string header = $"{{'descr': '<f4', 'fortran_order': False, 'shape': ({string.Join(", ", axes)},), }}".PadRight(117) + "\n";
        string path = Path.Combine(Folder, name);
        using BinaryWriter file = new(File.Create(path));
        file.Write([0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y', 1, 0]);
        file.Write((ushort)header.Length);
        file.Write(System.Text.Encoding.ASCII.GetBytes(header));
        foreach (float value in values)
        {
            file.Write(value);
        }

        return path;
    }

    /// <summary>Width and height of a PNG file.</summary>
    internal static (int Width, int Height) PngSize(string path)
    {
        ReadOnlySpan<byte> file = File.ReadAllBytes(path);
        Assert.Equal([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A], file[..8].ToArray());
        return (System.Buffers.Binary.BinaryPrimitives.ReadInt32BigEndian(file[16..]), System.Buffers.Binary.BinaryPrimitives.ReadInt32BigEndian(file[20..]));
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    static string FindRoot()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "LatentBridge.sln")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return folder ?? throw new InvalidOperationException($"LatentBridge.sln is in no folder above {AppContext.BaseDirectory}.");
    }
}
