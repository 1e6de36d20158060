using System.Formats.Tar;
using LatentBridge.Files;

namespace LatentBridge.Scanning.Sources;

/// <summary>A webdataset shard: a tar of small files, of which those of tensors (<c>000123.npy</c>, <c>000123.latent.pth</c>, ...) are read.</summary>
/// <remarks>One of its files is in memory at a time. A tar that ends in the middle of a file is a fault of the shard.</remarks>
static class TarShard
{
    const long MaximumLength = 1L << 30;

    /// <summary>Endings of such files' names.</summary>
    public static readonly string[] Endings = [".tar"];

    /// <summary>Reads a shard.</summary>
    /// <exception cref="LatentBridgeException">It is no tar, or is cut off.</exception>
    public static IEnumerable<ShardItem> Read(string path, LatentRequest request)
    {
        using FileStream file = RegularFile.OpenRead(path);
        foreach (ShardItem item in Read(file, path, request))
        {
            yield return item;
        }
    }

    /// <summary>Reads an open shard.</summary>
    public static IEnumerable<ShardItem> Read(Stream stream, string path, LatentRequest request)
    {
        using TarReader tar = new(stream, leaveOpen: true);
        int item = 0;
        while (Next(tar, path) is { } entry)
        {
            if (entry.DataStream is not { Length: > 0 } || !Array.Exists(TensorShard.Endings, ending => entry.Name.EndsWith(ending, StringComparison.OrdinalIgnoreCase)))
            {
                continue;
            }

            foreach (ShardItem found in Read(entry, path, request, item))
            {
                item++;
                yield return found;
            }
        }
    }

    static TarEntry? Next(TarReader tar, string path)
    {
        try
        {
            return tar.GetNextEntry();
        }
        catch (Exception failure) when (failure is InvalidDataException or EndOfStreamException or FormatException or ArgumentException or OverflowException or InvalidOperationException)
        {
            throw new LatentBridgeException($"{path}: is no sound tar ({failure.Message.TrimEnd('.')}). It is cut off or damaged; copy or download it again.", failure);
        }
    }

    static List<ShardItem> Read(TarEntry entry, string path, LatentRequest request, int first)
    {
        string name = $"{path}/{entry.Name}";
        List<ShardItem> items = [];
        try
        {
            if (entry.Length > MaximumLength)
            {
                throw new LatentBridgeException($"{name}: has {entry.Length} bytes; at most {MaximumLength} are read. Unpack it.");
            }

            byte[] bytes = new byte[entry.Length];
            entry.DataStream!.ReadExactly(bytes);
            using var file = TensorFile.Parse(bytes, name);
            items.AddRange(TensorShard.Read(file, name, request, first).Select(item => item with { Key = entry.Name }));
        }
        catch (NoLatentException)
        {
            // Another file of the sample.
        }
        catch (EndOfStreamException failure)
        {
            throw new LatentBridgeException($"{name}: the tar ends before this file does. It is cut off; copy or download it again.", failure);
        }
        catch (LatentBridgeException failure)
        {
            items.Add(new(first + items.Count, entry.Name, null, 0, failure.Message));
        }

        return items;
    }
}
