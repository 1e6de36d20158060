using System.Buffers.Binary;
using System.Text.Json;

namespace LatentBridge.Files;

/// <summary>
/// safetensors: a u64 header length, a JSON object <c>name: {dtype, shape, data_offsets}</c>, then the data without a
/// gap. As strict as the format's own reader: no overlap, no hole, nothing behind the last tensor, no name twice.
/// </summary>
static class SafetensorsReader
{
    /// <summary>The header's one name that is no tensor: text by text keys.</summary>
    public const string MetadataKey = "__metadata__";

    const long MaximumHeaderLength = 100_000_000; // the format's own limit
    const string Damaged = "The file is cut off or damaged; copy or download it again";

    /// <summary>Reads the header; the data is read later, tensor by tensor.</summary>
    public static (List<TensorEntry> Tensors, Dictionary<string, string> Metadata) Read(TensorBytes bytes)
    {
        Span<byte> prefix = stackalloc byte[8];
        bytes.Read(0, prefix);
        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (length > (ulong)(bytes.Length - 8))
        {
            throw bytes.Bad($"safetensors header of {length} bytes, but the file has only {bytes.Length}. {Damaged}");
        }

        byte[] header = bytes.ReadArray(8, (long)length, MaximumHeaderLength, "safetensors header");
        var tensors = new List<TensorEntry>();
        var ranges = new List<(string Name, long Begin, long End)>();
        Dictionary<string, string> leftOut = [];
        Dictionary<string, string> metadata = [];
        try
        {
            var json = new Utf8JsonReader(header, new JsonReaderOptions { MaxDepth = 8 });
            var names = new HashSet<string>(StringComparer.Ordinal);
            Expect(ref json, JsonTokenType.StartObject);
            while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
            {
                string name = json.GetString()!;
                if (!names.Add(name))
                {
                    throw bytes.Bad($"the safetensors header names \"{TensorEntry.Shorten(name)}\" twice. {Damaged}");
                }

                if (name == MetadataKey)
                {
                    ReadMetadata(ref json, metadata);
                }
                else
                {
                    if (ReadEntry(ref json, name, bytes, 8 + (long)length, ranges, out string? unsupported) is { } entry)
                    {
                        tensors.Add(entry);
                    }
                    else
                    {
                        leftOut[name] = TensorFile.LeftOutPrefix + unsupported;
                    }
                }
            }

            // Whatever follows the object must be white space: reading on says so.
            while (json.Read())
            {
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            throw bytes.Bad($"the safetensors header is not as it must be ({e.Message.TrimEnd('.')}). {Damaged}", e);
        }

        CheckNoGaps(bytes, ranges, bytes.Length - 8 - (long)length);
        foreach ((string name, string why) in leftOut)
        {
            metadata[name] = why;
        }

        return (tensors, metadata);
    }

    /// <returns>Null, and why, for an element type that is not read; its range counts all the same.</returns>
    static TensorEntry? ReadEntry(
        ref Utf8JsonReader json, string name, TensorBytes bytes, long dataOffset, List<(string Name, long Begin, long End)> ranges, out string? unsupported)
    {
        unsupported = null;
        string? dtype = null;
        long[]? shape = null, range = null;
        Expect(ref json, JsonTokenType.StartObject);
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            switch (json.GetString())
            {
                case "dtype": Expect(ref json, JsonTokenType.String); dtype = json.GetString(); break;
                case "shape": shape = ReadNumbers(ref json); break;
                case "data_offsets": range = ReadNumbers(ref json); break;
                default: json.Skip(); break;
            }
        }

        if (dtype is null || shape is null || range is not [long begin, long end] || begin < 0 || end < begin || end > bytes.Length - dataOffset)
        {
            throw bytes.Bad($"tensor \"{TensorEntry.Shorten(name)}\" needs dtype, shape and data_offsets inside the {bytes.Length - dataOffset} bytes of data; found {(dtype is null ? "no dtype" : TensorEntry.Shorten(dtype))}, "
                + $"{(shape is null ? "no shape" : TensorLayout.Describe(shape))}, {(range is null ? "no data_offsets" : TensorLayout.Describe(range))}. {Damaged}");
        }

        ranges.Add((name, begin, end));
        if (ElementType(dtype) is not { } type)
        {
            unsupported = $"it has element type {TensorEntry.Shorten(dtype)}, which is not read";
            return null;
        }

        var entry = TensorEntry.Create(name, type, shape, null, bytes, dataOffset + begin, end - begin);
        return entry.ByteLength == end - begin
            ? entry
            : throw bytes.Bad($"tensor \"{TensorEntry.Shorten(name)}\" of shape {TensorLayout.Describe(shape)} has {entry.ByteLength} bytes as {type}, but data_offsets give it {end - begin}. {Damaged}");
    }

    static void CheckNoGaps(TensorBytes bytes, List<(string Name, long Begin, long End)> ranges, long dataLength)
    {
        long position = 0;
        foreach ((string name, long begin, long end) in ranges.OrderBy(static t => t.Begin).ThenBy(static t => t.End))
        {
            if (begin != position)
            {
                throw bytes.Bad($"tensor \"{TensorEntry.Shorten(name)}\" begins at {begin} of the data, where {position} is expected: tensors overlap or leave a hole. {Damaged}");
            }

            position = end;
        }

        if (position != dataLength)
        {
            throw bytes.Bad($"the tensors end at {position} of {dataLength} bytes of data. {Damaged}");
        }
    }

    static void ReadMetadata(ref Utf8JsonReader json, Dictionary<string, string> metadata)
    {
        Expect(ref json, JsonTokenType.StartObject);
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            string key = json.GetString()!;
            Expect(ref json, JsonTokenType.String);
            metadata[key] = json.GetString()!;
        }
    }

    static long[] ReadNumbers(ref Utf8JsonReader json)
    {
        var numbers = new List<long>();
        Expect(ref json, JsonTokenType.StartArray);
        while (json.Read() && json.TokenType != JsonTokenType.EndArray)
        {
            numbers.Add(json.GetInt64());
        }

        return [.. numbers];
    }

    static void Expect(ref Utf8JsonReader json, JsonTokenType type)
    {
        if (!json.Read() || json.TokenType != type)
        {
            throw new JsonException($"{type} expected at byte {json.TokenStartIndex}, found {json.TokenType}");
        }
    }

    /// <summary>The format's name of an element type.</summary>
    public static string NameOf(TensorElementType type) => type switch
    {
        TensorElementType.Bool => "BOOL",
        TensorElementType.F8E4M3 => "F8_E4M3",
        TensorElementType.F8E5M2 => "F8_E5M2",
        _ => type.ToString(),
    };

    static TensorElementType? ElementType(string dtype)
    {
        foreach (TensorElementType type in Enum.GetValues<TensorElementType>())
        {
            if (NameOf(type) == dtype)
            {
                return type;
            }
        }

        return null;
    }
}
