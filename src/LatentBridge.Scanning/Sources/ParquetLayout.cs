using System.Buffers.Binary;
using Parquet.Meta;
using Snappier;
using ZstdSharp;

namespace LatentBridge.Scanning.Sources;

/// <summary>
/// Follows a Parquet file's footer and page headers before the library reads them. The library believes what they say: a damaged one would make it take memory without bound, or never end.
/// </summary>
/// <remarks>Source of the structures: apache/parquet-format, parquet.thrift; of their bytes: Thrift's compact protocol.</remarks>
static class ParquetLayout
{
    /// <summary>Values of a latent hardly compress. Of runs, such as latents of zeros, so many are taken, and as many more for each byte.</summary>
    const long FreeValues = 1 << 20, ValuesPerByte = 256;

    const int LongestPageHeader = 1 << 16;

    /// <summary>
    /// Types of the fields 1, 2 and so on of each structure: <c>i</c> an integer, <c>y</c> a byte, <c>d</c> a double, <c>b</c> bytes, <c>t</c> a truth value, <c>[</c> a list of what follows,
    /// <c>-</c> none, a capital a structure.
    /// </summary>
    static readonly Dictionary<char, string[]> Structures = new()
    {
        ['F'] = Fields("i [S i [G [K b [O"), // FileMetaData
        ['S'] = Fields("i i i b i i i i i L"), // SchemaElement
        ['L'] = Fields("E E E E D E T T - N E E E E E V Y Z"), // LogicalType
        ['E'] = [],
        ['D'] = Fields("i i"), // DecimalType
        ['T'] = Fields("t U"), // TimeType, TimestampType
        ['U'] = Fields("E E E"), // TimeUnit
        ['N'] = Fields("y t"), // IntType
        ['V'] = Fields("y"), // VariantType
        ['Y'] = Fields("b"), // GeometryType
        ['Z'] = Fields("b i"), // GeographyType
        ['G'] = Fields("[C i i [R i i i"), // RowGroup
        ['R'] = Fields("i t t"), // SortingColumn
        ['C'] = Fields("b i M i i i i"), // ColumnChunk
        ['M'] = Fields("i [i [b i i i i [K i i i A [P i i Q X"), // ColumnMetaData
        ['K'] = Fields("b b"), // KeyValue
        ['A'] = Fields("b b i i b b t t"), // Statistics
        ['P'] = Fields("i i i"), // PageEncodingStats
        ['Q'] = Fields("i [i [i"), // SizeStatistics
        ['X'] = Fields("B [i"), // GeospatialStatistics
        ['B'] = Fields("d d d d d d d d"), // BoundingBox
        ['O'] = Fields("E"), // ColumnOrder
        ['H'] = Fields("i i i i W E J I"), // PageHeader
        ['W'] = Fields("i i i i A"), // DataPageHeader
        ['J'] = Fields("i i t"), // DictionaryPageHeader
        ['I'] = Fields("i i i i i i t A"), // DataPageHeaderV2
    };

    /// <summary>Follows the footer.</summary>
    /// <exception cref="LatentBridgeException">It is no Parquet file's, or damaged.</exception>
    public static void CheckFooter(Stream file, string path)
    {
        byte[] end = Bytes(file, file.Length - 8, 8, path);
        int length = BinaryPrimitives.ReadInt32LittleEndian(end);
        if (!end.AsSpan(4).SequenceEqual("PAR1"u8) || length <= 0 || length > file.Length - 12)
        {
            throw Damaged(path, "it does not end as a Parquet file");
        }

        new Walk(Bytes(file, file.Length - 8 - length, length, path), path).Structure('F');
    }

    /// <summary>Follows the pages of a column.</summary>
    /// <returns>Where they begin in the file.</returns>
    /// <exception cref="LatentBridgeException">They do not fit in the file, or say that they hold far more than they can.</exception>
    public static HashSet<long> CheckPages(Stream file, ColumnMetaData column, string path)
    {
        long at = new[] { column.DictionaryPageOffset ?? 0, column.DataPageOffset, column.IndexPageOffset ?? 0 }.Where(static offset => offset != 0).DefaultIfEmpty(0).Min();
        long values = 0, bytes = 0;
        HashSet<long> pages = [];
        while (values < column.NumValues)
        {
            pages.Add(at);
            Walk header = new(Bytes(file, at, (int)Math.Clamp(file.Length - at, 1, LongestPageHeader), path), path);
            header.Structure('H');
            at += header.At;
            long packed = header.Number('H', 3), unpacked = header.Number('H', 2);
            if (packed < 0 || packed > file.Length - at || unpacked < 0 || unpacked > sizeof(float) * Most(packed))
            {
                throw Damaged(path, $"a page says that it holds {packed} bytes, and {unpacked} when unpacked; {file.Length - at} are left");
            }

            bool isDictionary = header.Number('H', 1) == (long)PageType.DICTIONARY_PAGE;
            long found = isDictionary ? header.Number('J', 1) : header.Number('W', 1) + header.Number('I', 1), levels = header.Number('I', 5) + header.Number('I', 6);
            CompressionCodec codec = header.Number('I', 7) == Walk.False ? CompressionCodec.UNCOMPRESSED : column.Codec;
            if (levels < 0 || levels > packed || OwnSize(file, at + levels, (int)(packed - levels), codec, path) > sizeof(float) * Most(packed))
            {
                throw Damaged(path, $"a page of {packed} bytes says that it unpacks to far more");
            }

            at += packed;
            bytes += packed;
            values += isDictionary ? 0 : found;
            if (found < 0 || found > Most(packed) || values > column.NumValues)
            {
                throw Damaged(path, $"a page of {packed} bytes says that it holds {found} of the column's {column.NumValues} values");
            }
        }

        return column.NumValues <= Most(bytes) ? pages : throw Damaged(path, $"a column of {bytes} bytes says that it holds {column.NumValues} values");
    }

