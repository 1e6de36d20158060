using System.Diagnostics;
using System.Text;

namespace LatentBridge.Host.Python;

/// <summary>A Python 3.10 or newer on this machine, and the shim it can import.</summary>
/// <param name="Path">The program to start.</param>
/// <param name="Version">As <c>3.12.4</c>.</param>
sealed record PythonInterpreter(string Path, Version Version)
{
    /// <summary>The environment variable that names the interpreter to use.</summary>
    internal const string Variable = "LATENTBRIDGE_PYTHON";

    /// <summary>
    /// The beginning of a program for <c>-c</c> whose first argument is the shim's folder: what is imported comes from there first, and never from
    /// the current folder. A portable Python's path begins with its own library, not with the current folder, and keeps it.
    /// </summary>
    internal const string FromShimOnly = "import runpy, sys; sys.path[:] = [sys.argv.pop(1), *filter(None, sys.path)]; ";

    const string RunModule = FromShimOnly + "runpy.run_module('latentbridge', run_name='__main__', alter_sys=True)";

    /// <summary>Arguments by which a Python reads and writes UTF-8; a portable one heeds no environment variables.</summary>
    internal static readonly string[] Utf8 = ["-X", "utf8"];

    static readonly Version Oldest = new(3, 10);
    static readonly string[] Names = OperatingSystem.IsWindows() ? ["python.exe", "python3.exe", "py.exe"] : ["python3", "python"];

    /// <summary>
    /// Looks for an interpreter: the one <see cref="Variable"/> names, that of the portable ComfyUI which holds this program, then <c>python3</c>,
    /// <c>python</c> and (Windows) <c>py</c> on PATH.
    /// </summary>
    /// <param name="tried">What was found at each place, for messages.</param>
    /// <returns>Null when there is none that is new enough.</returns>
    internal static PythonInterpreter? Find(List<(string Place, string Found)> tried)
    {
        string? named = Environment.GetEnvironmentVariable(Variable);
        List<(string Place, string? Path)> places = [(Variable, string.IsNullOrEmpty(named) ? null : named)];
        if (FindPortable(AppContext.BaseDirectory) is { } portable)
        {
            places.Add(("the portable ComfyUI's", portable));
        }

        foreach (string name in Names)
        {
            places.Add(($"{name} on PATH", FindOnPath(name)));
        }

        foreach ((string place, string? path) in places)
        {
            if (path is null)
            {
                tried.Add((place, place == Variable ? "not set" : "not there"));
                continue;
            }

            Version? version = Ask(path);
            tried.Add((place, version is null ? $"{path}: does not start" : version < Oldest ? $"{path}: {version}, too old" : $"{path}: {version}"));
            if (version >= Oldest)
            {
                return new(path, version);
            }
        }

        return null;
    }

    /// <summary>The paths of every interpreter there seems to be, the preferred one first; Debian's own among them, which has Debian's packages.</summary>
    internal static IEnumerable<string> FindAll() => Names.Select(FindOnPath)
        .Prepend(FindPortable(AppContext.BaseDirectory)).Prepend(Environment.GetEnvironmentVariable(Variable))
        .Append(OperatingSystem.IsWindows() ? null : "/usr/bin/python3") // on Windows that is a folder of the current drive that anyone may make
        .OfType<string>().Where(File.Exists).Distinct();

    /// <summary>The Python of the portable ComfyUI in whose <c>custom_nodes</c> a program lies; null when it lies in none.</summary>
    internal static string? FindPortable(string program)
    {
        for (DirectoryInfo? folder = new(program); folder is not null; folder = folder.Parent)
        {
            if (folder.Name.Equals("custom_nodes", StringComparison.OrdinalIgnoreCase) && folder.Parent?.Parent is { } root)
            {
                string python = System.IO.Path.Combine(root.FullName, "python_embeded", "python.exe");
                return File.Exists(python) ? python : null;
            }
        }

        return null;
    }

