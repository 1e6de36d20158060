using LatentBridge.Decoders.Estimated;
using LatentBridge.Decoders.Linear;
using LatentBridge.Decoders.Mlp;
using LatentBridge.Decoders.Polynomial;
using LatentBridge.Decoders.Sound;
using LatentBridge.Decoders.Taehv;
using LatentBridge.Decoders.Taesd;
using LatentBridge.Decoders.Tiny;
using LatentBridge.Formats;
using LatentBridge.Weights;

namespace LatentBridge.Decoders;

/// <summary>The catalogue: every kind of decoder there is, and which of them a format has with the weights at hand.</summary>
public static class LatentDecoders
{
    /// <summary>Every network that is recognised in a file, in the order they are tried, and the decoders it makes.</summary>
    static readonly IReadOnlyList<(NetworkArchitecture Network, Func<FoundWeights, LatentFormat, DecoderEntry[]>? Decoders)> Families =
    [
        (TinyDecoder.Architecture, (found, _) => [Entry(TinyDecoder.Describe(found), found, weights => new TinyDecoder(weights))]),
        (TaesdNetworks.DecoderArchitecture, Taesd),
        (TaesdNetworks.DecoderArchitecture with { IndexShift = -1 }, Taesd),
        (TaesdNetworks.EncoderArchitecture, null),
        (TaesdNetworks.SanaEncoderArchitecture, null),
        (MlpDecoder.Architecture, Mlp),
        (MlpDecoder.Architecture3x3, Mlp),
        (MlpDecoder.EncoderArchitecture, null),
        (PolynomialDecoder.Architecture, (found, _) => [Entry(PolynomialDecoder.Describe(found), found, weights => new PolynomialDecoder(weights))]),
        (TaesdNetworks.SanaDecoderArchitecture, Taesd),
        (TaesdNetworks.SanaDecoderArchitecture with { IndexShift = -1 }, Taesd),
        (TaehvNetworks.Architecture, Taehv),
        (TaehvNetworks.WideArchitecture, Taehv),
        (TaehvNetworks.SuperArchitecture, Still),
        (TaehvNetworks.QwenImageArchitecture, Still),
        (TaehvNetworks.H3PictureArchitecture, Still),
        (ApproxNn, null),
    ];

    static readonly Dictionary<ModelKind, Func<FoundWeights, LatentFormat, DecoderEntry>> ByKind = [];

    /// <summary>The networks that are recognised in files.</summary>
    internal static NetworkCatalogue Networks { get; } = new([.. Families.Select(family => family.Network)]);

    static NetworkArchitecture ApproxNn => new("approx-nn", "stable-diffusion-webui's \"Approx NN\"", "conv8.weight", "conv1.weight", t =>
        t["conv1.weight"] is [8, (> 0 and <= 1024) and var latent, 7, 7] && t["conv8.weight"] is [3, 8, 3, 3] ? new((int)latent, []) : null)
    {
        NotSupported = "the UI shows it itself; tiny, which comes with LatentBridge, is sharper and faster",
    };

    /// <summary>The weights in these folders.</summary>
    public static WeightLibrary Weights(IEnumerable<string> folders) => new(folders, Networks);

    /// <summary>
    /// The weights in the folders given, in those that <c>LATENTBRIDGE_MODELS</c> names and in the program's own <c>models</c> folder (beside
    /// the program, or in the clone it was built in), in this order.
    /// </summary>
    public static WeightLibrary WeightsOfThisMachine(IEnumerable<string>? folders = null) => Weights(
    [
        .. folders ?? [],
        .. (Environment.GetEnvironmentVariable(WeightLibrary.FoldersVariable) ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries),
        .. WeightLibrary.OwnFolder() is { } own ? (string[])[own] : [],
    ]);

    /// <summary>Adds a kind of model file that another assembly reads and decodes with. Call it once a kind, before any library is used.</summary>
    /// <param name="kind">The files, and how they are recognised.</param>
    /// <param name="decoder">Makes the decoder of a file of use, for one of the formats it serves.</param>
    internal static void Add(ModelKind kind, Func<FoundWeights, LatentFormat, DecoderEntry> decoder)
    {
        ByKind.Add(kind, decoder);
        Networks.Add(kind);
    }

    /// <summary>The decoders of a format, best picture first; never empty.</summary>
    /// <param name="format">The latent format.</param>
    /// <param name="weights">Where to look for the networks' numbers.</param>
    /// <remarks>
    /// Each id is there once. Of several files of one kind the first found has the kind's id, a further one with other numbers
    /// has its name behind it: <c>taesd:my-finetune</c>.
    /// </remarks>
    public static IReadOnlyList<DecoderEntry> For(LatentFormat format, WeightLibrary weights) => For(format, weights.Found);

