using System.Numerics;
using System.Runtime.InteropServices;
using LatentBridge.Files;
using Parquet;
using Parquet.Meta;
using Parquet.Schema;

namespace LatentBridge.Scanning.Sources;

/// <summary>
/// A Parquet file with a column whose name begins with <c>latent</c> (or that <c>--key</c> names): bytes, which are a file of tensors or the F16 values of a square latent, or lists
/// of F32 or F64, flat or nested as the latent's axes.
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
        ParquetLayout.CheckFooter(stream, path);
        ParquetPages pages = new(stream);
        ParquetReader reader = Try(path, () => Wait(ParquetReader.CreateAsync(pages)));
        DataField column = Find(Try(path, () => reader.Schema), path, request);
        int item = 0;
        for (int number = 0, count = Try(path, () => reader.RowGroupCount); number < count; number++)
        {
            foreach (Func<LoadedLatent> load in Try(path, () => ReadGroup(reader.OpenRowGroupReader(number), column, pages, path, request)))
            {
                yield return Load(item++, column.Path.FirstPart ?? column.Name, load);
            }
        }
    }

    static bool IsBytes(DataField column) => column.ClrType == typeof(ReadOnlyMemory<byte>) || column.ClrType == typeof(byte[]);

    static DataField Find(ParquetSchema schema, string path, LatentRequest request)
    {
        DataField[] fields = schema.GetDataFields();
        return Array.Find(fields, field => (field.Path.FirstPart ?? field.Name) is var name
                && (request.Key is null ? name.StartsWith("latent", StringComparison.OrdinalIgnoreCase) : name == request.Key)
                && (IsBytes(field) || field.ClrType == typeof(float) || field.ClrType == typeof(double)))
            ?? throw new NoLatentException($"{path}: no column looks like a latent. Columns: {string.Join(", ", fields.Select(field => $"{field.Path} ({field.ClrType.Name})"))}.");
    }

    static IEnumerable<Func<LoadedLatent>> ReadGroup(ParquetRowGroupReader group, DataField column, ParquetPages pages, string path, LatentRequest request)
    {
        ColumnMetaData found = group.GetMetadata(column)?.MetaData ?? throw new InvalidDataException($"a row group has no column {column.Path}");
        if (found.NumValues is < 0 or > MaximumValues)
        {
            throw new LatentBridgeException($"{path}: a row group has {found.NumValues} values; at most {MaximumValues} are read. Write it with smaller row groups.");
        }

        pages.Begins = null;
        pages.Begins = ParquetLayout.CheckPages(pages, found, path);
        return IsBytes(column) ? ReadBytes(group, column, found, path, request)
            : column.ClrType == typeof(float) ? Rows(ReadLists<float>(group, column, found), column, path, request)
            : Rows(ReadLists<double>(group, column, found), column, path, request);
    }

    static IEnumerable<Func<LoadedLatent>> ReadBytes(ParquetRowGroupReader group, DataField column, ColumnMetaData found, string path, LatentRequest request)
    {
        if (column.MaxRepetitionLevel > 0 || found.NumValues != group.RowCount)
        {
            throw new LatentBridgeException($"{path}: column {column.Path} has {found.NumValues} values in {group.RowCount} rows. A latent of bytes is one value a row.");
        }

        byte[]?[] rows = new byte[group.RowCount][];
        Wait(group.ReadAsync(column, rows.AsMemory()));
        return rows.Select(row => (Func<LoadedLatent>)(() => RawLatent.Load(path, row ?? throw NoLatent(path), request)));
    }

    static Lists<T> ReadLists<T>(ParquetRowGroupReader group, DataField column, ColumnMetaData found)
        where T : struct
    {
        Lists<T> lists = new(new T[found.NumValues], new int[found.NumValues], new int[found.NumValues]);
        Wait(group.ReadRawAsync<T>(column, lists.Values.AsMemory(), lists.Definitions.AsMemory(), lists.Repetitions.AsMemory(), CancellationToken.None));
        return lists;
    }

    /// <summary>
    /// A row begins where the repetition level is 0, and each of its lists where the level is that list's or lower. A value is there where the definition level is the column's; values that are
    /// not there take no place.
    /// </summary>
    static IEnumerable<Func<LoadedLatent>> Rows<T>(Lists<T> lists, DataField column, string path, LatentRequest request)
        where T : struct, INumberBase<T>
    {
        int depth = column.MaxRepetitionLevel, value = 0;
        for (int start = 0, end; start < lists.Repetitions.Length; start = end)
        {
            int next = Array.IndexOf(lists.Repetitions, 0, start + 1);
            end = next < 0 ? lists.Repetitions.Length : next;
            Range levels = start..end, values = value..(value + lists.Definitions.AsSpan(levels).Count(column.MaxDefinitionLevel));
            value = values.End.Value;
            yield return () =>
            {
                float[] floats = Array.ConvertAll(lists.Values[values], float.CreateSaturating);
                if (floats.Length < lists.Repetitions.AsSpan(levels).Length)
                {
                    throw NoLatent(path);
                }

                ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(floats.AsSpan());
                return depth < 2 ? RawLatent.LoadSquare(path, bytes, request) : RawLatent.Load(path, TensorElementType.F32, Axes(lists.Repetitions.AsSpan(levels), depth, path), bytes, request);
            };
        }
    }

    static LatentBridgeException NoLatent(string path) => new($"{path}: the row has no latent, or one with values that are null.");

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
        catch (Exception failure) when (failure is NotImplementedException or NotSupportedException)
        {
            throw new LatentBridgeException($"{path}: uses a part of Parquet that is not read ({failure.Message.TrimEnd('.')}). Write it with data_page_version=\"1.0\", and without columns of float16.", failure);
        }
        catch (Exception failure) when (failure is not LatentBridgeException and not OutOfMemoryException)
#pragma warning restore CA1031
        {
            throw new LatentBridgeException($"{path}: cannot be read as Parquet ({failure.Message.TrimEnd('.')}). The file is cut off or damaged; copy or download it again.", failure);
        }
    }

    /// <summary>A column of lists, as the format keeps it: values that are there, and a definition and a repetition level for each that could be.</summary>
    sealed record Lists<T>(T[] Values, int[] Definitions, int[] Repetitions);
}
