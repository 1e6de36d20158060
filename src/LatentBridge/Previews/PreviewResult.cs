namespace LatentBridge.Previews;

/// <summary>What became of a preview.</summary>
/// <param name="ByteLength">Bytes written; when it does not fit, the bytes of room that are needed.</param>
/// <param name="Width">Width of the picture in pixels.</param>
/// <param name="Height">Height of the picture in pixels.</param>
/// <param name="Encoding">What the bytes are.</param>
/// <param name="DecodeMilliseconds">Time from latent to pixels, scaling included.</param>
/// <param name="EncodeMilliseconds">Time from pixels to bytes.</param>
/// <param name="NonFiniteCount">Values of the latent that were NaN or infinite and were replaced.</param>
/// <param name="Fits">False: the destination is too small and holds nothing of use.</param>
public readonly record struct PreviewResult(
    int ByteLength,
    int Width,
    int Height,
    PreviewEncoding Encoding,
    double DecodeMilliseconds,
    double EncodeMilliseconds,
    int NonFiniteCount,
    bool Fits);