    /// <summary>As <see cref="Find"/>, or an exception whose message says what was tried.</summary>
    /// <exception cref="LatentBridgeException">There is no Python 3.10 or newer.</exception>
    internal static PythonInterpreter Require(string wantedFor)
    {
        List<(string Place, string Found)> tried = [];
        return Find(tried) ?? throw new LatentBridgeException(
            $"{wantedFor} needs Python 3.10 or newer, and none was found ({string.Join("; ", tried.Select(t => $"{t.Place}: {t.Found}"))}). "
            + $"Install it (Debian, Ubuntu: sudo apt install python3; else https://www.python.org/downloads/) or name it in {Variable}.");
    }

    /// <summary>The folder that holds the shim's package <c>latentbridge</c>: beside this program, or the program is in the package, as pip installs it. Null: there is none.</summary>
    internal static string? FindShimFolder() => (Distribution.Find("python", "latentbridge", "__init__.py") ?? Distribution.Find("host_locator.py")) is { } package
        ? System.IO.Path.GetDirectoryName(System.IO.Path.GetDirectoryName(package))
        : null;

    /// <summary>Runs a command of the shim, <c>python -m latentbridge ...</c>.</summary>
    /// <remarks>Not by <c>-m</c>: that would import whatever is named latentbridge in the current folder, such as a release unpacked there.</remarks>
    /// <param name="arguments">The command and its arguments.</param>
    /// <param name="error">Gets what it writes to stderr, line by line.</param>
    /// <param name="hostIsThis">Whether this program is to be the host, unless the environment names one; else the shim looks for one.</param>
    /// <returns>Its exit code and all of its stdout.</returns>
    /// <exception cref="LatentBridgeException">The shim was not found.</exception>
    internal (int ExitCode, string Output) RunShim(IEnumerable<string> arguments, Action<string> error, bool hostIsThis = true)
    {
        string shim = FindShimFolder()
            ?? throw new LatentBridgeException("The Python package (python/latentbridge) is not next to this program. Unpack the whole release, or run from the clone.");
        ProcessStartInfo start = new(Path, [.. Utf8, "-c", RunModule, shim, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,
        };
        if (hostIsThis && Environment.ProcessPath is { } self && System.IO.Path.GetFileNameWithoutExtension(self) is not ("dotnet" or "testhost"))
        {
            start.Environment.TryAdd("LATENTBRIDGE_HOST", self);
        }

        using Process process = Process.Start(start)!;
        process.ErrorDataReceived += (_, line) =>
        {
            if (line.Data is not null)
            {
                error(line.Data);
            }
        };
        process.BeginErrorReadLine();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output);
    }

    /// <summary>The path of a program on PATH; null when it does not exist. Parts of PATH that depend on the current folder are left out: what lies there may be anybody's.</summary>
    internal static string? FindOnPath(string name) => FindOnPath(name, Environment.GetEnvironmentVariable("PATH") ?? "");

    /// <summary>The same on a PATH of this value.</summary>
    internal static string? FindOnPath(string name, string path) => path
        .Split(System.IO.Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
        .Select(folder => folder.Trim('"'))
        .Where(System.IO.Path.IsPathFullyQualified)
        .Select(folder => System.IO.Path.Combine(folder, name))
        .FirstOrDefault(File.Exists);

    // Windows puts a `python.exe` on PATH that only opens its store; it does not answer, which gives it away.
    static Version? Ask(string path)
    {
        try
        {
            ProcessStartInfo start = new(path, ["-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            using Process process = Process.Start(start)!;
            Task<string> answer = process.StandardOutput.ReadToEndAsync();
            if (!process.WaitForExit(TimeSpan.FromSeconds(20)))
            {
                process.Kill(entireProcessTree: true);
                return null;
            }

            return Version.TryParse(answer.Result.Trim(), out Version? version) ? version : null;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }
}
