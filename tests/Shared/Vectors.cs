using System.Runtime.CompilerServices;
using System.Text.Json;

namespace LatentBridge.Testing;

/// <summary>The committed protocol vectors of <c>tests/Vectors</c>, which the Python tests read too.</summary>
static class Vectors
{
    public static string Folder { get; } = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(Here())!, "..", "Vectors"));

    public sealed record Case(string Name, JsonElement Fields, byte[] Bytes)
    {
        public override string ToString() => Name;
    }

    /// <summary>The cases of <c>header-page</c>, <c>latent-slot</c> or <c>image-slot</c>; <paramref name="kind"/> is <c>good</c> or <c>bad</c>.</summary>
    public static IReadOnlyList<Case> Cases(string file, string kind)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(Path.Combine(Folder, file + ".json")));
        return [.. document.RootElement.GetProperty(kind).EnumerateArray().Select(c => new Case(
            c.GetProperty("name").GetString()!,
            c.GetProperty("fields").Clone(),
            Convert.FromHexString(string.Concat(c.GetProperty("hex").EnumerateArray().Select(row => row.GetString()!.Replace(" ", "", StringComparison.Ordinal))))))];
    }

    /// <summary>The literal control line of this name and direction (<c>&gt;</c> shim, <c>&lt;</c> host).</summary>
    public static string Message(string name, char direction) => Messages().Single(m => m.Name == name && m.Direction == direction).Line;

    public static IEnumerable<(string Name, char Direction, string Line)> Messages()
    {
        foreach (string line in File.ReadLines(Path.Combine(Folder, "messages.txt")))
        {
            if (!line.StartsWith('#'))
            {
                string[] parts = line.Split(' ', 3);
                yield return (parts[0], parts[1][0], parts[2]);
            }
        }
    }

    /// <summary>Lines that are answered with an error: name, line, code, id as JSON.</summary>
    public static IReadOnlyList<(string Name, string Line, int Code, string Id)> BadLines()
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(Path.Combine(Folder, "bad-lines.json")));
        return [.. document.RootElement.GetProperty("lines").EnumerateArray().Select(l => (
            l.GetProperty("name").GetString()!, l.GetProperty("line").GetString()!, l.GetProperty("code").GetInt32(), l.GetProperty("id").GetRawText()))];
    }

    static string Here([CallerFilePath] string path = "") => path;
}
