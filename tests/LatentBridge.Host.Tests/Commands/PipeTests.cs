using System.Runtime.InteropServices;
using LatentBridge.Host.Commands;

namespace LatentBridge.Host.Tests.Commands;

/// <summary>A pipe, a device or nothing at all where a file is named: said at once, and never waited for.</summary>
public sealed partial class PipeTests : IDisposable
{
    readonly CommandRun _run = new();

    public static TheoryData<string[]> Commands => new(
        ["inspect", "FILE"],
        ["decode", "FILE"],
        ["replay", "FILE"],
        ["compare", "FILE", "--against", "numpy"],
        ["compare", "LATENT", "--against", "FILE"],
        ["models", "convert", "FILE"]);

    public void Dispose() => _run.Dispose();

    [Theory]
    [MemberData(nameof(Commands))]
    public async Task A_pipe_is_not_opened(string[] command)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no pipes in folders");
        string pipe = Path.Combine(_run.Folder, command is [.., "--against", "FILE"] ? "pipe.onnx" : "pipe");
        Assert.Equal(0, MakePipe(pipe, 0x180));
        await Refuses(command, pipe, "a pipe or a device");
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public async Task A_device_is_not_read(string[] command)
    {
        Assert.SkipUnless(File.Exists("/dev/zero"), "There is no /dev/zero here");
        string link = Path.Combine(_run.Folder, command is [.., "--against", "FILE"] ? "link.onnx" : "link");
        File.CreateSymbolicLink(link, "/dev/zero");
        await Refuses(command, link, "a pipe or a device");
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public async Task A_missing_file_is_named(string[] command) => await Refuses(command, Path.Combine(_run.Folder, "missing.onnx"), "missing.onnx");

    [Fact]
    public async Task A_picture_that_is_a_pipe_is_not_opened()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no pipes in folders");
        string pipe = Path.Combine(_run.Folder, "pipe.png");
        Assert.Equal(0, MakePipe(pipe, 0x180));
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        Task reading = Task.Run(() => PictureFiles.ReadImage(PictureFiles.Find(pipe)[0]), cancellation).WaitAsync(TimeSpan.FromSeconds(60), cancellation);
        Assert.Contains("a pipe or a device", (await Assert.ThrowsAsync<InputException>(() => reading)).Message, StringComparison.Ordinal);
    }

    // Whoever opens the pipe waits until somebody writes into it: for ever.
    async Task Refuses(string[] command, string file, string said)
    {
        string[] arguments = [.. command.Select(word => word switch { "FILE" => file, "LATENT" => CommandRun.Example("SD15_kodim23"), _ => word })];
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        int code = await Task.Run(() => _run.Run(arguments), cancellation).WaitAsync(TimeSpan.FromSeconds(60), cancellation);
        Assert.True(code != ExitCode.Done && (_run.Output + _run.Error).Contains(said, StringComparison.Ordinal), $"exit code {code}: {_run.Output}{_run.Error}");
    }

    [LibraryImport("libc", EntryPoint = "mkfifo", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int MakePipe(string path, uint mode);
}
