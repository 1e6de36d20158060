using System.Buffers.Binary;
using System.Text;

namespace LatentBridge.Files;

/// <summary>
/// The directory of a ZIP file (ZIP64 too). Unlike the base library's archive it says where an entry's bytes lie, so that
/// a stored tensor is read in place.
/// </summary>
/// <remarks>
/// From the file's end backwards: the end record <c>PK 5 6</c> (22 bytes and a comment), before it the ZIP64 locator
/// <c>PK 6 7</c> where one is needed, which names the ZIP64 end record <c>PK 6 6</c>; these name the directory, a row of
/// <c>PK 1 2</c> records; each names its local header <c>PK 3 4</c>, behind which the data lies.
/// </remarks>
static class ZipDirectory
{
    const int EndLength = 22, LocatorLength = 20, End64Length = 56, RecordLength = 46, LocalLength = 30;
    const long MaximumLength = 32 << 20;
    const string Damaged = "The file is cut off or damaged; copy or download it again";

    /// <summary>Reads the directory.</summary>
    public static List<ZipEntry> Read(TensorBytes bytes)
    {
        byte[] tail = bytes.ReadArray(Math.Max(0, bytes.Length - EndLength - ushort.MaxValue), Math.Min(bytes.Length, EndLength + ushort.MaxValue), long.MaxValue, "ZIP end");
        int end = FindEnd(tail);
        if (end < 0)
        {
            throw bytes.Bad($"begins as a ZIP file but has no directory at its end. {Damaged}");
        }

        long length = U32(tail, end + 12), offset = U32(tail, end + 16);
        if (length == uint.MaxValue || offset == uint.MaxValue || U16(tail, end + 10) == ushort.MaxValue)
        {
            (length, offset) = ReadEnd64(bytes, tail, end, (length, offset));
        }

        byte[] directory = bytes.ReadArray(offset, length, MaximumLength, "ZIP directory");
        var entries = new List<ZipEntry>();
        for (int at = 0; at < directory.Length;)
        {
            entries.Add(ReadRecord(bytes, directory, ref at));
        }

        Bound(bytes, entries, offset);
        return entries;
    }

    /// <summary>Gives each entry the place it must end at: the next one's begin, or the directory's. Entries never share bytes.</summary>
    static void Bound(TensorBytes bytes, List<ZipEntry> entries, long directoryOffset)
    {
        int[] order = [.. Enumerable.Range(0, entries.Count).OrderByDescending(index => entries[index].LocalOffset)];
        long limit = directoryOffset;
        foreach (int index in order)
        {
            ZipEntry entry = entries[index];
            if (entry.LocalOffset < 0 || entry.StoredLength < 0 || entry.LocalOffset > limit - LocalLength || entry.StoredLength > limit - LocalLength - entry.LocalOffset)
            {
                throw bytes.Bad($"\"{TensorEntry.Shorten(entry.Name)}\" in it has {entry.StoredLength} bytes from {entry.LocalOffset} on, but the next part begins at {limit}: parts overlap. {Damaged}");
            }

            entries[index] = entry with { Limit = limit };
            limit = entry.LocalOffset;
        }
    }

    static int FindEnd(byte[] tail)
    {
        for (int at = tail.Length - EndLength; at >= 0; at--)
        {
            if (Signed(tail, at, 5, 6) && at + EndLength + U16(tail, at + 20) <= tail.Length)
            {
                return at;
            }
        }

        return -1;
    }

    static (long Length, long Offset) ReadEnd64(TensorBytes bytes, byte[] tail, int end, (long Length, long Offset) end32)
    {
        int locator = end - LocatorLength;
        if (locator < 0 || !Signed(tail, locator, 6, 7))
        {
            return end32;
        }

        byte[] record = bytes.ReadArray(I64(tail, locator + 8), End64Length, End64Length, "ZIP64 end");
        return Signed(record, 0, 6, 6)
            ? (I64(record, 40), I64(record, 48))
            : throw bytes.Bad($"the ZIP64 locator points to no ZIP64 end record. {Damaged}");
    }

