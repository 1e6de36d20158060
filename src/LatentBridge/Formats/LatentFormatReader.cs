using System.Text.Json;

namespace LatentBridge.Formats;

/// <summary>Reads <c>models/formats/&lt;Id&gt;.json</c>.</summary>
static class LatentFormatReader
{
    /// <exception cref="LatentBridgeException">Not such a file; the message says what is wrong with it.</exception>
    public static LatentFormat Read(Stream json, string name)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            return Read(document.RootElement);
        }
        catch (Exception failure) when (failure is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new LatentBridgeException($"Latent format \"{name}\": {failure.Message} See models/README.md for what such a file holds.", failure);
        }
    }

    static LatentFormat Read(JsonElement root)
    {
        int channels = root.GetProperty("channels").GetInt32();
        return new LatentFormat
        {
            Id = Text(root, "id"),
            Source = Text(root, "source"),
            Channels = channels,
            StreamChannels = OptionalInteger(root, "streamChannels", channels),
            Dimensions = root.GetProperty("dimensions").GetInt32(),
            SpatialCompression = root.GetProperty("spatialCompression").GetInt32(),
            TemporalCompression = root.GetProperty("temporalCompression").GetInt32(),
            FramesPerSecond = OptionalInteger(root, "framesPerSecond", 0),
            CellsPerSecond = root.TryGetProperty("cellsPerSecond", out JsonElement cells) ? cells.GetDouble() : 0,
            Unpack = OptionalInteger(root, "unpack", 1),
            PixelSpace = root.TryGetProperty("pixelSpace", out JsonElement pixels) && pixels.GetBoolean(),
            Process = ReadProcess(Text(root, "process")),
            ScaleFactor = root.GetProperty("scaleFactor").GetSingle(),
            ShiftFactor = root.TryGetProperty("shiftFactor", out JsonElement shift) ? shift.GetSingle() : null,
            Mean = root.TryGetProperty("mean", out JsonElement mean) ? Floats(mean) : null,
            Std = root.TryGetProperty("std", out JsonElement std) ? Floats(std) : null,
            RgbMaps = Array(root.GetProperty("rgb"), ReadMap),
            TinyAutoencoder = OptionalText(root, "tinyAutoencoder"),
            Models = Texts(root, "models"),
            Note = OptionalText(root, "note"),
        };
    }

    static LatentRgbMap ReadMap(JsonElement map)
    {
        JsonElement rows = map.GetProperty("factors");
        var factors = new float[rows.GetArrayLength() * 3];
        int at = 0;
        foreach (JsonElement row in rows.EnumerateArray())
        {
            if (row.GetArrayLength() != 3)
            {
                throw new FormatException($"a row of \"factors\" has {row.GetArrayLength()} numbers; expected red, green and blue.");
            }

            foreach (JsonElement number in row.EnumerateArray())
            {
                factors[at++] = number.GetSingle();
            }
        }

        double? psnr = map.TryGetProperty("heldOutPsnr", out JsonElement measured) ? measured.GetDouble() : null;
        return new LatentRgbMap(Text(map, "name"), Text(map, "source"), factors, Floats(map.GetProperty("bias")), psnr)
        {
            Later = map.TryGetProperty("laterGain", out JsonElement gain) ? (Floats(gain), Floats(map.GetProperty("laterOffset"))) : null,
        };
    }

    static LatentProcess ReadProcess(string name) => name switch
    {
        "identity" => LatentProcess.Identity,
        "scale" => LatentProcess.Scale,
        "shift-scale" => LatentProcess.ShiftScale,
        "mean-std" => LatentProcess.MeanStd,
        "frame-pairs" => LatentProcess.FramePairs,
        "unknown" => LatentProcess.Unknown,
        _ => throw new FormatException($"\"process\" is \"{name}\"; expected identity, scale, shift-scale, mean-std, frame-pairs or unknown."),
    };

    static float[] Floats(JsonElement array) => Array(array, number => number.GetSingle());

    static string[] Texts(JsonElement parent, string name) =>
        parent.TryGetProperty(name, out JsonElement array) ? Array(array, item => item.GetString()!) : [];

    static string Text(JsonElement parent, string name) => parent.GetProperty(name).GetString()!;

    static string? OptionalText(JsonElement parent, string name) =>
        parent.TryGetProperty(name, out JsonElement text) ? text.GetString() : null;

    static int OptionalInteger(JsonElement parent, string name, int otherwise) =>
        parent.TryGetProperty(name, out JsonElement number) ? number.GetInt32() : otherwise;

    static T[] Array<T>(JsonElement array, Func<JsonElement, T> read)
    {
        var items = new T[array.GetArrayLength()];
        for (int i = 0; i < items.Length; i++)
        {
            items[i] = read(array[i]);
        }

        return items;
    }
}
