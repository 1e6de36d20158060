using System.Globalization;
using System.Text.Json;
using LatentBridge.Files;
using LatentBridge.Formats;
using LatentBridge.Latents;

namespace LatentBridge.Onnx.Model;

/// <summary>
/// What a model's shapes do not say, from its metadata and, before that, from a JSON file of the model's name beside it: <c>vae.json</c> for <c>vae.onnx</c>. Everything in
/// it may be left out; docs/onnx.md lists the members and what holds without them.
/// </summary>
sealed record OnnxNotes
{
    /// <summary>The metadata entry with the latent format.</summary>
    public const string FormatKey = "latent_format";

    /// <summary>The metadata entry with the picture's range.</summary>
    public const string RangeKey = "picture_range";

    /// <summary>Id of the latent format.</summary>
    public string? Format { get; init; }

    /// <summary>Where the format was told.</summary>
    public string FormatToldBy { get; init; } = "its metadata";

    /// <summary>Black and white in the output.</summary>
    public PictureRange? Range { get; init; }

    /// <summary>True for [batch, height, width, channels].</summary>
    public bool? IsChannelsLast { get; init; }

    /// <summary>The scale in which it reads latents.</summary>
    public LatentSpace? Space { get; init; }

    /// <summary>What the sampler's values are multiplied by and what is added then, in place of <see cref="Space"/>.</summary>
    public (float Scale, float Shift)? Affine { get; init; }

    public int? PixelsPerCell { get; init; }

    public string? Input { get; init; }

    public string? Output { get; init; }

    public int? Quality { get; init; }

    /// <summary>Execution providers to try, first come first.</summary>
    public IReadOnlyList<string>? Providers { get; init; }

    /// <summary>Reads what there is for a model.</summary>
    /// <exception cref="InvalidDataException">The JSON file cannot be read or says something unknown; the message names it.</exception>
    public static OnnxNotes Read(string path, OnnxFile file)
    {
        OnnxNotes notes = new()
        {
            Format = file.Metadata.GetValueOrDefault(FormatKey),
            Range = file.Metadata.TryGetValue(RangeKey, out string? range) ? PictureRange.Parse(range) : null,
        };
        string json = Path.ChangeExtension(path, ".json");
        if (!File.Exists(json))
        {
            return notes;
        }

        try
        {
            using JsonDocument document = JsonDocument.Parse(RegularFile.ReadAllBytes(json), new JsonDocumentOptions { AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip });
            foreach (JsonProperty member in document.RootElement.EnumerateObject())
            {
                notes = notes.With(member);
            }

            return notes;
        }
        catch (Exception failure) when (failure is JsonException or InvalidOperationException or FormatException or InvalidDataException)
        {
            throw new InvalidDataException($"'{json}' beside it: {failure.Message}");
        }
    }

    OnnxNotes With(JsonProperty member)
    {
        JsonElement value = member.Value;
        return member.Name switch
        {
            "format" => this with { Format = LatentFormats.Find(value.GetString()!)?.Id ?? throw Bad(member, "an id of `latentbridge models formats`"), FormatToldBy = "its JSON file" },
            "range" => this with { Range = PictureRange.Parse(value.GetString()!) ?? throw Bad(member, "\"0..1\", \"-1..1\" or \"0..255\"") },
            "layout" => this with { IsChannelsLast = value.GetString() switch { "NCHW" => false, "NHWC" => true, _ => throw Bad(member, "\"NCHW\" or \"NHWC\"") } },
            "space" => this with { Space = value.GetString() switch { "sampler" => LatentSpace.Sampler, "vae" => LatentSpace.Vae, _ => throw Bad(member, "\"sampler\" or \"vae\"") } },
            "scale" => this with { Affine = (value.GetSingle(), Affine?.Shift ?? 0) },
            "shift" => this with { Affine = (Affine?.Scale ?? 1, value.GetSingle()) },
            "pixelsPerCell" => this with { PixelsPerCell = value.GetInt32() is > 0 and <= 64 and int pixels ? pixels : throw Bad(member, "1 to 64") },
            "input" => this with { Input = value.GetString() },
            "output" => this with { Output = value.GetString() },
            "quality" => this with { Quality = value.GetInt32() },
            "providers" => this with { Providers = [.. value.EnumerateArray().Select(provider => provider.GetString()!)] },
            _ => throw new InvalidDataException(
                $"\"{member.Name}\" is unknown; expected format, range, layout, space, scale, shift, pixelsPerCell, input, output, quality or providers."),
        };
    }

    static InvalidDataException Bad(JsonProperty member, string expected) =>
        new(string.Create(CultureInfo.InvariantCulture, $"\"{member.Name}\" is {member.Value.GetRawText()}; {expected} was expected."));
}
