using System.Globalization;
using LatentBridge.Files;

namespace LatentBridge.Sessions;

/// <summary>A latent space that pictures are kept of, and the decoder that was learned from them.</summary>
/// <param name="Space">Its folder's name: the latent format's id and the channels, such as <c>SDXL-4</c>.</param>
/// <param name="Format">The latent format's id.</param>
/// <param name="Kept">Pictures that are kept.</param>
/// <param name="Bytes">All of its files together.</param>
/// <param name="Pictures">What the decoder was learned from; null while there is none.</param>
/// <param name="Psnr">What it reached on the pictures it was not learned from, in dB; null while there is none.</param>
/// <param name="When">When it was learned, local time; null while there is none.</param>
/// <param name="HasBefore">Whether <see cref="RollBack"/> brings an older one back.</param>
public sealed record LearnedDecoder(string Space, string Format, int Kept, long Bytes, int? Pictures, double? Psnr, DateTime? When, bool HasBefore)
{
    const int MostAttempts = 20;

    /// <summary>All that is kept, by name.</summary>
    /// <param name="data">As in <c>hello</c>; null: the user's own folder.</param>
    public static IReadOnlyList<LearnedDecoder> All(string? data = null) =>
        LearnedSpace.FolderIn(data) is { } folder && Directory.Exists(folder)
            ? [.. Directory.GetDirectories(folder).Select(Read).OrderBy(space => space.Space, StringComparer.Ordinal)]
            : [];

    /// <summary>Deletes the pictures and the decoders. A program that shows previews follows with its next run.</summary>
    /// <param name="data">As in <c>hello</c>; null: the user's own folder.</param>
    /// <exception cref="IOException">A file cannot be deleted.</exception>
    /// <exception cref="UnauthorizedAccessException">The same.</exception>
    public void Forget(string? data = null)
    {
        for (int attempt = 1; Directory.Exists(FolderIn(data)); attempt++)
        {
            try
            {
                Directory.Delete(FolderIn(data), recursive: true);
            }
            catch (IOException) when (attempt < MostAttempts)
            {
                Thread.Sleep(attempt); // another program writes there just now
            }
        }
    }

    /// <summary>Takes the decoder away; the one before it takes its place, where there is one. Pictures stay. A program that shows previews follows with its next run.</summary>
    /// <param name="data">As in <c>hello</c>; null: the user's own folder.</param>
    /// <exception cref="IOException">A file cannot be moved or deleted.</exception>
    /// <exception cref="UnauthorizedAccessException">The same.</exception>
    public void RollBack(string? data = null) => new LearnedFiles(FolderIn(data)).RollBack();

    string FolderIn(string? data) => Path.Combine(LearnedSpace.FolderIn(data)!, Space);

    static LearnedDecoder Read(string folder)
    {
        string name = Path.GetFileName(folder);
        LearnedFiles files = new(folder);
        (int? pictures, double? psnr) = Reached(files.Decoder);
        return new(
            name, name.LastIndexOf('-') is > 0 and var dash ? name[..dash] : name, new PairStore(folder).Files().Count,
            PairStore.Paths(folder).Sum(PairStore.Length), pictures, psnr, pictures is null ? null : File.GetLastWriteTime(files.Decoder), File.Exists(files.Before));
    }

    static (int? Pictures, double? Psnr) Reached(string decoder)
    {
        try
        {
            using TensorFile file = TensorFile.Open(decoder);
            return (int.Parse(file.Metadata.GetValueOrDefault("pairs", ""), CultureInfo.InvariantCulture), double.Parse(file.Metadata.GetValueOrDefault("psnr", ""), CultureInfo.InvariantCulture));
        }
        catch (Exception e) when (e is LatentBridgeException or IOException or UnauthorizedAccessException or FormatException)
        {
            return default;
        }
    }
}
