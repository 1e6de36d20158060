using LatentBridge.Networks;

namespace LatentBridge.Weights;

/// <summary>A network that is recognised by its tensors' names and shapes. Each decoder's folder describes its own.</summary>
/// <param name="Id">What the catalogue, the manifest and <c>models list</c> call it.</param>
/// <param name="Title">What people call it.</param>
/// <param name="Anchor">The tensor that is looked for; whatever stands before it in a file's key is the prefix of all keys.</param>
/// <param name="FirstLayer">The tensor whose first values are the fingerprint (see <see cref="WeightManifest"/>).</param>
/// <param name="Layout">Every tensor the network has, or null when the shapes are another network's.</param>
sealed record NetworkArchitecture(string Id, string Title, string Anchor, string FirstLayer, Func<TensorShapes, NetworkLayout?> Layout)
{
    /// <summary>What is added to a key's leading number to get the file's own: -1 for diffusers, which leaves the clamp out.</summary>
    public int IndexShift { get; init; }

    /// <summary>The trainings of this architecture that its shapes do not tell apart; empty where the manifest knows them all.</summary>
    public IReadOnlyList<NetworkVariant> Variants { get; init; } = [];

    /// <summary>Why a file of this kind is of no use here; null when it is of use.</summary>
    public string? NotSupported { get; init; }
}

/// <summary>What a file's shapes make of an architecture.</summary>
/// <param name="LatentChannels">Channels of the latents.</param>
/// <param name="Tensors">Every tensor that the network has.</param>
/// <param name="Network">The layers, where it is a convolutional network of the engine's.</param>
sealed record NetworkLayout(int LatentChannels, IReadOnlyList<ExpectedTensor> Tensors, Network? Network = null)
{
    /// <summary>The layout of one of the engine's networks.</summary>
    public static NetworkLayout Of(long latentChannels, Network network) => new((int)latentChannels, [.. network.Tensors], network);
}

/// <summary>The shapes of a file's tensors behind one prefix, by the architecture's own keys.</summary>
/// <param name="dimensions">The axes of a tensor by its key in the file; null when there is none.</param>
/// <param name="prefix">The part of every key before the architecture's own.</param>
/// <param name="indexShift">As <see cref="NetworkArchitecture.IndexShift"/>.</param>
sealed class TensorShapes(Func<string, long[]?> dimensions, string prefix, int indexShift)
{
    /// <summary>The part of every key before the architecture's own.</summary>
    public string Prefix => prefix;

    /// <summary>The axes of a tensor, or null when the file has none of that name.</summary>
    public long[]? this[string name] => dimensions(FileKey(name));

    /// <summary>The key in the file of a tensor of the architecture.</summary>
    public string FileKey(string name) => prefix + ShiftIndex(name, indexShift);

    /// <summary>Adds to the number a key starts with: <c>19.weight</c> and -1 give <c>18.weight</c>.</summary>
    public static string ShiftIndex(string name, int shift)
    {
        int dot = name.IndexOf('.', StringComparison.Ordinal);
        return shift != 0 && dot > 0 && int.TryParse(name.AsSpan(0, dot), out int index) ? $"{index + shift}{name[dot..]}" : name;
    }
}
