namespace LatentBridge.Latents;

/// <summary>Element type of a latent as it travels; the numbers are those of <c>docs/protocol.md</c>.</summary>
public enum LatentElementType
{
    /// <summary>IEEE 754 binary32, little-endian.</summary>
    F32 = 0,

    /// <summary>IEEE 754 binary16, little-endian.</summary>
    F16 = 1,

    /// <summary>bfloat16: the upper half of a binary32, little-endian.</summary>
    BF16 = 2,
}

/// <summary>Sizes of <see cref="LatentElementType"/>.</summary>
public static class LatentElementTypeExtensions
{
    /// <summary>Bytes of one element: 4 for F32, 2 for F16 and BF16.</summary>
    public static int ByteLength(this LatentElementType type) => type == LatentElementType.F32 ? 4 : 2;
}
