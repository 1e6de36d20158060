using LatentBridge.Decoders;
using LatentBridge.Formats;
using LatentBridge.Weights;

namespace LatentBridge.Host.Commands;

/// <summary>Finds the decoder that <c>--decoder</c> names.</summary>
static class DecoderChoice
{
    const string LinearId = "latent2rgb";
    const string EstimatedId = "estimated";

    /// <summary>The entry of that id, or the best for <c>auto</c>. A latent of no known format has no linear map: its own colours are estimated in place of one.</summary>
    /// <param name="entries">The format's decoders, best first.</param>
    /// <param name="id">What the user asked for.</param>
    /// <param name="format">For the message.</param>
    /// <exception cref="InputException">There is none of that id; the message names those there are.</exception>
    internal static DecoderEntry Choose(this IReadOnlyList<DecoderEntry> entries, string id, LatentFormat format) =>
        id == "auto" ? entries[0]
        : format.Process == LatentProcess.Unknown && format.Rgb is null && id.Equals(LinearId, StringComparison.OrdinalIgnoreCase) ? entries.First(entry => entry.Description.Id == EstimatedId)
        : entries.FirstOrDefault(entry => string.Equals(entry.Description.Id, id, StringComparison.OrdinalIgnoreCase))
        ?? throw new InputException(
            $"There is no decoder \"{id}\" for {format.Id}. Available: {string.Join(", ", entries.Select(entry => $"{entry.Description.Id} ({entry.Description.Source})"))}. "
            + $"Weights are searched in the program's models folder and in the folders that {WeightLibrary.FoldersVariable} names.");
}
