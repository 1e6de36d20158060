namespace LatentBridge.Previews;

/// <summary>A picture of an animation.</summary>
/// <param name="Rgb">Rows of red, green, blue bytes without padding.</param>
/// <param name="DelayMilliseconds">How long it stays; a file format may round (GIF to 10 ms).</param>
public readonly record struct AnimationFrame(ReadOnlyMemory<byte> Rgb, int DelayMilliseconds);
