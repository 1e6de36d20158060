using System.Buffers.Binary;
using LatentBridge.Files;

namespace LatentBridge.Scanning.Sources;

/// <summary>
/// diffusion-pipe's <c>shard_N.bin</c>: what <c>torch.save</c> wrote of one item after another, which are ZIP files without a gap. Its <c>metadata.db</c> says where each begins;
/// the ZIP files' own end records say it too, so the database is not needed, and a shard that is still being written is read as far as it goes.
/// </summary>
/// <remarks>Source: tdrussell/diffusion-pipe, utils/cache.py.</remarks>
static class DiffusionPipeShard
{
    const int EndLength = 22;
    const int ChunkLength = 1 << 18;
    const uint Elsewhere = uint.MaxValue; // the 64-bit record has the number
    const long MaximumItem = 1L << 30;

    /// <summary>Endings of such files' names.</summary>
    public static readonly string[] Endings = [".bin"];

    static ReadOnlySpan<byte> EndRecord => "PK\u0005\u0006"u8;

    static ReadOnlySpan<byte> CentralHeader => "PK\u0001\u0002"u8;

    /// <summary>Reads a shard.</summary>
    /// <exception cref="NoLatentException">Another program's <c>.bin</c>.</exception>
    /// <exception cref="LatentBridgeException">It ends in the middle of an item.</exception>
    public static IEnumerable<ShardItem> Read(string path, LatentRequest request)
    {
        using var bytes = TensorBytes.OpenFile(path);
        foreach (ShardItem item in Read(bytes, path, request))
        {
            yield return item;
        }
    }

    /// <summary>Reads an open shard.</summary>
    public static IEnumerable<ShardItem> Read(TensorBytes bytes, string path, LatentRequest request)
    {
        long start = 0;
        int item = 0;
        while (start < bytes.Length)
        {
            if (!Begins(bytes, start))
            {
                throw start == 0
                    ? new NoLatentException($"{path}: is no shard of diffusion-pipe.")
                    : new LatentBridgeException($"{path}: no item begins at byte {start}. The file is damaged; make the cache again.");
            }

            long end = FindEnd(bytes, start) ?? throw new LatentBridgeException($"{path}: the item that begins at byte {start} has no end. The file is cut off, or still being written.");
            foreach (ShardItem found in Read(bytes.ReadArray(start, end - start, MaximumItem, "item"), path, request, item))
            {
                yield return found;
            }

            item++;
            start = end;
        }
    }

    /// <summary>The latent of one item; its number counts items, one latent each.</summary>
    static List<ShardItem> Read(byte[] bytes, string path, LatentRequest request, int item)
    {
        try
        {
            using var file = TensorFile.Parse(bytes, path);
            return [.. TensorShard.Read(file, path, request, item).Take(1)];
        }
        catch (NoLatentException)
        {
            return []; // text embeddings are cached in shards of the same kind
        }
        catch (LatentBridgeException failure)
        {
            return [new(item, "item", null, 0, failure.Message)];
        }
    }

    static bool Begins(TensorBytes bytes, long start)
    {
        Span<byte> signature = stackalloc byte[4];
        if (!bytes.Holds(start, 4))
        {
            return false;
        }

        bytes.Read(start, signature);
        return signature.SequenceEqual("PK\u0003\u0004"u8);
    }

    /// <summary>Where the ZIP file that begins at <paramref name="start"/> ends: behind the first end record whose directory is where it says.</summary>
    static long? FindEnd(TensorBytes bytes, long start)
    {
        byte[] chunk = new byte[ChunkLength];
        for (long offset = start; offset + EndLength <= bytes.Length; offset += ChunkLength - EndLength + 1)
        {
            Span<byte> read = chunk.AsSpan(0, (int)Math.Min(ChunkLength, bytes.Length - offset));
            bytes.Read(offset, read);
            for (int at = 0, found; (found = read[at..].IndexOf(EndRecord)) >= 0 && at + found + EndLength <= read.Length; at += found + 1)
            {
                ReadOnlySpan<byte> record = read.Slice(at + found, EndLength);
                if (IsEnd(bytes, start, offset + at + found, record))
                {
                    return offset + at + found + EndLength + BinaryPrimitives.ReadUInt16LittleEndian(record[20..]);
                }
            }
        }

        return null;
    }

    static bool IsEnd(TensorBytes bytes, long start, long at, ReadOnlySpan<byte> record)
    {
        uint size = BinaryPrimitives.ReadUInt32LittleEndian(record[12..]), offset = BinaryPrimitives.ReadUInt32LittleEndian(record[16..]);
        if (offset == Elsewhere || size == Elsewhere)
        {
            return true;
        }

        Span<byte> header = stackalloc byte[4];
        if (start + offset + size > at || !bytes.Holds(start + offset, 4))
        {
            return false;
        }

        bytes.Read(start + offset, header);
        return header.SequenceEqual(CentralHeader);
    }
}
