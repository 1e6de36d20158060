using LatentBridge.Files;
using LatentBridge.Networks;

namespace LatentBridge.Weights;

/// <summary>Tells what networks a file holds, from its tensors' names, shapes and first numbers.</summary>
static class WeightRecognition
{
    /// <summary>Larger files hold no preview network and are not opened; the largest known is under 40 MB.</summary>
    const long MaximumFileLength = 256L << 20;

    /// <summary>
    /// Scalars that wrappers store beside TAESD to bring VAE-scale latents to the sampler's scale. Previews get the
    /// sampler's scale already.
    /// </summary>
    static readonly string[] Ignored = ["vae_scale", "vae_shift"];

    /// <summary>Parts of file names that tell formats of one shape apart where the numbers are of no known training; the first that fits.</summary>
    static readonly (int Channels, string Part, string Format)[] NameHints =
    [
        (4, "xl", "SDXL"), (4, "sd1", "SD15"), (4, "sd2", "SD15"), (4, "taesd", "SD15"), (4, "sd_", "SD15"),
        (16, "sd3", "SD3"), (16, "flux", "Flux"), (16, "f1", "Flux"),
    ];

    /// <summary>The networks of a file; at least one entry, which says what is wrong when there is nothing of use. Never throws for a bad file.</summary>
    public static IReadOnlyList<FoundWeights> Recognise(string path, IReadOnlyList<NetworkArchitecture> architectures)
    {
        try
        {
            var file = new FileInfo(path);
            if (file.Length > MaximumFileLength)
            {
                return [Unknown(path, $"{file.Length >> 20} MB: larger than any preview network, so it was not opened.")];
            }

            using TensorFile tensors = TensorFile.Open(path);
            return Recognise(path, tensors, architectures);
        }
        catch (Exception e) when (e is LatentBridgeException or IOException or UnauthorizedAccessException)
        {
            return [Unknown(path, e.Message)];
        }
    }

    /// <summary>The networks of an open file, as <see cref="Recognise(string, IReadOnlyList{NetworkArchitecture})"/>.</summary>
    public static IReadOnlyList<FoundWeights> Recognise(string path, TensorFile file, IReadOnlyList<NetworkArchitecture> architectures)
    {
        var entries = new Dictionary<string, TensorEntry>(StringComparer.Ordinal);
        foreach (TensorEntry entry in file.Tensors)
        {
            entries[entry.Name] = entry;
        }

        var matches = new List<(NetworkArchitecture Architecture, TensorShapes Shapes, NetworkLayout Layout)>();
        foreach (NetworkArchitecture architecture in architectures)
        {
            string anchor = TensorShapes.ShiftIndex(architecture.Anchor, architecture.IndexShift);
            foreach (string name in entries.Keys)
            {
                if (name.EndsWith(anchor, StringComparison.Ordinal) && (name.Length == anchor.Length || name[^(anchor.Length + 1)] == '.'))
                {
                    var shapes = new TensorShapes(key => entries.TryGetValue(key, out TensorEntry? entry) ? [.. entry.Dimensions] : null, name[..^anchor.Length], architecture.IndexShift);
                    if (architecture.Layout(shapes) is { } layout)
                    {
                        matches.Add((architecture, shapes, layout));
                    }
                }
            }
        }

        if (matches.Count == 0)
        {
            string names = string.Join(", ", entries.Keys.Take(3).Select(name => $"'{name}'"));
            return [Unknown(path, entries.Count == 0 ? "no tensors in it." : $"none of the networks known here: {entries.Count} tensors, the first {names}.")];
        }

        string[] prefixes = [.. matches.Select(m => m.Shapes.Prefix).Where(prefix => prefix.Length > 0)];
        return [.. matches.Select(m => Describe(path, file, entries, m.Architecture, m.Shapes, m.Layout, prefixes))];
    }

    static FoundWeights Describe(string path, TensorFile file, Dictionary<string, TensorEntry> entries, NetworkArchitecture architecture, TensorShapes shapes, NetworkLayout layout, string[] prefixes)
    {
        var found = new FoundWeights
        {
            Path = path,
            Architecture = architecture.Id,
            Title = $"{architecture.Title}, {layout.LatentChannels} channels",
            Channels = layout.LatentChannels,
            Layout = layout,
            Prefix = shapes.Prefix,
            IndexShift = architecture.IndexShift,
            Problem = architecture.NotSupported is { } reason ? $"not supported: {reason}." : FirstMismatch(entries, shapes, layout, prefixes),
        };
        return found.Problem is null ? WithFormats(found, file, entries[shapes.FileKey(architecture.FirstLayer)], architecture.Variants) : found;
    }

    /// <summary>What keeps the tensors from being just those of the layout, or null.</summary>
    static string? FirstMismatch(Dictionary<string, TensorEntry> entries, TensorShapes shapes, NetworkLayout layout, string[] prefixes)
    {
        foreach (ExpectedTensor expected in layout.Tensors)
        {
            string key = shapes.FileKey(expected.Name);
            if (shapes[expected.Name] is not { } dimensions)
            {
                return $"tensor '{key}' [{string.Join(", ", expected.Dimensions)}] is missing.";
            }

            if (!dimensions.AsSpan().SequenceEqual(expected.Dimensions))
            {
                return $"tensor '{key}' is [{string.Join(", ", dimensions)}]; [{string.Join(", ", expected.Dimensions)}] was expected.";
            }
        }

        HashSet<string> wanted = [.. layout.Tensors.Select(t => shapes.FileKey(t.Name)), .. Ignored.Select(name => shapes.Prefix + name)];
        string[] others = [.. prefixes.Where(p => p != shapes.Prefix && p.StartsWith(shapes.Prefix, StringComparison.Ordinal))];
        string[] extra = [.. entries.Keys.Where(name =>
            name.StartsWith(shapes.Prefix, StringComparison.Ordinal) && !wanted.Contains(name) && !others.Any(p => name.StartsWith(p, StringComparison.Ordinal)))];
        return extra.Length == 0 ? null : $"{extra.Length} tensors too many, the first '{extra[0]}': a variant that is not known here.";
    }

