namespace LatentBridge.Scanning;

/// <summary>Names of thumbnails below their folder: those of the shards below the folder that all scanned paths have in common, so no two are the same.</summary>
sealed class PreviewNames(IEnumerable<string> scanned)
{
    readonly string _root = Common([.. scanned.Select(Path.GetFullPath).Select(static path => Directory.Exists(path) ? path : Path.GetDirectoryName(path)!)]);

    /// <summary>A shard's name, with the folders between the common one and the shard.</summary>
    public string Of(string shard)
    {
        string path = Path.GetFullPath(shard);
        return _root.Length > 0 ? Path.GetRelativePath(_root, path) : path.Replace(":", "", StringComparison.Ordinal).TrimStart('/', '\\');
    }

    /// <summary>The deepest folder that holds all; "" when they lie on several drives.</summary>
    static string Common(string[] folders)
    {
        string? common = folders.Length > 0 ? folders[0] : null;
        while (common is not null && !Array.TrueForAll(folders, folder => IsBelow(folder, common)))
        {
            common = Path.GetDirectoryName(common);
        }

        return common ?? "";
    }

    static bool IsBelow(string folder, string above) => Path.GetRelativePath(above, folder) is var path && path != ".." && !path.StartsWith($"..{Path.DirectorySeparatorChar}", StringComparison.Ordinal) && !Path.IsPathRooted(path);
}
