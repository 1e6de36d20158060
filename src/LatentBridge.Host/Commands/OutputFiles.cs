namespace LatentBridge.Host.Commands;

/// <summary>The files that one call of a command writes: none twice, as two inputs of one name would have it.</summary>
sealed class OutputFiles
{
    readonly Dictionary<string, string> _sources = new(OperatingSystem.IsWindows() ? StringComparer.OrdinalIgnoreCase : StringComparer.Ordinal);

    /// <summary>The path itself, which is written now.</summary>
    /// <exception cref="LatentBridgeException">It was written from another input before.</exception>
    internal string Add(string path, string source) => _sources.TryAdd(path, source)
        ? path
        : throw new LatentBridgeException($"\"{path}\" was just written from \"{_sources[path]}\". Choose another folder with --output for \"{source}\".");
}
