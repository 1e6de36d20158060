using LatentBridge.Formats;
using LatentBridge.Latents;

namespace LatentBridge.Files;

/// <summary>A latent read from a file by <see cref="LatentFile"/>; owns its bytes.</summary>
public sealed record LoadedLatent
{
    /// <summary>The file.</summary>
    public required string Path { get; init; }

    /// <summary>The tensor's name in the file.</summary>
    public required string Key { get; init; }

    /// <summary>The elements, little-endian, as <c>[B,C,T,H,W]</c>.</summary>
    public required byte[] Bytes { get; init; }

    /// <summary>What an element is.</summary>
    public required LatentElementType ElementType { get; init; }

    /// <summary>Axes as they stand in the file, outermost first.</summary>
    public required IReadOnlyList<long> Axes { get; init; }

    /// <summary>How the file's axes were read: <c>[C,T,H,W]</c>.</summary>
    public required string AxisOrder { get; init; }

    /// <summary>The latent's shape.</summary>
    public required LatentShape Shape { get; init; }

    /// <summary>Which scale the values are in.</summary>
    public required LatentSpace Space { get; init; }

    /// <summary>The latent format: the one asked for, else the one the file says, else a guess.</summary>
    public required LatentFormat Format { get; init; }

    /// <summary>How the format was decided, to follow its name.</summary>
    public required string FormatReason { get; init; }

    /// <summary>True when neither the caller nor the file named the format.</summary>
    public required bool IsFormatGuessed { get; init; }

    /// <summary>All tensors of the file that look like latents, this one among them.</summary>
    public required IReadOnlyList<string> Keys { get; init; }

    /// <summary>What was inferred and from what, what was left out: sentences for people, empty for a file that leaves no question.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>The latent as a view.</summary>
    public Latent View => new(Bytes, ElementType, Shape, Space);
}
