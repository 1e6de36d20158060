namespace LatentBridge.Sessions;

/// <summary>A latent that gives no picture; the protocol's <c>dropped</c> says its sequence and why.</summary>
/// <param name="Sequence">As submitted.</param>
/// <param name="Run">Its run, 0 when the slot could not be read.</param>
/// <param name="Stream">Its stream, 0 when the slot could not be read.</param>
/// <param name="Step">Its 0-based step.</param>
/// <param name="Reason">Why.</param>
/// <param name="Detail">More for people, or null.</param>
/// <param name="NeededByteLength">Bytes the picture takes, for <see cref="DropReason.ImageSlotTooSmall"/>; else 0.</param>
public readonly record struct DroppedLatent(ulong Sequence, ulong Run, uint Stream, int Step, DropReason Reason, string? Detail = null, long NeededByteLength = 0);
