using System.Text.RegularExpressions;

namespace LatentBridge.Files;

/// <summary>
/// numpy's <c>.npy</c>, versions 1 to 3: magic, header length, a Python dictionary as text
/// (<c>{'descr': '&lt;f4', 'fortran_order': False, 'shape': (1, 4, 64, 64), }</c>), then the elements.
/// </summary>
static partial class NpyReader
{
    const int MaximumHeaderLength = 1 << 16;

    /// <summary>What every such file begins with.</summary>
    public static ReadOnlySpan<byte> Magic => [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y'];

    /// <summary>Reads the header; the values are read later.</summary>
    public static TensorEntry Read(ByteRange range, string name) =>
        Read(range, name, out string? unsupported) ?? throw range.Bytes.Bad($"numpy array \"{TensorEntry.Shorten(name)}\" {unsupported}");

    /// <summary>Reads the header; null, and why, when the elements are no numbers.</summary>
    public static TensorEntry? Read(ByteRange range, string name, out string? unsupported)
    {
        unsupported = null;
        TensorBytes bytes = range.Bytes;
        ByteCursor cursor = range.Cursor();
        if (!cursor.ReadBytes(6).AsSpan().SequenceEqual(Magic))
        {
            throw bytes.Bad($"\"{TensorEntry.Shorten(name)}\" is not a numpy array. The file is damaged or not what it seems");
        }

        int version = cursor.ReadByte();
        cursor.Skip(1);
        long length = version switch
        {
            1 => cursor.ReadUInt16(),
            2 or 3 => cursor.ReadUInt32(),
            _ => throw bytes.Bad($"numpy array \"{TensorEntry.Shorten(name)}\" has version {version}; 1 to 3 are supported. Save it again with numpy.save"),
        };
        if (length > MaximumHeaderLength)
        {
            throw bytes.Bad($"numpy array \"{TensorEntry.Shorten(name)}\" has a header of {length} bytes; at most {MaximumHeaderLength} are accepted. The file is damaged or not what it seems");
        }

        string header = cursor.ReadText(length);
        if (StructuredPattern().IsMatch(header))
        {
            unsupported = "is a structured array of several fields. Save one field: array['name']";
            return null;
        }

        string descr = Field(DescrPattern());
        bool fortran = Field(OrderPattern()) == "True";
        long[] shape = Shape(bytes, Field(ShapePattern()));
        if (ElementType(descr, out bool bigEndian) is not { } type)
        {
            unsupported = Unsupported(descr);
            return null;
        }

        var entry = TensorEntry.Create(
            name, type, shape, fortran ? TensorLayout.ColumnMajor(shape) : null, bytes, cursor.Position, cursor.Remaining, bigEndian);
        return entry.ByteLength == cursor.Remaining
            ? entry
            : throw bytes.Bad($"numpy array \"{TensorEntry.Shorten(name)}\" of shape {TensorLayout.Describe(shape)} has {entry.ByteLength} bytes, found {cursor.Remaining}. Save one array a file, or an .npz");

        string Field(Regex pattern)
        {
            Match match = pattern.Match(header);
            return match.Success
                ? match.Groups[1].Value
                : throw bytes.Bad($"numpy array \"{TensorEntry.Shorten(name)}\" has a header without a usable descr, fortran_order or shape: {TensorEntry.Shorten(header.Trim())}.");
        }
    }

    /// <summary>Why an element type cannot be read, and what to do.</summary>
    static string Unsupported(string descr) => descr.TrimStart('|', '<', '>', '=') switch
    {
        ['O', ..] => "holds Python objects, which would have to be unpickled: refused, weights are data. Save plain numbers",
        "V2" => "holds 2-byte elements of a type numpy does not name (bfloat16 of ml_dtypes is stored so). Save it as float32: array.astype(numpy.float32)",
        _ => $"has element type \"{TensorEntry.Shorten(descr)}\"; floats, integers and bool are supported. Save it as float32",
    };

    static long[] Shape(TensorBytes bytes, string text)
    {
        string[] parts = text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return Array.ConvertAll(parts, part => long.TryParse(part.TrimEnd('L'), out long value)
            ? value
            : throw bytes.Bad($"numpy shape ({TensorEntry.Shorten(text)}): \"{TensorEntry.Shorten(part)}\" is no axis. The file is damaged"));
    }

    /// <summary>The element type that a <c>descr</c> names, or null.</summary>
    internal static TensorElementType? ElementType(string descr, out bool bigEndian)
    {
        bigEndian = descr.StartsWith('>');
        return descr.TrimStart('|', '<', '>', '=') switch
        {
            "f8" => TensorElementType.F64,
            "f4" => TensorElementType.F32,
            "f2" => TensorElementType.F16,
            "i8" => TensorElementType.I64,
            "i4" => TensorElementType.I32,
            "i2" => TensorElementType.I16,
            "i1" => TensorElementType.I8,
            "u8" => TensorElementType.U64,
            "u4" => TensorElementType.U32,
            "u2" => TensorElementType.U16,
            "u1" => TensorElementType.U8,
            "b1" => TensorElementType.Bool,
            _ => null,
        };
    }

    [GeneratedRegex(@"['""]descr['""]\s*:\s*['""]([^'""]*)['""]")]
    private static partial Regex DescrPattern();

    [GeneratedRegex(@"['""]descr['""]\s*:\s*[\[({]")]
    private static partial Regex StructuredPattern();

    [GeneratedRegex(@"['""]fortran_order['""]\s*:\s*(True|False)")]
    private static partial Regex OrderPattern();

    [GeneratedRegex(@"['""]shape['""]\s*:\s*\(([-0-9L,\s]*)\)")]
    private static partial Regex ShapePattern();
}
