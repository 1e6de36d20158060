using System.Diagnostics;
using LatentBridge.Host.Python;

namespace LatentBridge.Host.Tests.Python;

public sealed class PythonInterpreterTests : IDisposable
{
    readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("latentbridge-python-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void The_Python_of_the_portable_ComfyUI_is_found_from_within_its_custom_nodes_only()
    {
        string python = Make("portable", "python_embeded", "python.exe");
        string inside = Path.Combine(_folder.FullName, "portable", "ComfyUI", "custom_nodes", "LatentBridge", "bin", "win-x64");
        Assert.Equal(python, PythonInterpreter.FindPortable(inside));
        Assert.Equal(python, PythonInterpreter.FindPortable(inside + Path.DirectorySeparatorChar));
        Assert.Null(PythonInterpreter.FindPortable(Path.Combine(_folder.FullName, "portable", "LatentBridge", "bin", "win-x64")));
        Assert.Null(PythonInterpreter.FindPortable(Path.Combine(_folder.FullName, "other", "ComfyUI", "custom_nodes", "LatentBridge")));
    }

    [Fact]
    public void Parts_of_PATH_that_depend_on_the_current_folder_are_left_out()
    {
        string name = $"planted-{Guid.NewGuid():N}";
        File.WriteAllText(name, ""); // in the current folder
        try
        {
            foreach (string part in new[] { ".", "", "./", "sub/..", $".{Path.PathSeparator}" })
            {
                Assert.Null(PythonInterpreter.FindOnPath(name, part));
            }

            string path = string.Join(Path.PathSeparator, ".", $"\"{Directory.GetCurrentDirectory()}\"");
            Assert.Equal(Path.Combine(Directory.GetCurrentDirectory(), name), PythonInterpreter.FindOnPath(name, path));
        }
        finally
        {
            File.Delete(name);
        }
    }

    [Fact]
    public void The_shim_comes_first_and_the_rest_of_an_isolated_Pythons_path_stays()
    {
        string? python = PythonInterpreter.FindAll().FirstOrDefault();
        Assert.SkipWhen(python is null, "no Python is installed");
        const string Show = "print(*sys.path, sep='\\n')";
        string[] own = Lines(python, "-I", "-c", $"import sys; {Show}");
        Assert.Equal(["/the/shim", .. own], Lines(python, "-I", "-c", PythonInterpreter.FromShimOnly + Show, "/the/shim"));
        Assert.DoesNotContain("", Lines(python, "-c", PythonInterpreter.FromShimOnly + Show, "/the/shim"));
    }

    static string[] Lines(params string[] command)
    {
        using Process process = Process.Start(new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true })!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return output.TrimEnd('\n').Split('\n');
    }

    string Make(params string[] parts)
    {
        string path = Path.Combine([_folder.FullName, .. parts]);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, "");
        return path;
    }
}
