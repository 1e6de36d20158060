namespace LatentBridge.Weights;

/// <summary>
/// The weights a user has: looks through folders and says of each file which network it holds and for which latent formats. <c>LatentDecoders.Weights</c> makes one.
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

    static readonly string[] Endings = [".safetensors", ".sft", ".pt", ".pth", ".bin", ".ckpt"];
    static readonly EnumerationOptions Recursive = new() { RecurseSubdirectories = true, MaxRecursionDepth = 2, IgnoreInaccessible = true };

    readonly Lock _lock = new();
    readonly NetworkCatalogue _networks;
    IReadOnlyList<FoundWeights>? _found;

    /// <summary>Makes a library of these folders. Folders that do not exist are passed over. Nothing is read yet.</summary>
    internal WeightLibrary(IEnumerable<string> folders, NetworkCatalogue networks)
    {
        Folders = [.. folders.Where(f => f.Length > 0).Select(Path.GetFullPath).Distinct()];
        _networks = networks;
    }

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
                .Where(file => Endings.Contains(file.Extension, StringComparer.OrdinalIgnoreCase) || _networks.KindOf(file) is not null)
                .Take(MaximumFiles)
                .OrderBy(file => file.FullName, StringComparer.Ordinal);
            foreach (FileInfo file in files)
            {
                if (seen.Add(file.FullName))
                {
                    found.AddRange(_networks.Look(file));
                }
            }
        }

        return found;
    }
}
