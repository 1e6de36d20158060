using System.Text.Json;

namespace LatentBridge.Weights;

/// <summary>One weights file the program knows: an entry of <c>models/manifest.json</c>.</summary>
/// <param name="Id">The file's name without its ending, as upstream names it.</param>
/// <param name="File">File name; for the project's own, relative to <c>models/</c>.</param>
/// <param name="Bundled">Whether it comes with LatentBridge.</param>
/// <param name="Sha256">Of the file the fingerprint was taken from, lower-case hex.</param>
/// <param name="ByteLength">Of that file.</param>
/// <param name="Licence">Of the weights.</param>
/// <param name="Source">Where they come from.</param>
/// <param name="Architecture">Id of the network.</param>
/// <param name="Channels">Latent channels.</param>
/// <param name="Formats">Ids of the latent formats they serve.</param>
/// <param name="Fingerprint">The first 16 values of the first layer's weights.</param>
sealed record KnownWeights(
    string Id, string File, bool Bundled, string Sha256, long ByteLength, string Licence, string Source,
    string Architecture, int Channels, IReadOnlyList<string> Formats, IReadOnlyList<float> Fingerprint);

/// <summary>
/// The weights the program knows. Networks of one shape serve different latent formats (taesd and taesdxl differ in
/// nothing but their numbers), so a file is told apart by its fingerprint: the first 16 values of its first layer. The same
/// weights stored as BF16, F16 or F32 are within 0.4 % of each other; those of unrelated trainings differ by 40 % and more.
/// </summary>
static class WeightManifest
{
    /// <summary>Values in a fingerprint.</summary>
    public const int FingerprintLength = 16;

    /// <summary>At most this far apart, as a share of the known one's length, two fingerprints are those of the same weights.</summary>
    public const double SameWeights = 0.01;

    /// <summary>At most this far apart, one is taken for a fine-tune of the other.</summary>
    public const double Relatives = 0.2;

    static readonly Lazy<IReadOnlyList<KnownWeights>> Entries = new(Load);

    /// <summary>Every entry, in the manifest's order.</summary>
    public static IReadOnlyList<KnownWeights> Known => Entries.Value;

    /// <summary>The known weights of this network nearest to a fingerprint, and how far they are apart; null when none are known.</summary>
    internal static (KnownWeights Weights, double Distance)? Nearest(string architecture, int channels, ReadOnlySpan<float> fingerprint)
    {
        (KnownWeights, double)? nearest = null;
        foreach (KnownWeights known in Known)
        {
            if (known.Architecture != architecture || known.Channels != channels || known.Fingerprint.Count != fingerprint.Length)
            {
                continue;
            }

            double difference = 0, length = 0;
            for (int i = 0; i < fingerprint.Length; i++)
            {
                double d = fingerprint[i] - known.Fingerprint[i];
                difference += d * d;
                length += (double)known.Fingerprint[i] * known.Fingerprint[i];
            }

            double distance = Math.Sqrt(difference / length);
            if (nearest is not (_, var best) || distance < best)
            {
                nearest = (known, distance);
            }
        }

        return nearest;
    }

    /// <summary>The format itself and those that share its latents: SDXL brings SDXL_Playground_2_5.</summary>
    internal static IReadOnlyList<string> WithKin(string format) =>
        Known.FirstOrDefault(known => known.Formats.Contains(format))?.Formats ?? [format];

    static List<KnownWeights> Load()
    {
        using Stream stream = typeof(WeightManifest).Assembly.GetManifestResourceStream("manifest.json")
            ?? throw new InvalidOperationException("The assembly lacks its resource 'manifest.json'.");
        using JsonDocument document = JsonDocument.Parse(stream);
        var entries = new List<KnownWeights>();
        foreach (JsonElement e in document.RootElement.GetProperty("weights").EnumerateArray())
        {
            entries.Add(new(
                Text(e, "id"), Text(e, "file"), e.GetProperty("bundled").GetBoolean(), Text(e, "sha256"), e.GetProperty("bytes").GetInt64(),
                Text(e, "licence"), Text(e, "source"), Text(e, "architecture"), e.GetProperty("channels").GetInt32(),
                [.. e.GetProperty("formats").EnumerateArray().Select(f => f.GetString()!)],
                [.. e.GetProperty("fingerprint").EnumerateArray().Select(f => f.GetSingle())]));
        }

        return entries;
    }

    static string Text(JsonElement element, string name) => element.GetProperty(name).GetString()!;
}
