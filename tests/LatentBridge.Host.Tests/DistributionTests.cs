using LatentBridge.Host.Tests.Commands;

namespace LatentBridge.Host.Tests;

public sealed class DistributionTests : IDisposable
{
    readonly CommandRun _run = new();

    public void Dispose() => _run.Dispose();

    [Fact]
    public void A_release_is_found_above_its_program()
    {
        string root = Path.Combine(_run.Folder, "latentbridge");
        Assert.Equal([Path.Combine(root, "bin", "linux-x64"), Path.Combine(root, "bin"), root], Distribution.Folders(Path.Combine(root, "bin", "linux-x64") + Path.DirectorySeparatorChar));
    }

    [Fact]
    public void A_clone_is_found_above_its_build_output()
    {
        File.WriteAllText(Path.Combine(_run.Folder, "LatentBridge.sln"), "");
        Assert.Contains(_run.Folder, Distribution.Folders(Path.Combine(_run.Folder, "artifacts", "bin", "LatentBridge.Host", "release")));
    }

    [Fact]
    public void Folders_of_somebody_else_are_not_looked_into()
    {
        string program = Path.Combine(_run.Folder, "a", "b", "c");
        Assert.Equal([program, Path.Combine(_run.Folder, "a", "b")], Distribution.Folders(program));
    }

    [Fact]
    public void The_shim_and_the_examples_of_this_clone_are_found()
    {
        Assert.Equal(Path.Combine(CommandRun.Root, "examples", "latents"), Distribution.Find("examples", "latents"));
        Assert.Null(Distribution.Find("no", "such", "thing"));
    }
}
