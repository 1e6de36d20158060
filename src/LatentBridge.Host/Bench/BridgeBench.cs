using System.Text.Json;
using LatentBridge.Host.Python;

namespace LatentBridge.Host.Bench;

/// <summary><c>bench bridge</c> and <c>bench learning</c>: measured from Python, where the sampler is; this hands the rows on.</summary>
static class BridgeBench
{
    /// <summary>Measures and returns the rows.</summary>
    /// <param name="what">The command's name, here and there.</param>
    /// <param name="note">Gets what Python says beside the result.</param>
    internal static IReadOnlyList<BenchRow> Run(string what, Action<string> note)
    {
        PythonInterpreter python = PythonInterpreter.Require($"`bench {what}` measures what the sampler's thread in Python pays; it");
        (int exitCode, string report) = python.RunShim(["bench", what, "--json"], note);
        if (exitCode != ExitCode.Done)
        {
            throw new LatentBridgeException("The benchmark's Python side failed; the lines above say why. `latentbridge doctor` looks for the cause.");
        }

        using JsonDocument document = JsonDocument.Parse(report);
        return [.. document.RootElement.GetProperty("rows").EnumerateArray().Select(row => new BenchRow(
            row.GetProperty("name").GetString()!,
            row.GetProperty("unit").GetString()!,
            row.GetProperty("ours").GetDouble(),
            Number(row.GetProperty("p99")),
            Number(row.GetProperty("peer")),
            row.GetProperty("peer_name").GetString()))];
    }

    static double? Number(JsonElement value) => value.ValueKind == JsonValueKind.Number ? value.GetDouble() : null;
}
