using System.Runtime.InteropServices;
using LatentBridge.Files;
using Parquet;
using Parquet.Schema;

namespace LatentBridge.Scanning.Sources;

/// <summary>
/// A Parquet file with a column whose name begins with <c>latent</c> (or that <c>--key</c> names): bytes, which are a file of tensors or the F16 values of a square latent, or lists
/// of F32, flat or nested as the latent's axes.
/// </summary>
/// <remarks>A row group's column is in memory at a time, as the format has it.</remarks>
static class ParquetShard
{
    /// <summary>Endings of such files' names.</summary>
    public static readonly string[] Endings = [".parquet"];

    const long MaximumValues = 1L << 28;

    /// <summary>Reads a shard.</summary>
    /// <exception cref="LatentBridgeException">It is no Parquet file, or damaged.</exception>
    /// <exception cref="NoLatentException">No column looks like a latent.</exception>
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
        ParquetReader reader = Try(path, () => Wait(ParquetReader.CreateAsync(stream)));
        try
        {
            DataField column = Find(Try(path, () => reader.Schema), path, request);
            int item = 0;
            for (int number = 0, count = Try(path, () => reader.RowGroupCount); number < count; number++)
            {
                foreach (Func<LoadedLatent> load in Try(path, () => ReadGroup(reader, number, column, path, request)))
                {
                    yield return Load(item++, column.Path.FirstPart ?? column.Name, load);
                }
            }
        }
        finally
        {
            reader.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }
    }

    static DataField Find(ParquetSchema schema, string path, LatentRequest request)
    {
        DataField[] fields = schema.GetDataFields();
        return Array.Find(fields, field => (field.Path.FirstPart ?? field.Name) is var name
                && (request.Key is null ? name.StartsWith("latent", StringComparison.OrdinalIgnoreCase) : name == request.Key)
                && (field.ClrType == typeof(ReadOnlyMemory<byte>) || field.ClrType == typeof(byte[]) || field.ClrType == typeof(float)))
            ?? throw new NoLatentException($"{path}: no column looks like a latent. Columns: {string.Join(", ", fields.Select(field => $"{field.Path} ({field.ClrType.Name})"))}.");
    }

    static List<Func<LoadedLatent>> ReadGroup(ParquetReader reader, int number, DataField column, string path, LatentRequest request)
    {
        using ParquetRowGroupReader group = reader.OpenRowGroupReader(number);
        if (column.ClrType != typeof(float))
        {
            byte[]?[] rows = new byte[group.RowCount][];
            Wait(group.ReadAsync(column, rows.AsMemory()));
            return [.. rows.Select(row => (Func<LoadedLatent>)(() => RawLatent.Load(path, row ?? throw new LatentBridgeException($"{path}: the row has no latent."), request)))];
        }

        long count = group.GetMetadata(column)?.MetaData?.NumValues ?? 0;
        if (count > MaximumValues)
        {
            throw new LatentBridgeException($"{path}: a row group has {count} values; at most {MaximumValues} are read. Write it with smaller row groups.");
        }

        float[] values = new float[count];
        int[] levels = new int[count];
        Wait(group.ReadRawAsync<float>(column, values.AsMemory(), new int[count].AsMemory(), levels.AsMemory(), CancellationToken.None));
        return Rows(column.MaxRepetitionLevel, values, levels, path, request);
    }

    /// <summary>A row begins where the repetition level is 0, and each of its lists where the level is that list's or lower.</summary>
    static List<Func<LoadedLatent>> Rows(int depth, float[] values, int[] levels, string path, LatentRequest request)
    {
        List<Func<LoadedLatent>> rows = [];
        for (int start = 0, end; start < values.Length; start = end)
        {
            int next = Array.IndexOf(levels, 0, start + 1);
            end = next < 0 ? values.Length : next;
            (int from, int to) = (start, end);
            rows.Add(() =>
            {
                ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(values.AsSpan(from..to));
                return depth < 2 ? RawLatent.LoadSquare(path, bytes, request) : RawLatent.Load(path, TensorElementType.F32, Axes(levels.AsSpan(from..to), depth, path), bytes, request);
            });
        }

        return rows;
    }

    static long[] Axes(ReadOnlySpan<int> levels, int depth, string path)
    {
        long[] axes = new long[depth];
        long above = 1;
        for (int level = 1; level <= depth; level++)
        {
            long begun = 0;
            foreach (int found in levels)
            {
                begun += found <= level ? 1 : 0;
            }

            axes[level - 1] = begun / above;
            above = begun % above == 0 ? begun : throw new LatentBridgeException($"{path}: the row's lists have different lengths, so they are no latent.");
        }

        return axes;
    }

    static ShardItem Load(int item, string key, Func<LoadedLatent> load)
    {
        try
        {
            return new(item, key, load(), 0, null);
        }
        catch (LatentBridgeException failure)
        {
            return new(item, key, null, 0, failure.Message);
        }
    }

    // The library reads asynchronously only; a scan's threads wait.
    static T Wait<T>(Task<T> task) => task.GetAwaiter().GetResult();

    static void Wait(ValueTask task) => task.AsTask().GetAwaiter().GetResult();

    static T Try<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
#pragma warning disable CA1031 // Whatever the library throws at damaged bytes is a fault of the file.
        catch (Exception failure) when (failure is not LatentBridgeException and not OutOfMemoryException)
#pragma warning restore CA1031
        {
            throw new LatentBridgeException($"{path}: cannot be read as Parquet ({failure.Message.TrimEnd('.')}). The file is cut off or damaged; copy or download it again.", failure);
        }
    }
}
