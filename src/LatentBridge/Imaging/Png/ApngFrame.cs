namespace LatentBridge.Imaging.Png;

/// <summary>A picture of an animation.</summary>
/// <param name="Png">A PNG file.</param>
/// <param name="DelayMilliseconds">How long it stays, 0 (as fast as can be) to 65,535,000.</param>
readonly record struct ApngFrame(ReadOnlyMemory<byte> Png, int DelayMilliseconds);
