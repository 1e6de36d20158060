using LatentBridge.Host.Commands;

namespace LatentBridge.Host.Fit;

/// <summary>A picture and, unless an encoder is to make it, the latent it belongs to.</summary>
/// <param name="Picture">A PNG file.</param>
/// <param name="Latent">The latent's file of the same name, or null.</param>
sealed record TrainingPair(string Picture, string? Latent)
{
    static readonly string[] LatentEndings = [".safetensors", ".latent", ".npy", ".npz", ".pt", ".pth"];

    /// <summary>Finds the pairs in files and folders: with latents beside them, the pictures that have one, else all pictures.</summary>
    /// <param name="places">Pictures, or folders of them.</param>
    /// <param name="atLeast">Pairs that are needed.</param>
    /// <param name="note">Told of pictures left out.</param>
    /// <exception cref="InputException">There are fewer.</exception>
    internal static IReadOnlyList<TrainingPair> Find(IEnumerable<string> places, int atLeast, Action<string> note)
    {
        TrainingPair[] all = [.. places.SelectMany(Pictures).Distinct().Select(picture =>
            new TrainingPair(picture, LatentEndings.Select(ending => Path.ChangeExtension(picture, ending)).FirstOrDefault(File.Exists)))];
        TrainingPair[] pairs = all.Any(pair => pair.Latent is not null) ? [.. all.Where(pair => pair.Latent is not null)] : all;
        if (pairs.Length < all.Length)
        {
            note($"{all.Length - pairs.Length} pictures have no latent of the same name next to them and are left out.");
        }

        return pairs.Length >= atLeast
            ? pairs
            : throw new InputException($"Too few pairs: {pairs.Length} found in {string.Join(", ", places)}; at least two are needed, one to fit to and one to measure with. A pair is name.png and name.safetensors in one folder.");
    }

    static string[] Pictures(string place) =>
        File.Exists(place) ? [place]
        : Directory.Exists(place) ? [.. Directory.GetFiles(place, "*.png").Order(StringComparer.Ordinal)]
        : throw new InputException($"\"{place}\" is neither a file nor a folder.");
}
