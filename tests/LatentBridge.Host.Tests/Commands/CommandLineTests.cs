namespace LatentBridge.Host.Tests.Commands;

public sealed class CommandLineTests : IDisposable
{
    readonly CommandRun _run = new();

    public void Dispose() => _run.Dispose();

    [Fact]
    public void Without_a_command_the_help_lists_them()
    {
        Assert.Equal(0, _run.Run());
        Assert.All(["decode", "inspect", "demo", "doctor", "models", "bench", "serve"], command => Assert.Contains($"  {command} ", _run.Output));
    }

    [Fact]
    public void Version_is_that_of_version_txt()
    {
        Assert.Equal(0, _run.Run("--version"));
        Assert.Equal(File.ReadAllText(Path.Combine(CommandRun.Root, "python", "version.txt")).Trim(), _run.Output.Trim());
    }

    [Theory]
    [InlineData("paint")]
    [InlineData("decode")]
    [InlineData("decode", "a.npy", "--colour", "red")]
    [InlineData("models")]
    [InlineData("bench", "everything")]
    public void Wrong_usage_ends_with_2_and_points_to_the_help(params string[] arguments)
    {
        Assert.Equal(2, _run.Run(arguments));
        Assert.Contains("--help", _run.Error);
        Assert.Equal("", _run.Output);
    }

    [Fact]
    public void Help_of_every_command_fits_a_screen()
    {
        foreach (string command in (string[])["decode", "inspect", "demo", "doctor", "models", "bench"])
        {
            Assert.Equal(0, _run.Run(command, "--help"));
            Assert.InRange(_run.Output.Split('\n').Length, 3, 40);
        }
    }
}
