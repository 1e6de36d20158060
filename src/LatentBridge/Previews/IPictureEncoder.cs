namespace LatentBridge.Previews;

/// <summary>Makes picture files of a kind that is not built in; <c>LatentBridge.ImageSharp</c> has JPEG and WebP.</summary>
/// <remarks>One thread at a time.</remarks>
public interface IPictureEncoder
{
    /// <summary>The kind of file.</summary>
    PreviewEncoding Encoding { get; }

    /// <summary>Encodes a picture.</summary>
    /// <param name="rgb">Rows of red, green, blue bytes without padding.</param>
    /// <param name="width">In pixels, at least 1.</param>
    /// <param name="height">In pixels, at least 1.</param>
    /// <param name="quality">1 (smallest) to 100 (best).</param>
    /// <param name="destination">Where the file goes.</param>
    /// <returns>The file's length in bytes. When that is more than <paramref name="destination"/> holds, nothing of use was written.</returns>
    /// <exception cref="LatentBridgeException">The file format has no such sides.</exception>
    int Encode(ReadOnlySpan<byte> rgb, int width, int height, int quality, Span<byte> destination);
}
