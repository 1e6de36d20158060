using LatentBridge.Files;

namespace LatentBridge.Scanning.Sources;

/// <summary>A latent of a shard, or why it cannot be read.</summary>
/// <param name="Item">Its number in the shard, counted from 0.</param>
/// <param name="Key">What the shard calls it; empty where it has no name.</param>
/// <param name="Latent">The latent, one of a batch at a time; null when it cannot be read.</param>
/// <param name="BatchIndex">Which of <see cref="Latent"/>'s batch it is.</param>
/// <param name="Problem">Why it cannot be read; null when it can.</param>
sealed record ShardItem(int Item, string Key, LoadedLatent? Latent, int BatchIndex, string? Problem)
{
    /// <summary>True for the mirrored copy that a trainer keeps beside a latent: kohya's <c>latents_flipped</c>, LightningDiT's <c>latents_flip</c>.</summary>
    public bool IsMirroredOnPurpose => Key.Contains("_flip", StringComparison.Ordinal);
}
