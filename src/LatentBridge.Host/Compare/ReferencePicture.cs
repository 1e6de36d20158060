using LatentBridge.Host.Sheets;

namespace LatentBridge.Host.Compare;

/// <summary>What a reference decoder made.</summary>
/// <param name="Picture">The picture; null when it failed.</param>
/// <param name="Milliseconds">Of its fastest run.</param>
/// <param name="MemoryBytes">The most that loading and decoding took; null where Python's system does not tell.</param>
/// <param name="Problem">Why there is no picture.</param>
sealed record ReferencePicture(Picture? Picture, double Milliseconds, long? MemoryBytes, string? Problem);
