namespace LatentBridge.Previews;

/// <summary>What a preview's bytes are; the numbers are those of <c>docs/protocol.md</c>.</summary>
public enum PreviewEncoding
{
    /// <summary>Rows of red, green, blue bytes, top to bottom, without padding.</summary>
    Rgb24 = 0,

    /// <summary>A PNG file.</summary>
    Png = 1,

    /// <summary>A JPEG file; needs an <see cref="IPictureEncoder"/>.</summary>
    Jpeg = 2,

    /// <summary>A WebP file; needs an <see cref="IPictureEncoder"/>.</summary>
    Webp = 3,
}
