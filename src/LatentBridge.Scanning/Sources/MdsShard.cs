using System.Buffers.Binary;
using System.Globalization;
using System.IO.Compression;
using System.Text.Json;
using LatentBridge.Files;
using ZstdSharp;

namespace LatentBridge.Scanning.Sources;

/// <summary>
/// A Mosaic streaming shard (<c>shard.00000.mds</c>, or <c>.mds.zstd</c>, <c>.mds.gz</c>, <c>.mds.br</c>) and the <c>index.json</c> beside it: u32 sample count, u32 offsets of the samples and of the end, the writer's
/// settings, then the samples. A sample: u32 lengths of the columns whose length varies, then the columns.
/// </summary>
/// <remarks>
/// Latents are columns of <c>ndarray:TYPE:AXES</c>, or of <c>bytes</c> that are F16 values of a square latent, as MicroDiT writes them (its column's name begins with <c>latents</c>).
/// Source: mosaicml/streaming, streaming/base/format/mds.
/// </remarks>
static class MdsShard
{
    /// <summary>Endings of such files' names.</summary>
    public static readonly string[] Endings = [".mds", ".mds.zstd", ".mds.gz", ".mds.br", ".mds.snappy", ".mds.bz2"];

    /// <summary>Bytes that a compressed shard may unpack to: so many, and as many more for each of its bytes. Latents hardly compress.</summary>
    const long FreeBytes = 64 << 20, BytesPerByte = 64;

    const string Damaged = "It is cut off or damaged; copy or download it again.";

    /// <summary>Reads a shard.</summary>
    /// <exception cref="LatentBridgeException">It has no index, or is not as its index says.</exception>
    public static IEnumerable<ShardItem> Read(string path, LatentRequest request)
    {
        byte[] index = ReadIndex(Path.Combine(Path.GetDirectoryName(path) ?? "", "index.json"), path);
        if (!path.EndsWith(".mds", StringComparison.OrdinalIgnoreCase) && File.Exists(Path.ChangeExtension(path, null)))
        {
            yield break; // The writer was told to keep both; the other is read.
        }

        using TensorBytes bytes = path.EndsWith(".mds", StringComparison.OrdinalIgnoreCase) ? TensorBytes.OpenFile(path) : TensorBytes.FromMemory(Unpack(path), path);
        foreach (ShardItem item in Read(bytes, index, path, request))
        {
            yield return item;
        }
    }

    static byte[] Unpack(string path)
    {
        using FileStream file = RegularFile.OpenRead(path);
        string ending = Path.GetExtension(path).ToLowerInvariant();
        try
        {
            using Stream unpacked = ending switch
            {
                ".zstd" => new DecompressionStream(file),
                ".gz" => new GZipStream(file, CompressionMode.Decompress),
                ".br" => new BrotliStream(file, CompressionMode.Decompress),
                _ => throw new LatentBridgeException($"{path}: shards compressed by {ending[1..]} are not read; zstd, gz and br are. Unpack it beside its index.json."),
            };
            return ReadAll(unpacked, FreeBytes + (BytesPerByte * file.Length), path);
        }
        catch (Exception failure) when (failure is InvalidDataException or ZstdException or EndOfStreamException or InvalidOperationException)
        {
            throw new LatentBridgeException($"{path}: cannot be unpacked ({failure.Message.TrimEnd('.')}). {Damaged}", failure);
        }
    }

    static byte[] ReadAll(Stream unpacked, long most, string path)
    {
        using MemoryStream all = new();
        byte[] part = new byte[1 << 16];
        for (int count = unpacked.Read(part); count > 0; count = unpacked.Read(part))
        {
            all.Write(part, 0, count);
            if (all.Length > Math.Min(most, Array.MaxLength))
            {
                throw new LatentBridgeException($"{path}: unpacks to more than {most} bytes, which no latents do. {Damaged}");
            }
        }

        return all.ToArray();
    }

    /// <summary>Reads an open shard, whose index is the text of an <c>index.json</c>.</summary>
    public static IEnumerable<ShardItem> Read(TensorBytes bytes, ReadOnlyMemory<byte> index, string path, LatentRequest request)
    {
        Column[] columns = ParseIndex(index, path);
        int latent = Array.FindIndex(columns, column => column.IsLatent && (request.Key is null || column.Name == request.Key));
        if (latent < 0)
        {
            throw new NoLatentException($"{path}: no column looks like a latent. Columns: {string.Join(", ", columns.Select(column => column.Name))}.");
        }

        uint[] offsets = ReadOffsets(bytes);
        for (int sample = 0; sample + 1 < offsets.Length; sample++)
        {
            yield return Read(bytes, offsets[sample], offsets[sample + 1], columns, latent, sample, request);
        }
    }