    static ZipEntry ReadRecord(TensorBytes bytes, byte[] directory, ref int at)
    {
        if (directory.Length - at < RecordLength || !Signed(directory, at, 1, 2))
        {
            throw bytes.Bad($"the ZIP directory holds something else than an entry at its byte {at}. {Damaged}");
        }

        int nameLength = U16(directory, at + 28), extraLength = U16(directory, at + 30), commentLength = U16(directory, at + 32);
        int next = at + RecordLength + nameLength + extraLength + commentLength;
        if (next > directory.Length)
        {
            throw bytes.Bad($"the ZIP directory ends inside an entry. {Damaged}");
        }

        string name = Encoding.UTF8.GetString(directory, at + RecordLength, nameLength);
        int flags = U16(directory, at + 8), method = U16(directory, at + 10);
        long deflated = U32(directory, at + 20), length = U32(directory, at + 24), local = U32(directory, at + 42);
        ReadOnlySpan<byte> extra = directory.AsSpan(at + RecordLength + nameLength, extraLength);
        while (extra.Length >= 4)
        {
            int id = BinaryPrimitives.ReadUInt16LittleEndian(extra), size = BinaryPrimitives.ReadUInt16LittleEndian(extra[2..]);
            ReadOnlySpan<byte> field = extra.Slice(4, Math.Min(size, extra.Length - 4));
            if (id == 1)
            {
                // ZIP64: only those that did not fit above, in this order.
                length = Take64(ref field, length);
                deflated = Take64(ref field, deflated);
                local = Take64(ref field, local);
            }

            extra = extra[Math.Min(extra.Length, 4 + size)..];
        }

        at = next;
        return (flags & 1) != 0
            ? throw bytes.Bad($"\"{TensorEntry.Shorten(name)}\" in it is encrypted. Save it without a password")
            : new(name, method, deflated, length, local);
    }

    static long Take64(ref ReadOnlySpan<byte> field, long value)
    {
        if (value != uint.MaxValue || field.Length < 8)
        {
            return value;
        }

        value = BinaryPrimitives.ReadInt64LittleEndian(field);
        field = field[8..];
        return value;
    }

    /// <summary>Where an entry's bytes are: in place when stored, inflated when deflated.</summary>
    public static ByteRange Open(TensorBytes bytes, ZipEntry entry)
    {
        byte[] header = bytes.ReadArray(entry.LocalOffset, LocalLength, LocalLength, "ZIP entry header");
        if (!Signed(header, 0, 3, 4))
        {
            throw bytes.Bad($"\"{TensorEntry.Shorten(entry.Name)}\" is not where the ZIP directory says. {Damaged}");
        }

        long offset = entry.LocalOffset + LocalLength + U16(header, 26) + U16(header, 28);
        if (!bytes.Holds(offset, entry.StoredLength) || offset > entry.Limit - entry.StoredLength)
        {
            throw bytes.Bad($"\"{TensorEntry.Shorten(entry.Name)}\" has {entry.StoredLength} bytes at {offset}, but the next part begins at {entry.Limit}: parts overlap. {Damaged}");
        }

        return entry.Method switch
        {
            0 => new(bytes, offset, entry.Length),
            8 => new(new InflatedBytes(bytes, offset, entry.DeflatedLength, entry.Length), 0, entry.Length),
            _ => throw bytes.Bad($"\"{TensorEntry.Shorten(entry.Name)}\" is compressed by ZIP method {entry.Method}; 0 (stored) and 8 (deflate) are supported. Save it uncompressed"),
        };
    }

    static bool Signed(byte[] array, int at, byte third, byte fourth) =>
        array.AsSpan(at, 4).SequenceEqual([(byte)'P', (byte)'K', third, fourth]);

    static int U16(byte[] array, int at) => BinaryPrimitives.ReadUInt16LittleEndian(array.AsSpan(at));

    static long U32(byte[] array, int at) => BinaryPrimitives.ReadUInt32LittleEndian(array.AsSpan(at));

    static long I64(byte[] array, int at) => BinaryPrimitives.ReadInt64LittleEndian(array.AsSpan(at));
}

/// <summary>One entry of a ZIP directory, as it stands there.</summary>
readonly record struct ZipEntry(string Name, int Method, long DeflatedLength, long Length, long LocalOffset)
{
    /// <summary>Where the next entry or the directory begins.</summary>
    public long Limit { get; init; }

    /// <summary>Bytes in the file.</summary>
    public long StoredLength => Method == 0 ? Length : DeflatedLength;
}

/// <summary>A checked range of bytes.</summary>
readonly record struct ByteRange(TensorBytes Bytes, long Offset, long Length)
{
    /// <summary>A cursor over the range.</summary>
    public ByteCursor Cursor() => new(Bytes, Offset, Offset + Length);
}
