using LatentBridge.Latents;

namespace LatentBridge.Files;

/// <summary>A latent read from a file by <see cref="LatentFile"/>; owns its bytes.</summary>
/// <param name="Path">The file.</param>
/// <param name="Key">The tensor's name in the file.</param>
/// <param name="Bytes">The elements, little-endian, row-major.</param>
/// <param name="ElementType">What an element is.</param>
/// <param name="Axes">Axes as they stand in the file, outermost first.</param>
/// <param name="Space">Which scale the values are in.</param>
/// <param name="FormatId">The latent format's id as the file's metadata has it (<c>latent_format</c>), unchecked; null when it has none.</param>
/// <param name="Keys">All tensors of the file that look like latents, this one among them.</param>
public sealed record LoadedLatent(
    string Path, string Key, byte[] Bytes, LatentElementType ElementType, long[] Axes, LatentSpace Space, string? FormatId, IReadOnlyList<string> Keys)
{
    /// <summary>The latent as a view, its axes read as those of a format with this number of dimensions (1, 2 or 3).</summary>
    /// <exception cref="LatentBridgeException">The axes do not fit such a format.</exception>
    public Latent ToLatent(int dimensions)
    {
        string? fault = LatentShape.FromDimensions(Axes, dimensions, out LatentShape shape);
        return fault is null
            ? new Latent(Bytes, ElementType, shape, Space)
            : throw new LatentBridgeException($"{Path}: \"{TensorEntry.Shorten(Key)}\" has {fault}. Choose another tensor with --key ({string.Join(", ", Keys)}), or another format with --format.");
    }
}
