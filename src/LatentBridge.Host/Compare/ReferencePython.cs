using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using LatentBridge.Host.Python;
using LatentBridge.Host.Sheets;
using LatentBridge.Latents;

namespace LatentBridge.Host.Compare;

/// <summary>A child Python with the reference decoders: the module <c>latentbridge.reference</c>, whose lines are written down there.</summary>
sealed class ReferencePython : IDisposable
{
    // With -m, Python would look into the current folder first, whatever lies there.
    const string RunModule = PythonInterpreter.FromShimOnly + "runpy.run_module('latentbridge.reference', run_name='__main__')";

    static readonly TimeSpan EndPatience = TimeSpan.FromSeconds(5);

    readonly Process _process;
    readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("latentbridge-compare-");
    readonly List<string> _errors = [];
    readonly string _path;

    ReferencePython(string path, string shim)
    {
        _path = path;
        ProcessStartInfo start = new(path, [.. PythonInterpreter.Utf8, "-c", RunModule, shim])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,
        };
        _process = Process.Start(start)!;
        _process.ErrorDataReceived += (_, line) =>
        {
            if (line.Data is not null)
            {
                lock (_errors)
                {
                    _errors.Add(line.Data);
                }
            }
        };
        _process.BeginErrorReadLine();
    }

    /// <summary>Libraries it has, with their versions.</summary>
    internal IReadOnlyDictionary<string, string> Libraries { get; private set; } = new Dictionary<string, string>();

    /// <summary>As <c>Python 3.12.1, numpy 2.1.0, torch 2.6.0 (/usr/bin/python3)</c>.</summary>
    internal string Description { get; private set; } = "";

    /// <summary>The first Python that has all the wanted libraries; else the one that has most of them.</summary>
    /// <param name="named">The one <c>--python</c> names, looked at alone; null: that of <see cref="PythonInterpreter.Variable"/>, of the virtual environment, on PATH, of the system.</param>
    /// <param name="wanted">Libraries that the decoders asked for need, of <see cref="References.Libraries"/>.</param>
    /// <exception cref="LatentBridgeException">None has any of them; the message says what each place has and what helps.</exception>
    internal static ReferencePython Start(string? named, IReadOnlyCollection<string> wanted)
    {
        string shim = PythonInterpreter.FindShimFolder()
            ?? throw new LatentBridgeException("python/latentbridge, which has the reference decoders, is not next to this program. Unpack the whole release, or run from the clone.");
        ReferencePython? best = null;
        List<string> tried = [];
        foreach (string path in named is null ? Places() : [named])
        {
            ReferencePython? found = TryStart(path, shim, tried);
            if (found is null)
            {
                continue;
            }

            if (found.Count(wanted) > (best?.Count(wanted) ?? 0))
            {
                (best, found) = (found, best);
            }

            found?.Dispose();
            if (best?.Count(wanted) == wanted.Count)
            {
                return best;
            }
        }

        return best ?? throw new LatentBridgeException(
            $"No Python with {string.Join(" or ", wanted)} was found ({(tried.Count == 0 ? "there is no Python" : string.Join("; ", tried))}). "
            + $"Install them (python -m pip install {string.Join(' ', wanted)}), or name a Python that has them with --python or {PythonInterpreter.Variable}.");
    }

    /// <summary>What to type to have this Python get a library.</summary>
    internal string HowToInstall(string library) => $"{_path} -m pip install {library}";

    /// <summary>Decodes planes with the reference of a decoder.</summary>
    /// <param name="planes">F32, in the sampler's scale.</param>
    /// <param name="decoderId">As the catalogue names it.</param>
    /// <param name="library">One of <see cref="Libraries"/>.</param>
    /// <param name="formatId">The latent format.</param>
    /// <param name="weights">The decoder's file; null where it has none.</param>
    /// <param name="threads">Threads it may use.</param>
    /// <param name="runs">How often it decodes.</param>
    internal ReferencePicture Decode(LatentPlanes planes, string decoderId, string library, string formatId, string? weights, int threads, int runs)
    {
        string latent = Path.Combine(_folder.FullName, "latent.f32");
        string picture = Path.Combine(_folder.FullName, "picture.rgb");
        File.WriteAllBytes(latent, MemoryMarshal.AsBytes(planes.Values));
        using MemoryStream line = new();
        using (Utf8JsonWriter json = new(line))
        {
            json.WriteStartObject();
            json.WriteString("decoder", decoderId);
            json.WriteString("library", library);
            json.WriteString("format", formatId);
            json.WriteString("weights", weights);
            json.WriteString("latent", latent);
            json.WriteNumber("channels", planes.Channels);
            json.WriteNumber("height", planes.Height);
            json.WriteNumber("width", planes.Width);
            json.WriteString("picture", picture);
            json.WriteNumber("threads", threads);
            json.WriteNumber("runs", runs);
            json.WriteEndObject();
        }

        line.WriteByte((byte)'\n');
        _process.StandardInput.BaseStream.Write(line.GetBuffer(), 0, (int)line.Length);
        _process.StandardInput.BaseStream.Flush();
        string answer = _process.StandardOutput.ReadLine()
            ?? throw new LatentBridgeException($"{Description} ended while decoding with {decoderId}: {LastError()}. Is there enough memory?");
        using JsonDocument document = JsonDocument.Parse(answer);
        JsonElement root = document.RootElement;
        if (root.TryGetProperty("error", out JsonElement error))
        {
            return new(null, 0, null, FirstLine(error.GetString()!));
        }

        JsonElement memory = root.GetProperty("memoryBytes");
        return new(
            new Picture(File.ReadAllBytes(picture), root.GetProperty("width").GetInt32(), root.GetProperty("height").GetInt32()),
            root.GetProperty("milliseconds").EnumerateArray().Min(value => value.GetDouble()),
            memory.ValueKind == JsonValueKind.Null ? null : memory.GetInt64(),
            null);
    }

    /// <summary>Lets it end.</summary>
    public void Dispose()
    {
        try
        {
            _process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It ended before it read all.
        }

        if (!_process.WaitForExit(EndPatience))
        {
            _process.Kill();
        }

        _process.Dispose();
        _folder.Delete(recursive: true);
    }

    /// <summary>Where Python is looked for: that of <see cref="PythonInterpreter.Variable"/>, of the virtual environment, on PATH, of the system.</summary>
    internal static IEnumerable<string> Places()
    {
        string? environment = Environment.GetEnvironmentVariable("VIRTUAL_ENV");
        string? ofEnvironment = string.IsNullOrEmpty(environment) ? null
            : OperatingSystem.IsWindows() ? Path.Combine(environment, "Scripts", "python.exe")
            : Path.Combine(environment, "bin", "python");
        string? set = Environment.GetEnvironmentVariable(PythonInterpreter.Variable);
        return new[] { set, ofEnvironment }.OfType<string>().Where(File.Exists).Concat(PythonInterpreter.FindAll()).Distinct();
    }

    static ReferencePython? TryStart(string path, string shim, List<string> tried)
    {
        ReferencePython started;
        try
        {
            started = new ReferencePython(path, shim);
        }
        catch (System.ComponentModel.Win32Exception failure)
        {
            tried.Add($"{path}: {failure.Message}");
            return null;
        }

        if (started._process.StandardOutput.ReadLine() is { } introduction && started.TryIntroduce(introduction))
        {
            tried.Add(started.Description);
            return started;
        }

        started._process.WaitForExit(EndPatience);
        tried.Add($"{path}: {started.LastError()}");
        started.Dispose();
        return null;
    }

    bool TryIntroduce(string line)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            Libraries = References.Libraries
                .Select(name => (Name: name, Version: document.RootElement.GetProperty(name).GetString()))
                .Where(library => library.Version is not null)
                .ToDictionary(library => library.Name, library => library.Version!);
            string version = document.RootElement.GetProperty("python").GetString()!;
            string with = Libraries.Count == 0 ? "no library of the references" : string.Join(", ", Libraries.Select(library => $"{library.Key} {library.Value}"));
            Description = $"Python {version}, {with} ({_path})";
            return true;
        }
        catch (Exception failure) when (failure is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            return false;
        }
    }

    int Count(IReadOnlyCollection<string> wanted) => wanted.Count(Libraries.ContainsKey);

    string LastError()
    {
        lock (_errors)
        {
            return _errors.Count > 0 ? _errors[^1] : "it said nothing";
        }
    }

    static string FirstLine(string text) => text.Split('\n')[0].Trim();
}
