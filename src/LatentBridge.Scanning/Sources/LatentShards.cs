using LatentBridge.Files;

namespace LatentBridge.Scanning.Sources;

/// <summary>The list of the kinds of shard: each finds its files by their names and reads them latent by latent.</summary>
static class LatentShards
{
    const int MaximumDepth = 32;

    /// <summary>Caches of text embeddings that trainers keep beside those of latents.</summary>
    static readonly string[] TextCaches = ["_te_outputs.npz", "_te.safetensors", "_te.npz"];

    static readonly (string[] Endings, Func<string, LatentRequest, IEnumerable<ShardItem>> Read)[] Kinds =
    [
        (MdsShard.Endings, MdsShard.Read), // before the .gz of tensors
        (TensorShard.Endings, TensorShard.Read),
        (TarShard.Endings, TarShard.Read),
        (ParquetShard.Endings, ParquetShard.Read),
        (DiffusionPipeShard.Endings, DiffusionPipeShard.Read),
    ];

    /// <summary>Endings of the names of all kinds of shard.</summary>
    public static IEnumerable<string> Endings => Kinds.SelectMany(kind => kind.Endings);

    /// <summary>Reads a shard latent by latent, from front to back.</summary>
    /// <exception cref="LatentBridgeException">It cannot be read, or not further: also while it is enumerated.</exception>
    public static IEnumerable<ShardItem> Read(string path, LatentRequest request) => Kind(path)?.Read(path, request) ?? TensorShard.Read(path, request);

    /// <summary>A file itself, or the shards below a folder: file by file in the order of their names, then folder by folder.</summary>
    /// <exception cref="LatentBridgeException">There is no such file or folder, or the folder cannot be read.</exception>
    public static IEnumerable<string> Find(string path)
    {
        if (File.Exists(path))
        {
            return [path];
        }

        return Directory.Exists(path) ? FindBelow(path, 0) : throw new LatentBridgeException($"\"{path}\" is neither a file nor a folder.");
    }

    /// <summary>Whether a folder's file of this name is a shard.</summary>
    public static bool IsShard(string path) => Kind(path) is not null && !Array.Exists(TextCaches, ending => path.EndsWith(ending, StringComparison.OrdinalIgnoreCase));

    static IEnumerable<string> FindBelow(string folder, int depth)
    {
        foreach (string file in Sorted(Directory.EnumerateFiles(folder).Where(IsShard)))
        {
            yield return file;
        }

        foreach (string below in depth < MaximumDepth ? Sorted(Directory.EnumerateDirectories(folder)) : [])
        {
            foreach (string file in FindBelow(below, depth + 1))
            {
                yield return file;
            }
        }
    }

    static string[] Sorted(IEnumerable<string> paths)
    {
        try
        {
            string[] sorted = [.. paths];
            Array.Sort(sorted, StringComparer.Ordinal);
            return sorted;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new LatentBridgeException($"{failure.Message} Check the folder's permissions.", failure);
        }
    }

    static (string[] Endings, Func<string, LatentRequest, IEnumerable<ShardItem>> Read)? Kind(string path)
    {
        foreach (var kind in Kinds)
        {
            if (Array.Exists(kind.Endings, ending => path.EndsWith(ending, StringComparison.OrdinalIgnoreCase)))
            {
                return kind;
            }
        }

        return null;
    }
}