    static uint[] ReadOffsets(TensorBytes bytes)
    {
        Span<byte> count = stackalloc byte[4];
        bytes.Read(0, count);
        long samples = BinaryPrimitives.ReadUInt32LittleEndian(count);
        byte[] table = bytes.ReadArray(4, 4 * (samples + 1), bytes.Length, "table of samples");
        uint[] offsets = new uint[samples + 1];
        for (int i = 0; i < offsets.Length; i++)
        {
            offsets[i] = BinaryPrimitives.ReadUInt32LittleEndian(table.AsSpan(4 * i));
        }

        return offsets[^1] == bytes.Length ? offsets : throw new LatentBridgeException($"{bytes.Name}: has {bytes.Length} bytes, and its table says {offsets[^1]}. {Damaged}");
    }

    static ShardItem Read(TensorBytes bytes, uint begin, uint end, Column[] columns, int latent, int sample, LatentRequest request)
    {
        try
        {
            int varying = columns.Count(column => column.Size is null);
            long at = begin + (4L * varying);
            byte[] sizes = bytes.ReadArray(begin, 4L * varying, end - (long)begin, "lengths of columns");
            for (int i = 0, read = 0; ; i++)
            {
                long size = columns[i].Size ?? BinaryPrimitives.ReadUInt32LittleEndian(sizes.AsSpan(4 * read++));
                if (at + size > end)
                {
                    throw new LatentBridgeException($"{bytes.Name}: sample {sample} has a column \"{columns[i].Name}\" of {size} bytes beyond its end. {Damaged}");
                }

                if (i == latent)
                {
                    return new(sample, columns[i].Name, columns[i].Load(bytes, at, size, request), 0, null);
                }

                at += size;
            }
        }
        catch (LatentBridgeException failure)
        {
            return new(sample, columns[latent].Name, null, 0, failure.Message);
        }
    }

    static byte[] ReadIndex(string index, string path)
    {
        try
        {
            return RegularFile.ReadAllBytes(index);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw BadIndex(path, failure);
        }
    }

    static Column[] ParseIndex(ReadOnlyMemory<byte> index, string path)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(index);
            foreach (JsonElement shard in document.RootElement.GetProperty("shards").EnumerateArray())
            {
                if (IsNamed(shard, "raw_data", path) || IsNamed(shard, "zip_data", path))
                {
                    return [.. shard.GetProperty("column_names").EnumerateArray().Select((name, i) => new Column(
                        name.GetString()!,
                        shard.GetProperty("column_encodings")[i].GetString()!,
                        shard.GetProperty("column_sizes")[i] is { ValueKind: JsonValueKind.Number } size ? size.GetInt64() : null))];
                }
            }

        }
        catch (Exception failure) when (failure is JsonException or KeyNotFoundException or InvalidOperationException or IndexOutOfRangeException or FormatException)
        {
            throw BadIndex(path, failure);
        }

        throw new LatentBridgeException($"{path}: its index.json does not name it. It must lie beside the index that was written with it.");
    }

    static bool IsNamed(JsonElement shard, string kind, string path) =>
        shard.TryGetProperty(kind, out JsonElement file) && file.ValueKind == JsonValueKind.Object && file.GetProperty("basename").GetString() == Path.GetFileName(path);

    static LatentBridgeException BadIndex(string path, Exception failure) =>
        new($"{path}: its index.json cannot be read ({failure.Message.TrimEnd('.')}). It must lie beside the shard.", failure);

    sealed record Column(string Name, string Encoding, long? Size)
    {
        string[] Parts => Encoding.Split(':');

        public bool IsLatent => Parts is ["ndarray", "float16" or "float32", _] || (Encoding == "bytes" && Name.StartsWith("latent", StringComparison.Ordinal));

        public LoadedLatent Load(TensorBytes bytes, long offset, long size, LatentRequest request)
        {
            byte[] values = bytes.ReadArray(offset, size, bytes.Length, "column");
            if (Parts is not [_, var type, var text])
            {
                return RawLatent.Load(bytes.Name, values, request);
            }

            long[] axes = [.. text.Split(',').Select(axis => long.TryParse(axis, NumberStyles.None, CultureInfo.InvariantCulture, out long length)
                ? length
                : throw new LatentBridgeException($"{bytes.Name}: the axes \"{TensorEntry.Shorten(text)}\" of column {TensorEntry.Shorten(Name)} are no numbers. {Damaged}"))];
            return RawLatent.Load(bytes.Name, type == "float32" ? TensorElementType.F32 : TensorElementType.F16, axes, values, request);
        }
    }
}
