using System.Text.Json;
using LatentBridge.Host.Python;

namespace LatentBridge.Host.Doctor;

/// <summary>Python, the shim, and the chain of places where the shim looks for this program.</summary>
static class PythonCheck
{
    internal static IEnumerable<Finding> Run()
    {
        List<(string Place, string Found)> tried = [];
        PythonInterpreter? python = PythonInterpreter.Find(tried);
        if (python is null)
        {
            yield return new(
                "python", FindingState.Note, string.Join("; ", tried.Select(place => $"{place.Place}: {place.Found}")),
                $"UIs, demo and `bench bridge` need Python 3.10 or newer. Install it, or name it in {PythonInterpreter.Variable}.");
            yield break;
        }

        yield return new("python", FindingState.Good, $"{python.Version}, {python.Path}");
        if (PythonInterpreter.FindShimFolder() is not { } shim)
        {
            yield return new("shim", FindingState.Note, "python/latentbridge is not next to this program", "Unpack the whole release, or run from the clone.");
            yield break;
        }

        yield return new("shim", FindingState.Good, shim);
        foreach (Finding finding in AskShim(python))
        {
            yield return finding;
        }
    }

    static List<Finding> AskShim(PythonInterpreter python)
    {
        List<string> errors = [];
        (_, string report) = python.RunShim(["doctor", "--json"], errors.Add, hostIsThis: false);
        try
        {
            using JsonDocument document = JsonDocument.Parse(report);
            return Read(document.RootElement);
        }
        catch (Exception failure) when (failure is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            return [new("shim", FindingState.Bad, $"its doctor did not answer: {errors.LastOrDefault() ?? failure.Message}", "Unpack the release again, or rebuild the clone: program and shim may have different versions.")];
        }
    }

    // What `python -m latentbridge doctor --json` reports: see python/latentbridge/doctor.py.
    static List<Finding> Read(JsonElement report)
    {
        List<Finding> findings = [];
        JsonElement memory = report.GetProperty("sharedMemory");
        findings.Add(memory.GetProperty("problem").GetString() is { } problem
            ? new("shared memory", FindingState.Bad, problem, OperatingSystem.IsWindows() ? "Free some memory, or make Windows' page file bigger." : "Free some memory, or raise the limit of the container or session.")
            : new("shared memory", FindingState.Good, $"room for {memory.GetProperty("triedBytes").GetInt64() >> 20} MB"));
        findings.Add(new("libraries", FindingState.Good, string.Join(", ", report.GetProperty("libraries").EnumerateObject()
            .Select(library => $"{library.Name} {library.Value.GetString() ?? "not installed"}"))));
        foreach (JsonElement package in report.GetProperty("optional").EnumerateArray())
        {
            string? version = package.GetProperty("version").GetString();
            findings.Add(new(
                $"{package.GetProperty("name").GetString()} for Python", version is null ? FindingState.Absent : FindingState.Good,
                version is null ? $"not installed: {package.GetProperty("serves").GetString()}" : $"{version}, {package.GetProperty("path").GetString()}"));
        }

        string? used = report.GetProperty("host").ValueKind == JsonValueKind.Array ? string.Join(' ', report.GetProperty("host").EnumerateArray().Select(part => part.GetString())) : null;
        foreach (JsonElement place in report.GetProperty("places").EnumerateArray())
        {
            string where = string.Join(' ', new[] { place.GetProperty("finder").GetString(), place.GetProperty("path").GetString() }.OfType<string>());
            string? version = place.GetProperty("version").GetString();
            findings.Add(new("host looked for", version is null ? FindingState.Absent : FindingState.Good, $"{where}: {version ?? place.GetProperty("problem").GetString()}"));
        }

        findings.Add(used is null
            ? new("host used", FindingState.Bad, "none", $"Build it with {(OperatingSystem.IsWindows() ? @".\run.ps1" : "./run.sh")}, unpack a release, or set LATENTBRIDGE_HOST to its path.")
            : new("host used", FindingState.Good, used));
        return findings;
    }
}
