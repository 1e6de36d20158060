using System.Buffers;
using System.Text.Json;
using LatentBridge.Scanning.Checks;

namespace LatentBridge.Scanning.Report;

/// <summary>One latent in a report, as one line of JSON; <c>docs/scan.md</c> describes the members.</summary>
public sealed record ReportLine
{
    /// <summary>The shard's path, as it was found.</summary>
    public required string File { get; init; }

    /// <summary>The latent's number in the shard, counted from 0.</summary>
    public int Item { get; init; }

    /// <summary>What the shard calls it; empty where it has no name.</summary>
    public string Key { get; init; } = "";

    /// <summary>What is wrong with it.</summary>
    public LatentFaults Faults { get; init; }

    /// <summary>A sentence for each fault that has more to say than its name.</summary>
    public IReadOnlyList<string> Details { get; init; } = [];

    /// <summary>Why it could not be read; null when it could.</summary>
    public string? Error { get; init; }

    /// <summary>The latent format's id; empty when it could not be read.</summary>
    public string Format { get; init; } = "";

    /// <summary><c>sampler</c> or <c>vae</c>.</summary>
    public string Space { get; init; } = "";

    /// <summary>Channels, frames where there are several, height, width.</summary>
    public IReadOnlyList<int> Shape { get; init; } = [];

    /// <summary>Mean of each channel.</summary>
    public IReadOnlyList<float> Mean { get; init; } = [];

    /// <summary>Standard deviation of each channel.</summary>
    public IReadOnlyList<float> Deviation { get; init; } = [];

    /// <summary>See <see cref="LatentFinding.LogSpread"/>.</summary>
    public double LogSpread { get; init; }

    /// <summary>See <see cref="LatentFinding.Correlation"/>.</summary>
    public double? Correlation { get; init; }

    /// <summary>See <see cref="LatentFinding.Oddness"/>.</summary>
    public double Oddness { get; init; }

    /// <summary>See <see cref="LatentFinding.Sketch"/>.</summary>
    public PictureSketch? Sketch { get; init; }

    /// <summary>True when nothing is wrong with it.</summary>
    public bool IsGood => Faults == LatentFaults.None && Error is null;

    /// <summary>Adds a fault that was found later.</summary>
    public ReportLine With(LatentFaults fault, string detail) =>
        this with { Faults = Faults | fault, Details = [.. Details, detail], Oddness = Oddness + ((Faults & fault) == 0 ? 10 : 0) };

    /// <summary>Writes the line's JSON, without a line break.</summary>
    internal void Write(IBufferWriter<byte> output)
    {
        using Utf8JsonWriter json = new(output, new JsonWriterOptions { SkipValidation = true });
        json.WriteStartObject();
        json.WriteString("file", File);
        json.WriteNumber("item", Item);
        json.WriteString("key", Key);
        WriteArray(json, "faults", Faults.Names(), static (writer, name) => writer.WriteStringValue(name));
        WriteArray(json, "details", Details, static (writer, detail) => writer.WriteStringValue(detail));
        if (Error is not null)
        {
            json.WriteString("error", Error);
        }
        else
        {
            json.WriteString("format", Format);
            json.WriteString("space", Space);
            WriteArray(json, "shape", Shape, static (writer, axis) => writer.WriteNumberValue(axis));
            WriteArray(json, "mean", Mean, static (writer, value) => writer.WriteNumberValue(Rounded(value)));
            WriteArray(json, "std", Deviation, static (writer, value) => writer.WriteNumberValue(Rounded(value)));
            json.WriteNumber("logSpread", Rounded(LogSpread));
        }

        if (Correlation is { } correlation)
        {
            json.WriteNumber("correlation", Rounded(correlation));
        }

        json.WriteNumber("oddness", Rounded(Oddness));
        if (Sketch is not null)
        {
            json.WriteString("sketch", Sketch.ToString());
        }

        json.WriteEndObject();
    }

    /// <summary>Reads a line.</summary>
    /// <returns>Null when it is no latent's.</returns>
    /// <exception cref="JsonException">It is no JSON.</exception>
    internal static ReportLine? Parse(ReadOnlyMemory<byte> line)
    {
        using JsonDocument document = JsonDocument.Parse(line);
        JsonElement root = document.RootElement;
        if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("file", out JsonElement file) || !root.TryGetProperty("item", out JsonElement item))
        {
            return null;
        }

        return new()
        {
            File = file.GetString() ?? "",
            Item = item.TryGetInt32(out int number) ? number : 0,
            Key = Text(root, "key") ?? "",
            Faults = Items(root, "faults").Aggregate(LatentFaults.None, static (faults, name) => faults | LatentFaultsExtensions.Parse(name.GetString() ?? "")),
            Details = [.. Items(root, "details").Select(static detail => detail.GetString() ?? "")],
            Error = Text(root, "error"),
            Format = Text(root, "format") ?? "",
            Space = Text(root, "space") ?? "",
            Shape = [.. Items(root, "shape").Select(static axis => axis.GetInt32())],
            Mean = [.. Items(root, "mean").Select(static value => value.GetSingle())],
            Deviation = [.. Items(root, "std").Select(static value => value.GetSingle())],
            LogSpread = Number(root, "logSpread") ?? 0,
            Correlation = Number(root, "correlation"),
            Oddness = Number(root, "oddness") ?? 0,
            Sketch = PictureSketch.Parse(Text(root, "sketch")),
        };
    }

    /// <summary>A name for messages: the file, and which of its latents.</summary>
    public override string ToString() => Key.Length > 0 || Item > 0 ? $"{File} [{Item}]" : File;

    static void WriteArray<T>(Utf8JsonWriter json, string name, IEnumerable<T> items, Action<Utf8JsonWriter, T> write)
    {
        json.WriteStartArray(name);
        foreach (T item in items)
        {
            write(json, item);
        }

        json.WriteEndArray();
    }

    static double Rounded(double value) => double.IsFinite(value) ? Math.Round(value, 4) : 0;

    static string? Text(JsonElement parent, string name) =>
        parent.TryGetProperty(name, out JsonElement text) && text.ValueKind == JsonValueKind.String ? text.GetString() : null;

    static double? Number(JsonElement parent, string name) =>
        parent.TryGetProperty(name, out JsonElement number) && number.ValueKind == JsonValueKind.Number ? number.GetDouble() : null;

    static JsonElement.ArrayEnumerator Items(JsonElement parent, string name) =>
        parent.TryGetProperty(name, out JsonElement array) && array.ValueKind == JsonValueKind.Array ? array.EnumerateArray() : default;
}
