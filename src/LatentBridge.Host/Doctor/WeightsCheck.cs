using LatentBridge.Decoders;
using LatentBridge.Formats;
using LatentBridge.Weights;

namespace LatentBridge.Host.Doctor;

/// <summary>Formats, weights, and the best decoder that each of the common formats gets.</summary>
static class WeightsCheck
{
    static readonly string[] CommonFormats = ["SD15", "SDXL", "SD3", "Flux", "Flux2", "Wan21"];

    internal static IEnumerable<Finding> Run()
    {
        yield return new("formats", FindingState.Good, $"{LatentFormats.Ids.Count} latent formats");

        WeightLibrary weights = LatentDecoders.WeightsOfThisMachine();
        yield return new("weight folders", FindingState.Good, weights.Folders.Count == 0 ? "none" : string.Join(", ", weights.Folders));
        foreach (string missing in weights.Folders.Where(folder => !Directory.Exists(folder)))
        {
            yield return new("weight folders", FindingState.Bad, $"{missing} does not exist", $"Create it, or remove it from {WeightLibrary.FoldersVariable}.");
        }

        foreach (FoundWeights folder in weights.Found.Where(found => weights.Folders.Contains(found.Path)))
        {
            yield return new("weight folders", FindingState.Bad, folder.Path, folder.Problem!);
        }

        KnownWeights[] bundled = [.. WeightManifest.Known.Where(known => known.Bundled)];
        string[] absent = [.. bundled.Where(known => !weights.Found.Any(found => found.Known == known && found.Problem is null)).Select(known => known.File)];
        yield return absent.Length == 0
            ? new("bundled weights", FindingState.Good, $"all {bundled.Length}")
            : new("bundled weights", FindingState.Bad, $"missing: {string.Join(", ", absent)}", "Unpack the release again with its models folder, or run `git checkout models`.");

        foreach (string id in CommonFormats)
        {
            IReadOnlyList<DecoderEntry> entries = LatentDecoders.For(LatentFormats.Get(id), weights);
            yield return entries.Count == 0
                ? new($"decoders {id}", FindingState.Bad, "none", "Please report this.")
                : new($"decoders {id}", FindingState.Good, string.Join(", ", entries.Select(entry => entry.Description.Id)));
        }
    }
}
