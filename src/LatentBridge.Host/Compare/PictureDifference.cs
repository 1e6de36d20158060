using LatentBridge.Host.Sheets;
using LatentBridge.Imaging;
using LatentBridge.Imaging.Quality;

namespace LatentBridge.Host.Compare;

/// <summary>How far two pictures of one size are apart. Levels are of 255, over all pixels and colours.</summary>
/// <param name="Histogram">How many values differ by 0, 1, ... 255 levels.</param>
/// <param name="Psnr">In dB; infinite for equal pictures.</param>
/// <param name="Ssim">Null for pictures smaller than its window.</param>
/// <param name="ColourMean">Mean CIEDE2000.</param>
sealed record PictureDifference(long[] Histogram, double Psnr, double? Ssim, double ColourMean)
{
    const int SsimWindow = 11;

    /// <summary>The largest difference.</summary>
    internal int Maximum { get; } = Array.FindLastIndex(Histogram, count => count > 0);

    /// <summary>The mean difference.</summary>
    internal double Mean { get; } = Histogram.Select((count, level) => (double)count * level).Sum() / Histogram.Sum();

    /// <summary>The smallest difference that at least 99.9 % of the values do not exceed.</summary>
    internal int Percentile999 { get; } = Percentile(Histogram, 0.999);

    internal static PictureDifference Between(Picture a, Picture b)
    {
        var histogram = new long[256];
        for (int i = 0; i < a.Pixels.Length; i++)
        {
            histogram[Math.Abs(a.Pixels[i] - b.Pixels[i])]++;
        }

        return new(
            histogram,
            ImageQuality.Psnr(a.Pixels, b.Pixels),
            Math.Min(a.Width, a.Height) < SsimWindow ? null : ImageQuality.Ssim(a.Pixels, b.Pixels, a.Width, a.Height),
            ImageQuality.CieDe2000(a.Pixels, b.Pixels).Mean);
    }

    /// <summary>Each pixel's largest difference, in viridis from 0 (violet) to <see cref="Maximum"/> (yellow).</summary>
    internal Picture HeatMap(Picture a, Picture b)
    {
        var map = new byte[a.Pixels.Length];
        for (int i = 0; i < map.Length; i += 3)
        {
            int difference = Math.Max(
                Math.Abs(a.Pixels[i] - b.Pixels[i]), Math.Max(Math.Abs(a.Pixels[i + 1] - b.Pixels[i + 1]), Math.Abs(a.Pixels[i + 2] - b.Pixels[i + 2])));
            Viridis.Colour((byte)(difference * 255 / Math.Max(Maximum, 1))).CopyTo(map.AsSpan(i));
        }

        return new(map, a.Width, a.Height);
    }

    static int Percentile(long[] histogram, double share)
    {
        long wanted = (long)Math.Ceiling(share * histogram.Sum());
        int level = 0;
        for (long seen = histogram[0]; seen < wanted; seen += histogram[level])
        {
            level++;
        }

        return level;
    }
}
