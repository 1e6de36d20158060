using System.Diagnostics;

namespace LatentBridge.Weights;

/// <summary>
/// The weights a user has: looks through folders and says of each file which network it holds and for which latent formats. <c>LatentDecoders.Weights</c> makes one.
/// </summary>
/// <remarks>
/// Files are looked at on first use, and again only when their length or time changed; <see cref="Refresh"/> looks again.
/// Folders are searched with their subfolders, two levels deep, each folder for itself: one that does not answer keeps nobody from the others' networks.
/// Only regular files are opened. Safe for use from several threads.
/// </remarks>
public sealed class WeightLibrary
{
    /// <summary>Names the environment variable with further folders, separated as in PATH.</summary>
    public const string FoldersVariable = "LATENTBRIDGE_MODELS";

    /// <summary>Files of one folder that are looked at, at most.</summary>
    const int MaximumFiles = 2000;

    static readonly string[] Endings = [".safetensors", ".sft", ".pt", ".pth", ".bin", ".ckpt"];
    static readonly EnumerationOptions Recursive = new() { RecurseSubdirectories = true, MaxRecursionDepth = 2, IgnoreInaccessible = true };

    readonly Lock _lock = new();
    readonly NetworkCatalogue _networks;
    FolderSearch[]? _searches;
    long _started;

    /// <summary>Makes a library of these folders. Folders that do not exist are passed over. Nothing is read yet.</summary>
    internal WeightLibrary(IEnumerable<string> folders, NetworkCatalogue networks)
    {
        Folders = [.. folders.Where(f => f.Length > 0).Select(Path.GetFullPath).Distinct()];
        _networks = networks;
    }

    /// <summary>Where it looks, first come first.</summary>
    public IReadOnlyList<string> Folders { get; }

    /// <summary>How long one folder may take.</summary>
    internal TimeSpan Limit { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Every network found, in the folders' order and by name within each; files of no use and folders that did not answer are there too and say why.</summary>
    /// <remarks>Waits for the folders, for each at most ten seconds from the beginning of its search.</remarks>
    public IReadOnlyList<FoundWeights> Found
    {
        get
        {
            FolderSearch[] searches = Search(null);
            return InOrder(searches.Select(search => search.Wait(Limit - Stopwatch.GetElapsedTime(_started), Limit)));
        }
    }

    /// <summary>What is found in the folders that have been searched since <see cref="Start"/>. Does not wait.</summary>
    public IReadOnlyList<FoundWeights> FoundSoFar
    {
        get
        {
            FolderSearch[] searches;
            lock (_lock)
            {
                searches = _searches ?? [];
            }

            return InOrder(searches.Select(search => search.Found ?? []));
        }
    }

    /// <summary>The <c>models</c> folder beside the program or in a folder above it, known by its manifest; null when there is none.</summary>
    public static string? OwnFolder()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            string models = Path.Combine(folder.FullName, "models");
            if (File.Exists(Path.Combine(models, "manifest.json")) && Directory.Exists(Path.Combine(models, "tiny")))
            {
                return models;
            }
        }

        return null;
    }

    /// <summary>Forgets what was found, so that the next use looks at the folders again.</summary>
    public void Refresh()
    {
        lock (_lock)
        {
            _searches = null;
        }
    }

    /// <summary>Begins to search the folders that are there, unless that was done.</summary>
    /// <param name="changed">Called whenever a folder has been searched, on a thread of the library. Null: nobody wants to know.</param>
    public void Start(Action changed) => Search(changed);

    FolderSearch[] Search(Action? changed)
    {
        lock (_lock)
        {
            if (_searches is null)
            {
                // The last folder is the program's own: its search begins first, because it is quick and what a preview needs most.
                _started = Stopwatch.GetTimestamp();
                _searches = [.. Folders.Reverse().Select(folder => new FolderSearch(folder, Look, changed)).Reverse()];
            }

            return _searches;
        }
    }

    static List<FoundWeights> InOrder(IEnumerable<IReadOnlyList<FoundWeights>> folders)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var found = new List<FoundWeights>();
        foreach (IReadOnlyList<FoundWeights> folder in folders)
        {
            // One file may hold several networks, and one folder may lie in another.
            found.AddRange(folder.GroupBy(network => network.Path).Where(file => seen.Add(file.Key)).SelectMany(file => file));
        }

        return found;
    }

    List<FoundWeights> Look(string folder)
    {
        if (!Directory.Exists(folder))
        {
            return [];
        }

        IEnumerable<FileInfo> files = new DirectoryInfo(folder).EnumerateFiles("*", Recursive)
            .Where(file => Endings.Contains(file.Extension, StringComparer.OrdinalIgnoreCase) || _networks.KindOf(file) is not null)
            .Take(MaximumFiles)
            .OrderBy(file => file.FullName, StringComparer.Ordinal);
        return [.. files.SelectMany(_networks.Look)];
    }
}
