using LatentBridge.Files;

namespace LatentBridge.Weights;

/// <summary>A network found in a file, what it is for, or why it is of no use.</summary>
public sealed record FoundWeights
{
    /// <summary>Id of a file in which no network was recognised.</summary>
    public const string UnknownArchitecture = "unknown";

    /// <summary>Full path of the file.</summary>
    public required string Path { get; init; }

    /// <summary>File name.</summary>
    public string FileName => ShownText.Clean(System.IO.Path.GetFileName(Path));

    /// <summary>File name without its ending, fit to be shown: decoders are named after it.</summary>
    public string Stem => ShownText.Clean(System.IO.Path.GetFileNameWithoutExtension(Path));

    /// <summary>Id of the network: <c>latentbridge-tiny</c>, <c>taesd-decoder</c> and so on, or <see cref="UnknownArchitecture"/>.</summary>
    public required string Architecture { get; init; }

    /// <summary>What people call the network.</summary>
    public required string Title { get; init; }

    /// <summary>Latent channels; 0 when unknown.</summary>
    public int Channels { get; init; }

    /// <summary>Ids of the latent formats it serves; empty when none.</summary>
    public IReadOnlyList<string> Formats { get; init; } = [];

    /// <summary>How the formats were told, as words to follow "told by": <c>its numbers: taesdxl_decoder</c>.</summary>
    public string? ToldBy { get; init; }

    /// <summary>The entry of the manifest whose numbers these are, or null.</summary>
    internal KnownWeights? Known { get; init; }

    /// <summary>Which training it is taken for, where the architecture has several; null otherwise.</summary>
    internal string? Variant { get; init; }

    /// <summary>Why it cannot be used, as a sentence; null when it can.</summary>
    public string? Problem { get; init; }

    /// <summary>What reads and decodes with it when that is not the core itself.</summary>
    internal ModelKind? Kind { get; init; }

    /// <summary>The network's tensors and layers.</summary>
    internal NetworkLayout Layout { get; init; } = new(0, []);

    /// <summary>What stands before the architecture's keys in this file.</summary>
    internal string Prefix { get; init; } = "";

    /// <summary>What is added to the number an architecture's key starts with.</summary>
    internal int IndexShift { get; init; }

    /// <summary>Whether the network has this tensor.</summary>
    internal bool Has(string name) => Layout.Tensors.Any(tensor => tensor.Name == name);

    /// <summary>Numbers in the weights of all layers, biases left out: the multiply-adds of one output of each.</summary>
    internal long WeightCount => Layout.Tensors.Where(tensor => tensor.Dimensions.Length > 1).Sum(tensor => tensor.Length);

    /// <summary>Opens the file to read the network's tensors.</summary>
    /// <exception cref="LatentBridgeException">It cannot be used (<see cref="Problem"/>) or is not readable any more.</exception>
    internal NetworkTensors Open() => Problem is null
        ? new(this, TensorFile.Open(Path))
        : throw new LatentBridgeException($"'{Path}': {Problem}");
}
