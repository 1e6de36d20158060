namespace LatentBridge.Host;

/// <summary>What lies beside this program: the rest of a release, or of the clone it was built in.</summary>
static class Distribution
{
    const int LevelsToClone = 4;

    /// <summary>A file or folder of the distribution; null when it does not exist.</summary>
    internal static string? Find(params string[] parts) => Folders(AppContext.BaseDirectory)
        .Select(folder => Path.Combine([folder, .. parts]))
        .FirstOrDefault(Path.Exists);

    /// <summary>
    /// The folders to look in: the program's own and its parent; the release's root, where the program is in <c>bin/RUNTIME</c>; the clone's
    /// root, where it is in <c>artifacts/bin/PROJECT/release</c>.
    /// </summary>
    /// <remarks>No other folder above is looked into: what lies there is not ours, may be somebody else's, and some of it would be run.</remarks>
    internal static IEnumerable<string> Folders(string program)
    {
        DirectoryInfo? folder = new(Path.TrimEndingDirectorySeparator(program));
        string below = "";
        for (int level = 0; folder is not null && level <= LevelsToClone; level++)
        {
            bool isRelease = level == 2 && below == "bin";
            bool isClone = File.Exists(Path.Combine(folder.FullName, "LatentBridge.sln"));
            if (level < 2 || isRelease || isClone)
            {
                yield return folder.FullName;
            }

            (below, folder) = (folder.Name, folder.Parent);
        }
    }
}
