using System.ComponentModel;
using System.Diagnostics;
using System.Text;

namespace LatentBridge.EmbeddedPython;

/// <summary>A Python that can be run inside this process.</summary>
/// <param name="Program">Its interpreter, which decides prefix, virtual environment and packages.</param>
/// <param name="Library">Its shared library.</param>
/// <param name="Version">As <c>3.12.4</c>.</param>
public sealed record PythonPlace(string Program, string Library, Version Version)
{
    const string Question =
        "import importlib.util, os, sys, sysconfig as s; v = s.get_config_var; w = sys.platform == 'win32'; n = v('INSTSONAME') or v('LDLIBRARY') or ''; "
        + "print('%d.%d.%d' % sys.version_info[:3], sys.executable, "
        + "os.path.join(sys.base_prefix, 'python%d%d.dll' % sys.version_info[:2]) if w else os.path.join(v('LIBDIR') or '', n) if v('Py_ENABLE_SHARED') else '', "
        + "sum(importlib.util.find_spec(m) is not None for m in sys.argv[1:]), sep='\\n')";

    static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <summary>The first of these interpreters that has a shared library and all the modules; else the one that has most of them.</summary>
    /// <param name="programs">Interpreters, the preferred one first.</param>
    /// <param name="modules">What will be imported.</param>
    /// <exception cref="LatentBridgeException">None can be run inside; the message says what each lacks.</exception>
    public static PythonPlace Find(IEnumerable<string> programs, IReadOnlyCollection<string> modules)
    {
        List<string> tried = [];
        (PythonPlace? Place, int Count) best = (null, -1);
        foreach (string program in programs)
        {
            if (Ask(program, modules, tried) is var (place, count) && count > best.Count)
            {
                best = (place, count);
            }

            if (best.Count == modules.Count)
            {
                break;
            }
        }

        return best.Place ?? throw new LatentBridgeException(
            $"No Python that can run inside this process was found ({(tried.Count == 0 ? "there is no Python" : string.Join("; ", tried))}). "
            + "Install one with a shared library (Debian, Ubuntu: sudo apt install libpython3-dev), or name its interpreter.");
    }

    static (PythonPlace Place, int Count)? Ask(string program, IReadOnlyCollection<string> modules, List<string> tried)
    {
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(program, ["-X", "utf8", "-c", Question, .. modules])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                StandardOutputEncoding = Encoding.UTF8,
                StandardErrorEncoding = Encoding.UTF8,
            })!;
            Task<string> answer = process.StandardOutput.ReadToEndAsync();
            if (!process.WaitForExit(Patience))
            {
                process.Kill(entireProcessTree: true);
                tried.Add($"{program}: does not answer");
                return null;
            }

            string[] lines = answer.Result.Split('\n', StringSplitOptions.TrimEntries);
            if (lines.Length < 4 || !Version.TryParse(lines[0], out Version? version) || !int.TryParse(lines[3], out int count))
            {
                tried.Add($"{program}: does not start");
            }
            else if (!File.Exists(lines[2]))
            {
                tried.Add($"{program}: {version}, without a shared library{(lines[2].Length > 0 ? $" ({lines[2]} does not exist)" : "")}");
            }
            else
            {
                return (new(lines[1], lines[2], version), count);
            }
        }
        catch (Win32Exception failure)
        {
            tried.Add($"{program}: {failure.Message}");
        }

        return null;
    }
}
