using System.Diagnostics;
using System.Globalization;
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

    /// <summary>Who it is, with its version.</summary>
    internal string Name { get; }

    /// <summary>Bytes of its result, mean; 0 where it did not say.</summary>
    internal double Bytes { get; }

    /// <summary>Starts a peer with the first Python of this machine that has what it needs; null when none has.</summary>
    internal static PeerProcess? TryStart(string script, params string[] arguments)
    {
        if (Distribution.Find("benchmarks", "peers", script) is not { } path)
        {
            return null;
        }

        foreach (string python in PythonInterpreter.FindAll())
        {
            ProcessStartInfo start = new(python, ["-E", path, .. arguments])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            Process process = Process.Start(start)!;
            process.BeginErrorReadLine();
            if (process.StandardOutput.ReadLine() is { } introduction)
            {
                (string name, double bytes) = Read(introduction);
                return new(process, name, bytes);
            }

            process.WaitForExit();
            process.Dispose();
        }

        return null;
    }

    /// <summary>Has it do one piece of work; returns the milliseconds it took.</summary>
    internal double Measure(int number)
    {
        _process.StandardInput.WriteLine(number.ToString(CultureInfo.InvariantCulture));
        _process.StandardInput.Flush();
        string answer = _process.StandardOutput.ReadLine() ?? throw new LatentBridgeException($"The peer {Name} ended in the middle of the benchmark.");
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
