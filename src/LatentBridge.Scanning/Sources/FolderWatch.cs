namespace LatentBridge.Scanning.Sources;

/// <summary>Files as they appear in folders: those that are there, then new ones, each when it is written to its end.</summary>
/// <remarks>
/// It looks again and again: notifications of the system do not work on every network drive, and get lost when many come at once. A file counts as whole when its length and time
/// were the same in two looks. Nothing is opened or locked.
/// </remarks>
static class FolderWatch
{
    /// <summary>Time from one look to the next.</summary>
    internal static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    /// <summary>Enumerates until cancelled.</summary>
    /// <param name="paths">Folders, and files to begin with.</param>
    /// <param name="wait">Waits for the next look; returns false to end.</param>
    public static IEnumerable<string> Follow(IReadOnlyList<string> paths, Func<bool> wait)
    {
        HashSet<string> done = [];
        Dictionary<string, (long, DateTime)> seen = [];
        do
        {
            foreach (string path in paths.SelectMany(LatentShards.Find).Where(path => !done.Contains(path)).ToArray())
            {
                FileInfo file = new(path);
                (long Length, DateTime Time) now = file.Exists ? (file.Length, file.LastWriteTimeUtc) : default;
                if (now.Length > 0 && seen.TryGetValue(path, out var before) && before == now)
                {
                    seen.Remove(path);
                    done.Add(path);
                    yield return path;
                }
                else
                {
                    seen[path] = now;
                }
            }
        }
        while (wait());
    }
}