    /// <summary>The decoders of a format, best picture first; never empty.</summary>
    /// <param name="format">The latent format.</param>
    /// <param name="weights">The networks found, those to prefer first.</param>
    public static IReadOnlyList<DecoderEntry> For(LatentFormat format, IReadOnlyList<FoundWeights> weights)
    {
        var entries = new List<DecoderEntry>();
        var taken = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        var known = new HashSet<KnownWeights>(ReferenceEqualityComparer.Instance);
        foreach (FoundWeights found in weights)
        {
            if (found.Channels != format.PlaneChannels || !found.Formats.Contains(format.Id) || found.Problem is not null)
            {
                continue;
            }

            if (found.Kind is { } kind)
            {
                entries.Add(Named(ByKind[kind](found, format) with { File = found.Path, IsForeign = true }));
            }
            else if (Families.First(family => family.Network.Id == found.Architecture).Decoders is { } decoders && (found.Known is null || known.Add(found.Known)))
            {
                entries.AddRange(decoders(found, format).Select(Named));
            }
        }

        if (format.Rgb is not null)
        {
            entries.Add(new(new LinearDecoder(format).Description, false, () => new LinearDecoder(format)));
        }

        if (format.CellsPerSecond > 0)
        {
            entries.Add(new(new SoundDecoder(format.PlaneChannels).Description, false, () => new SoundDecoder(format.PlaneChannels)));
        }

        entries.Add(new(new EstimatedDecoder(format.PlaneChannels).Description, Stateful: true, () => new EstimatedDecoder(format.PlaneChannels)));
        return [.. entries.OrderByDescending(entry => entry.Description.Quality)];

        DecoderEntry Named(DecoderEntry entry)
        {
            string id = entry.Description.Id;
            for (int i = 1; !taken.Add(id); i++)
            {
                id = $"{entry.Description.Id}:{Path.GetFileNameWithoutExtension(entry.Description.Source)}{(i > 1 ? $"-{i}" : "")}";
            }

            return id == entry.Description.Id ? entry : entry with { Description = entry.Description with { Id = id } };
        }
    }

    /// <summary>The decoder of that id among a format's, in any case; the best for <c>auto</c>.</summary>
    /// <param name="format">The latent format.</param>
    /// <param name="weights">Where to look for the networks' numbers.</param>
    /// <param name="id">What the user asked for.</param>
    /// <exception cref="LatentBridgeException">There is none of that id; the message names those there are.</exception>
    public static DecoderEntry Choose(LatentFormat format, WeightLibrary weights, string id) => Choose(For(format, weights), format, id);

    /// <remarks>A format that nobody knows has no colour map: latent2rgb is then the estimated colours.</remarks>
    internal static DecoderEntry Choose(IReadOnlyList<DecoderEntry> entries, LatentFormat format, string id)
    {
        bool isUnmapped = format.Process == LatentProcess.Unknown && format.Rgb is null && id.Equals(LinearDecoder.Id, StringComparison.OrdinalIgnoreCase);
        string wanted = isUnmapped ? EstimatedDecoder.Id : id;
        return id.Equals("auto", StringComparison.OrdinalIgnoreCase) ? entries[0]
            : entries.FirstOrDefault(entry => string.Equals(entry.Description.Id, wanted, StringComparison.OrdinalIgnoreCase))
            ?? throw new LatentBridgeException(
                $"There is no decoder \"{id}\" for {format.Id}. Available: {string.Join(", ", entries.Select(entry => $"{entry.Description.Id} ({entry.Description.Source})"))}. "
                + $"Weights are searched in the program's models folder and in the folders that {WeightLibrary.FoldersVariable} names.");
    }

    static DecoderEntry[] Taesd(FoundWeights found, LatentFormat format) =>
    [
        Entry(TaesdDecoder.Describe(found, half: false), found, weights => new TaesdDecoder(weights)),
        Entry(TaesdDecoder.Describe(found, half: true), found, weights => new TaesdDecoder(weights, half: true)),
    ];

    static DecoderEntry[] Taehv(FoundWeights found, LatentFormat format) =>
        [.. Enum.GetValues<TaehvSize>().Select(size => Entry(TaehvDecoder.Describe(found, size), found, weights => new TaehvDecoder(weights, format, size)))];

    static DecoderEntry[] Still(FoundWeights found, LatentFormat format) =>
        [Entry(TaehvDecoder.Describe(found, TaehvSize.Full), found, weights => new TaehvDecoder(weights, format))];

    static DecoderEntry[] Mlp(FoundWeights found, LatentFormat format) => [Entry(MlpDecoder.Describe(found), found, weights => new MlpDecoder(weights))];

    static DecoderEntry Entry(DecoderDescription description, FoundWeights found, Func<NetworkTensors, ILatentDecoder> make) =>
        new(description, Stateful: false, () =>
        {
            using NetworkTensors tensors = found.Open();
            return make(tensors);
        })
        { File = found.Path };
}
