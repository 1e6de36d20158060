using System.Collections.Concurrent;
using System.Reflection;

namespace LatentBridge.Formats;

/// <summary>The catalogue of latent formats: every file of <c>models/formats</c>, built into the assembly.</summary>
/// <remarks>A format is read when it is first asked for. Safe from any thread.</remarks>
public static class LatentFormats
{
    const string Folder = "formats/";
    const string Extension = ".json";

    static readonly Assembly Home = typeof(LatentFormats).Assembly;
    static readonly ConcurrentDictionary<string, LatentFormat> Loaded = new(StringComparer.Ordinal);

    /// <summary>The ids, sorted; ComfyUI's class names.</summary>
    public static IReadOnlyList<string> Ids { get; } = FindIds();

    /// <summary>Every format, in the order of <see cref="Ids"/>.</summary>
    public static IReadOnlyList<LatentFormat> All => field ??= [.. Ids.Select(Load)];

    /// <summary>The format with that id, in any case; null when there is none.</summary>
    public static LatentFormat? Find(string id)
    {
        string? known = Ids.FirstOrDefault(candidate => string.Equals(candidate, id, StringComparison.OrdinalIgnoreCase));
        return known is null ? null : Load(known);
    }

    /// <summary>The format with that id, in any case.</summary>
    /// <exception cref="LatentBridgeException">There is none; the message names those there are.</exception>
    public static LatentFormat Get(string id) =>
        Find(id) ?? throw new LatentBridgeException($"Latent format \"{id}\" is not known. Known are: {string.Join(", ", Ids)}.");

    /// <summary>Guesses the format from an array's axes alone; see <see cref="FormatGuess.From"/> for the rules.</summary>
    public static FormatGuess Guess(ReadOnlySpan<long> axes) => FormatGuess.From(axes);

    static LatentFormat Load(string id) => Loaded.GetOrAdd(id, static id =>
    {
        using Stream json = Home.GetManifestResourceStream(Folder + id + Extension)!;
        return LatentFormatReader.Read(json, id);
    });

    static string[] FindIds()
    {
        string[] ids = [.. Home.GetManifestResourceNames()
            .Where(name => name.StartsWith(Folder, StringComparison.Ordinal) && name.EndsWith(Extension, StringComparison.Ordinal))
            .Select(name => name[Folder.Length..^Extension.Length])];
        Array.Sort(ids, StringComparer.OrdinalIgnoreCase);
        return ids;
    }
}
