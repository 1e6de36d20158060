using LatentBridge.Host.Commands;

namespace LatentBridge.Host.Fit;

/// <summary>A picture and, unless an encoder is to make it, the latent it belongs to.</summary>
/// <param name="Picture">A PNG, JPEG or WebP file.</param>
/// <param name="Latent">The latent's file, or null.</param>
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
        TrainingPair[] all = [.. places.SelectMany(Pictures).Distinct().Select(picture => new TrainingPair(picture, LatentOf(picture)))];
        TrainingPair[] pairs = all.Any(pair => pair.Latent is not null) ? [.. all.Where(pair => pair.Latent is not null)] : all;
        if (pairs.Length < all.Length)
        {
            note($"{all.Length - pairs.Length} pictures have no latent of the same name next to them and are left out.");
        }

        return pairs.Length >= atLeast
            ? pairs
            : throw new InputException($"Too few pairs: {pairs.Length} found in {string.Join(", ", places)}; at least two are needed, one to fit to and one to measure with. A pair is name.png and name.safetensors in one folder.");
    }

    /// <summary>The picture's latent: a file of the same name beside it, or a trainer's cache there or in <c>_latent_cache</c>, whose names begin with the picture's (<c>NAME_1024x1024_sdxl.npz</c>).</summary>
    static string? LatentOf(string picture)
    {
        if (LatentEndings.Select(ending => Path.ChangeExtension(picture, ending)).FirstOrDefault(File.Exists) is { } same)
        {
            return same;
        }

        string stem = Path.GetFileNameWithoutExtension(picture), folder = Path.GetDirectoryName(Path.GetFullPath(picture))!;
        return new[] { folder, Path.Combine(folder, "_latent_cache") }.Where(Directory.Exists)
            .SelectMany(place => Directory.GetFiles(place).Order(StringComparer.Ordinal))
            .FirstOrDefault(file => LatentEndings.Contains(Path.GetExtension(file)) && IsCacheOf(stem, file, folder));
    }

    /// <summary>Whether a cache's name is the picture's and what trainers add: its size and family, or a hash. Of pictures <c>a</c> and <c>a_b</c>, <c>a_b_512x512_sd.npz</c> is the second's.</summary>
    static bool IsCacheOf(string stem, string file, string folder)
    {
        string name = Path.GetFileNameWithoutExtension(file);
        return name.StartsWith(stem + "_", StringComparison.Ordinal)
            && !PictureFiles.Endings.SelectMany(ending => Directory.GetFiles(folder, "*" + ending)).Select(Path.GetFileNameWithoutExtension)
                .Any(other => other!.Length > stem.Length && (name == other || name.StartsWith(other + "_", StringComparison.Ordinal)));
    }

    static string[] Pictures(string place) =>
        File.Exists(place) ? [place]
        : Directory.Exists(place) ? [.. Directory.GetFiles(place).Where(file => PictureFiles.Endings.Contains(Path.GetExtension(file), StringComparer.OrdinalIgnoreCase)).Order(StringComparer.Ordinal)]
        : throw new InputException($"\"{place}\" is neither a file nor a folder.");
}
