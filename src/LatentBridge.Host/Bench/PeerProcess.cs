using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using LatentBridge.Host.Python;
using Newtonsoft.Json;

namespace LatentBridge.Host.Bench;

/// <summary>
/// Somebody else's program doing the same work, as a script of <c>benchmarks/peers</c>: its first line says who it is, then it answers each
/// number with the milliseconds it took. It times itself, so that the pipe does not count, and takes turns with us, so that both meet the
/// same machine.
/// </summary>
sealed class PeerProcess : IDisposable
{
    readonly Process _process;

    PeerProcess(Process process, string name, double bytes)
    {
        _process = process;
        (Name, Bytes) = (name, bytes);
    }

    /// <summary>This program and what stands before its own arguments.</summary>
    internal static string[] Ourselves { get; } = Path.GetFileNameWithoutExtension(Environment.ProcessPath!) == "dotnet"
        ? [Environment.ProcessPath!, Path.Combine(AppContext.BaseDirectory, "LatentBridge.Host.dll")]
        : [Environment.ProcessPath!];

    /// <summary>Who it is, with its version.</summary>
    internal string Name { get; }

    /// <summary>Bytes of its result, mean; 0 where it did not say.</summary>
    internal double Bytes { get; }

    /// <summary>The most memory it has had so far, in bytes.</summary>
    internal long PeakMemoryBytes
    {
        get
        {
            _process.Refresh();
            return _process.PeakWorkingSet64;
        }
    }

    /// <summary>
    /// Starts a peer with the first Python (<c>.js</c>: with the <c>node</c> on PATH) of this machine that has what it needs; null when none has.
    /// </summary>
    internal static PeerProcess? TryStart(string script, params string[] arguments)
    {
        if (Distribution.Find("benchmarks", "peers", script) is not { } path)
        {
            return null;
        }

        IEnumerable<string> programs = script.EndsWith(".js", StringComparison.Ordinal) ? PythonInterpreter.FindOnPath("node") is { } node ? [node] : [] : PythonInterpreter.FindAll();
        string[] before = script.EndsWith(".js", StringComparison.Ordinal) ? [path] : ["-E", .. PythonInterpreter.Utf8, path];
        return programs.Select(program => TryStart(new ProcessStartInfo(program, [.. before, .. arguments]))).FirstOrDefault(peer => peer is not null);
    }

    /// <summary>Starts this program as a peer of itself: <c>bench</c> with these arguments.</summary>
    /// <param name="arguments">What stands behind <c>bench</c>.</param>
    /// <param name="kernel">A kernel width to force, or null.</param>
    /// <exception cref="LatentBridgeException">It did not start.</exception>
    internal static PeerProcess StartOurs(string[] arguments, string? kernel)
    {
        ProcessStartInfo start = new(Ourselves[0], [.. Ourselves[1..], "bench", .. arguments]);
        start.Environment.TryAdd("DOTNET_EnableDiagnostics", "0"); // its pipes would stay in the temporary folder after a kill
        if (kernel is not null)
        {
            start.Environment[Simd.Kernel.Variable] = kernel;
        }

        return TryStart(start) ?? throw new LatentBridgeException($"{Ourselves[0]} did not take part in its own benchmark (arguments: {string.Join(' ', arguments)}).");
    }

    /// <summary>Starts a peer; null when the system cannot start it, or when it ends without a word.</summary>
    internal static PeerProcess? TryStart(ProcessStartInfo start)
    {
        start.RedirectStandardInput = true;
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        start.StandardOutputEncoding = Encoding.UTF8;
        start.StandardErrorEncoding = Encoding.UTF8;
        Process? process;
        try
        {
            process = Process.Start(start);
        }
        catch (Win32Exception)
        {
            return null;
        }

        if (process is null)
        {
            return null;
        }

        process.BeginErrorReadLine();
        if (process.StandardOutput.ReadLine() is { } introduction)
        {
            (string name, double bytes) = Read(introduction);
            return new(process, name, bytes);
        }

        process.WaitForExit();
        process.Dispose();
        return null;
    }

    /// <summary>Has it do one piece of work; returns the milliseconds it took.</summary>
    internal double Measure(int number)
    {
        _process.StandardInput.WriteLine(number.ToString(CultureInfo.InvariantCulture));
        _process.StandardInput.Flush();
        string answer = _process.StandardOutput.ReadLine() ?? throw new LatentBridgeException($"The peer {Name} ended during the benchmark.");
        return double.Parse(answer, CultureInfo.InvariantCulture);
    }

    /// <summary>Lets it end.</summary>
    public void Dispose()
    {
        _process.StandardInput.Close();
        if (!_process.WaitForExit(TimeSpan.FromSeconds(5)))
        {
            _process.Kill();
        }

        _process.Dispose();
    }

    static (string Name, double Bytes) Read(string introduction)
    {
        string name = "";
        double bytes = 0;
        using JsonTextReader json = new(new StringReader(introduction));
        while (json.Read())
        {
            if (json.TokenType == JsonToken.PropertyName && json.Depth == 1)
            {
                if ((string)json.Value! == "name")
                {
                    name = json.ReadAsString() ?? "";
                }
                else if ((string)json.Value! == "bytes")
                {
                    bytes = json.ReadAsDouble() ?? 0;
                }
            }
        }

        return (name, bytes);
    }
}
