using System.Buffers;
using System.Text.Json;

namespace LatentBridge.Scanning.Report;

/// <summary>A shard that was scanned to its end, as a line behind its latents' lines. The same file of the same length and time need not be scanned again.</summary>
/// <param name="Path">The shard's path.</param>
/// <param name="ByteLength">Its length.</param>
/// <param name="Modified">When it was last written, as UTC ticks.</param>
readonly record struct Shard(string Path, long ByteLength, long Modified)
{
    /// <summary>A file as it is now.</summary>
    public static Shard Of(string path)
    {
        FileInfo file = new(path);
        return file.Exists ? new(path, file.Length, file.LastWriteTimeUtc.Ticks) : new(path, -1, 0);
    }

    /// <summary>Writes the line's JSON, without a line break.</summary>
    public void Write(IBufferWriter<byte> output)
    {
        using Utf8JsonWriter json = new(output);
        json.WriteStartObject();
        json.WriteString("shard", Path);
        json.WriteNumber("bytes", ByteLength);
        json.WriteNumber("modified", Modified);
        json.WriteEndObject();
    }

    /// <summary>Reads a line; null when it is none of these.</summary>
    /// <exception cref="JsonException">It is no JSON.</exception>
    public static Shard? Parse(ReadOnlyMemory<byte> line)
    {
        using JsonDocument document = JsonDocument.Parse(line);
        return document.RootElement is { ValueKind: JsonValueKind.Object } root && root.TryGetProperty("shard", out JsonElement path)
            && root.TryGetProperty("bytes", out JsonElement bytes) && root.TryGetProperty("modified", out JsonElement modified)
            ? new(path.GetString() ?? "", bytes.GetInt64(), modified.GetInt64())
            : null;
    }
}