    /// <summary>The length that packed bytes give for themselves, which the library goes by with some kinds of compression.</summary>
    static long OwnSize(Stream file, long at, int length, CompressionCodec codec, string path)
    {
        try
        {
            return length == 0 ? 0
                : codec == CompressionCodec.SNAPPY ? Snappy.GetUncompressedLength(Bytes(file, at, Math.Min(length, 10), path))
                : codec == CompressionCodec.ZSTD ? (long)Math.Min(long.MaxValue, Decompressor.GetDecompressedSize(Bytes(file, at, length, path)))
                : 0;
        }
        catch (Exception failure) when (failure is InvalidDataException or ZstdException)
        {
            throw Damaged(path, "a page cannot be unpacked");
        }
    }

    static long Most(long bytes) => FreeValues + (ValuesPerByte * bytes);

    static string[] Fields(string types) => types.Split(' ');

    static byte[] Bytes(Stream file, long at, int length, string path)
    {
        if (at < 0 || length < 0 || at + length > file.Length)
        {
            throw Damaged(path, "it ends too early");
        }

        byte[] bytes = new byte[length];
        file.Position = at;
        file.ReadExactly(bytes);
        return bytes;
    }

    static LatentBridgeException Damaged(string path, string found) =>
        new($"{path}: cannot be read as Parquet: {found}. The file is cut off, damaged or encrypted; copy or download it again.");

    /// <summary>Goes through a structure's bytes.</summary>
    sealed class Walk(byte[] bytes, string path)
    {
        public const int True = 1, False = 2;

        readonly Dictionary<(char Structure, int Field), long> _numbers = [];

        /// <summary>How far it has come.</summary>
        public int At { get; private set; }

        /// <summary>The last integer, <see cref="True"/> or <see cref="False"/> in a field of a structure; 0: there was none.</summary>
        public long Number(char structure, int field) => _numbers.GetValueOrDefault((structure, field));

        public void Structure(char kind)
        {
            string[] fields = Structures[kind];
            int field = 0;
            for (int head = Byte(); head != 0; head = Byte())
            {
                field = head >> 4 == 0 ? (short)Integer() : field + (head >> 4);
                string type = field >= 1 && field <= fields.Length ? fields[field - 1] : "-";
                Value(type, head & 15, (kind, field));
            }
        }

        void Value(ReadOnlySpan<char> type, int wire, (char Structure, int Field) place)
        {
            switch (type[0], wire)
            {
                case ('t', True or False):
                    _numbers[place] = wire;
                    break;
                case ('y', 3):
                    Byte();
                    break;
                case ('i', 4 or 5 or 6):
                    _numbers[place] = Integer();
                    break;
                case ('d', 7):
                    Skip(8);
                    break;
                case ('b', 8):
                    Skip(Varint());
                    break;
                case ('[', 9):
                    int head = Byte();
                    ulong count = head >> 4 == 15 ? Varint() : (ulong)(head >> 4);
                    for (ulong i = 0; i < count; i++)
                    {
                        Value(type[1..], head & 15, place);
                    }

                    break;
                case ( >= 'A' and <= 'Z', 12):
                    Structure(type[0]);
                    break;
                default:
                    throw Damaged(path, $"its description has a field {place.Field} of a type that does not belong there");
            }
        }

        long Integer()
        {
            ulong zigzag = Varint();
            return (long)(zigzag >> 1) ^ -(long)(zigzag & 1);
        }

        ulong Varint()
        {
            ulong value = 0;
            for (int shift = 0; ; shift += 7)
            {
                int part = Byte();
                value |= (ulong)(part & 127) << shift;
                if (part < 128)
                {
                    return value;
                }

                if (shift == 63)
                {
                    throw Damaged(path, "its description has a number of more than 64 bits");
                }
            }
        }

        void Skip(ulong length) => At = length <= (ulong)(bytes.Length - At) ? At + (int)length : throw Damaged(path, "its description is cut off");

        int Byte() => At < bytes.Length ? bytes[At++] : throw Damaged(path, "its description is cut off");
    }
}