    /// <summary>Says for which formats: by the file's own word, by its numbers, by its shape, or by its name, in this order.</summary>
    static FoundWeights WithFormats(FoundWeights found, TensorFile file, TensorEntry firstLayer, IReadOnlyList<NetworkVariant> variants)
    {
        var layer = new float[firstLayer.Length];
        firstLayer.CopyTo(layer);
        (KnownWeights Weights, double Distance)? nearest = layer.Length < WeightManifest.FingerprintLength
            ? null
            : WeightManifest.Nearest(found.Architecture, found.Channels, layer.AsSpan(0, WeightManifest.FingerprintLength));
        if (nearest is (var same, <= WeightManifest.SameWeights))
        {
            return found with { Known = same, Formats = same.Formats, ToldBy = $"its numbers: {same.Id}", Variant = same.Id };
        }

        if (file.Metadata.TryGetValue("latent_format", out string? format) && format.Length > 0)
        {
            NetworkVariant? variant = variants.FirstOrDefault(v => v.Formats.Contains(format) && v.PartIn(found.Stem) is not null) ?? variants.FirstOrDefault(v => v.IsUsual && v.Formats.Contains(format));
            return found with { Formats = variant?.Formats ?? WeightManifest.WithKin(format), ToldBy = "its metadata", Variant = variant?.Id };
        }

        if (variants.Count > 0)
        {
            return WithVariant(found, [.. variants.Where(variant => variant.Channels == found.Channels)]);
        }

        if (nearest is (var relative, <= WeightManifest.Relatives))
        {
            return found with { Formats = relative.Formats, ToldBy = $"its numbers: near {relative.Id}" };
        }

        string[] candidates = [.. WeightManifest.Known.Where(k => k.Architecture == found.Architecture && k.Channels == found.Channels && k.Formats.Count > 0).Select(k => k.Formats[0]).Distinct()];
        if (candidates is [var only])
        {
            return found with { Formats = WeightManifest.WithKin(only), ToldBy = "its shape" };
        }

        if (ByName(found) is { } named)
        {
            return named;
        }

        return found with
        {
            Problem = candidates.Length == 0
                ? $"no latent format is known for a {found.Title}: give the file a metadata entry 'latent_format'."
                : $"{string.Join(" and ", candidates)} have the same shapes, and its numbers match no known training. Put {HintsFor(found.Channels)} into its name.",
        };
    }

    /// <summary>Says which training it is: by its name; else the first, where all of them serve the same formats.</summary>
    static FoundWeights WithVariant(FoundWeights found, NetworkVariant[] variants)
    {
        foreach (NetworkVariant variant in variants)
        {
            if (variant.PartIn(found.Stem) is { } part)
            {
                return found with
                {
                    Variant = variant.Id,
                    Formats = variant.Formats,
                    ToldBy = $"'{part}' in its name, taken for {variant.Id}",
                    Problem = variant.Formats.Count > 0 ? null : $"taken for {variant.Id} by '{part}' in its name; there is no latent format here that it serves.",
                };
            }
        }

        if (variants.Length > 0 && variants.All(variant => variant.Formats.SequenceEqual(variants[0].Formats)))
        {
            NetworkVariant usual = variants.First(variant => variant.IsUsual);
            return found with { Variant = usual.Id, Formats = usual.Formats, ToldBy = $"its shape, taken for {usual.Id}" };
        }

        return found with
        {
            Problem = variants.Length == 0
                ? $"no model is known whose latents fit a {found.Title}: give the file a metadata entry 'latent_format'."
                : $"{string.Join(", ", variants.Select(variant => variant.Id))} have the same shapes, and its numbers match no known training. Put one of these into its name.",
        };
    }

    /// <summary>Says for which formats by the file's name; null where it tells nothing.</summary>
    internal static FoundWeights? ByName(FoundWeights found)
    {
        foreach ((int channels, string part, string hinted) in NameHints)
        {
            if (channels == found.Channels && found.Stem.Contains(part, StringComparison.OrdinalIgnoreCase))
            {
                return found with { Formats = WeightManifest.WithKin(hinted), ToldBy = $"'{part}' in its name, because nothing else decided" };
            }
        }

        return null;
    }

    /// <summary>What a name may hold to tell formats of so many channels apart: <c>'sd3' or 'flux' or 'f1'</c>; empty when there is nothing.</summary>
    internal static string HintsFor(int channels) => string.Join(" or ", NameHints.Where(h => h.Channels == channels).Select(h => $"'{h.Part}'"));

    static FoundWeights Unknown(string path, string problem) =>
        new() { Path = path, Architecture = FoundWeights.UnknownArchitecture, Title = "unknown", Problem = problem };
}
