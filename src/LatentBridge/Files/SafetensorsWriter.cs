using System.Buffers;
using System.Buffers.Binary;
using System.Text.Json;

namespace LatentBridge.Files;

/// <summary>Writes safetensors files that any reader takes: no gap, tensors of wide elements first, so that all are aligned.</summary>
static class SafetensorsWriter
{
    const int Alignment = 8;

    /// <summary>Writes a file; one that is there already is replaced only when the new one is complete.</summary>
    /// <exception cref="ArgumentException">A tensor's bytes do not fit its axes, or a name is there twice.</exception>
    /// <exception cref="LatentBridgeException">The file cannot be written.</exception>
    public static void Write(string path, IEnumerable<StoredTensor> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        string partial = $"{path}.{Environment.ProcessId}.partial";
        try
        {
            try
            {
                using (FileStream stream = File.Create(partial))
                {
                    Write(stream, tensors, metadata);
                }

                File.Move(partial, path, overwrite: true);
            }
            catch
            {
                File.Delete(partial);
                throw;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new LatentBridgeException($"{path}: cannot be written ({e.Message.TrimEnd('.')}). Check the folder, its permissions and the room on the disk.", e);
        }
    }

    /// <summary>Writes to a stream.</summary>
    /// <exception cref="ArgumentException">A tensor's bytes do not fit its axes, or a name is there twice.</exception>
    public static void Write(Stream stream, IEnumerable<StoredTensor> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        StoredTensor[] ordered = [.. tensors.OrderByDescending(static t => t.ElementType.ByteLength())];
        byte[] header = Header(ordered, metadata ?? new Dictionary<string, string>());
        Span<byte> length = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
        stream.Write(length);
        stream.Write(header);
        foreach (StoredTensor tensor in ordered)
        {
            stream.Write(tensor.Bytes.Span);
        }
    }

    static byte[] Header(StoredTensor[] tensors, IReadOnlyDictionary<string, string> metadata)
    {
        var header = new ArrayBufferWriter<byte>();
        var names = new HashSet<string>(StringComparer.Ordinal) { SafetensorsReader.MetadataKey };
        using (var json = new Utf8JsonWriter(header))
        {
            json.WriteStartObject();
            if (metadata.Count > 0)
            {
                json.WriteStartObject(SafetensorsReader.MetadataKey);
                foreach ((string key, string value) in metadata)
                {
                    json.WriteString(key, value);
                }

                json.WriteEndObject();
            }

            long position = 0;
            foreach (StoredTensor tensor in tensors)
            {
                if (!names.Add(tensor.Name))
                {
                    throw new ArgumentException($"Two tensors are named \"{tensor.Name}\", or it is the metadata's name.", nameof(tensors));
                }

                long end = position + tensor.Bytes.Length;
                WriteEntry(json, tensor, position, end);
                position = end;
            }

            json.WriteEndObject();
        }

        int padding = -header.WrittenCount & (Alignment - 1);
        header.GetSpan(padding)[..padding].Fill((byte)' ');
        header.Advance(padding);
        return header.WrittenSpan.ToArray();
    }

    static void WriteEntry(Utf8JsonWriter json, StoredTensor tensor, long begin, long end)
    {
        string? fault = TensorLayout.Check([.. tensor.Dimensions], null, long.MaxValue, out TensorLayout layout);
        if (fault is not null || layout.Length * tensor.ElementType.ByteLength() != end - begin)
        {
            throw new ArgumentException($"Tensor \"{tensor.Name}\" of shape {TensorLayout.Describe(tensor.Dimensions)} as {tensor.ElementType} does not have {end - begin} bytes.", nameof(tensor));
        }

        json.WriteStartObject(tensor.Name);
        json.WriteString("dtype"u8, SafetensorsReader.NameOf(tensor.ElementType));
        json.WriteStartArray("shape"u8);
        foreach (long dimension in tensor.Dimensions)
        {
            json.WriteNumberValue(dimension);
        }

        json.WriteEndArray();
        json.WriteStartArray("data_offsets"u8);
        json.WriteNumberValue(begin);
        json.WriteNumberValue(end);
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
