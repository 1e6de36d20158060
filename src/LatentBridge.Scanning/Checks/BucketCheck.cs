using System.Globalization;
using System.Text.RegularExpressions;
using LatentBridge.Formats;
using LatentBridge.Latents;

namespace LatentBridge.Scanning.Checks;

/// <summary>Whether a latent has the size that names say: its tensor's <c>latents_HxW</c> (cells), its folder's <c>WxH</c> (pixels), its file's <c>_WxH</c> (pixels of the picture).</summary>
static partial class BucketCheck
{
    /// <summary>A trainer crops a picture to its bucket; more than this, as a ratio of ratios, is another picture's name.</summary>
    const double LargestCrop = 1.5;

    /// <summary>What does not fit, or null.</summary>
    public static string? Check(string path, string key, LatentShape shape, LatentFormat format)
    {
        if (Key().Match(key) is { Success: true } sized && (Number(sized, 1), Number(sized, 2)) is var (rows, columns) && (rows != shape.Height || columns != shape.Width))
        {
            return $"{shape.Height} x {shape.Width} cells, and the tensor's name says {rows} x {columns}";
        }

        (int height, int width) = (shape.Height * format.SpatialCompression, shape.Width * format.SpatialCompression);
        string folder = Path.GetFileName(Path.GetDirectoryName(path)) ?? "";
        if (Folder().Match(folder) is { Success: true } bucket && (Number(bucket, 1) != width || Number(bucket, 2) != height))
        {
            return $"{width} x {height} pixels, and the folder is {folder}";
        }

        if (Name().Match(Path.GetFileName(path)) is { Success: true } named)
        {
            double said = (double)Number(named, 1) / Math.Max(1, Number(named, 2)), found = (double)width / height;
            return Math.Max(said / found, found / said) > LargestCrop
                ? $"{width} x {height} pixels, and the file's name says {Number(named, 1)} x {Number(named, 2)}"
                : null;
        }

        return null;
    }

    static int Number(Match match, int group) => int.Parse(match.Groups[group].ValueSpan, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"latents(?:_flipped)?_(\d{1,6})x(\d{1,6})(?:$|[._])")]
    private static partial Regex Key();

    [GeneratedRegex(@"^(\d{2,5})x(\d{2,5})$")]
    private static partial Regex Folder();

    [GeneratedRegex(@"_(\d{3,5})x(\d{3,5})(?:_[A-Za-z0-9]+)*\.[a-z]+$")]
    private static partial Regex Name();
}
