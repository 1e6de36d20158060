using System.Collections.Concurrent;

namespace LatentBridge.Weights;

/// <summary>
/// The weights a user has: looks through folders and says of each file what network it holds and for which latent formats.
/// </summary>
/// <remarks>
/// Files are looked at on first use, and again only when their length or time changed; <see cref="Refresh"/> looks again.
/// Folders are searched with their subfolders, two levels deep. Safe for use from several threads.
/// </remarks>
public sealed class WeightLibrary
{
    /// <summary>Names the environment variable with further folders, separated as in PATH.</summary>
    public const string FoldersVariable = "LATENTBRIDGE_MODELS";

    /// <summary>Files of one folder that are looked at, at most.</summary>
    const int MaximumFiles = 2000;

    static readonly string[] Endings = [".safetensors", ".sft", ".pt", ".pth"];
    static readonly EnumerationOptions Recursive = new() { RecurseSubdirectories = true, MaxRecursionDepth = 2, IgnoreInaccessible = true };
    static readonly ConcurrentDictionary<string, (long Length, DateTime Written, IReadOnlyList<FoundWeights> Found)> Cache = new();

    static IReadOnlyList<ModelKind> _kinds = [];

    readonly Lock _lock = new();
    IReadOnlyList<FoundWeights>? _found;

    /// <summary>Makes a library of these folders; those that do not exist are passed over. Nothing is read yet.</summary>
    public WeightLibrary(IEnumerable<string> folders) => Folders = [.. folders.Where(f => f.Length > 0).Select(Path.GetFullPath).Distinct()];

    /// <summary>Where it looks, first come first.</summary>
    public IReadOnlyList<string> Folders { get; }

    /// <summary>Every network found, in the folders' order and by name within each; files of no use are there too and say why.</summary>
    public IReadOnlyList<FoundWeights> Found
    {
        get
        {
            lock (_lock)
            {
                return _found ??= Scan();
            }
        }
    }

    /// <summary>
    /// A library of the folders given, of those in <c>LATENTBRIDGE_MODELS</c> and of the program's own <c>models</c> folder (beside the
    /// program, or in the clone it was built in), in this order.
    /// </summary>
    public static WeightLibrary OfThisMachine(IEnumerable<string>? folders = null) => new(
    [
        .. folders ?? [],
        .. (Environment.GetEnvironmentVariable(FoldersVariable) ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries),
        .. OwnFolder() is { } own ? (string[])[own] : [],
    ]);

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

    /// <summary>From now on, files of this kind are found too. To be called once a kind, before any library is used.</summary>
    public static void Add(ModelKind kind) => _kinds = [.. _kinds, kind];

    /// <summary>Forgets what was found, so that the next use looks at the folders again.</summary>
    public void Refresh()
    {
        lock (_lock)
        {
            _found = null;
        }
    }

    List<FoundWeights> Scan()
    {
        var found = new List<FoundWeights>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (string folder in Folders.Where(Directory.Exists))
        {
            IEnumerable<FileInfo> files = new DirectoryInfo(folder).EnumerateFiles("*", Recursive)
                .Where(file => Endings.Contains(file.Extension, StringComparer.OrdinalIgnoreCase) || KindOf(file) is not null)
                .Take(MaximumFiles)
                .OrderBy(file => file.FullName, StringComparer.Ordinal);
            foreach (FileInfo file in files)
            {
                if (seen.Add(file.FullName))
                {
                    found.AddRange(Look(file));
                }
            }
        }

        return found;
    }

    static ModelKind? KindOf(FileInfo file) => _kinds.FirstOrDefault(kind => kind.Ending.Equals(file.Extension, StringComparison.OrdinalIgnoreCase));

    static IReadOnlyList<FoundWeights> Look(FileInfo file)
    {
        if (KindOf(file) is { } kind)
        {
            return [kind.Recognise(file.FullName) with { Kind = kind }];
        }

        if (Cache.TryGetValue(file.FullName, out var known) && known.Length == file.Length && known.Written == file.LastWriteTimeUtc)
        {
            return known.Found;
        }

        IReadOnlyList<FoundWeights> found = WeightRecognition.Recognise(file.FullName);
        Cache[file.FullName] = (file.Length, file.LastWriteTimeUtc, found);
        return found;
    }
}
