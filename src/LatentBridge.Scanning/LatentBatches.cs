using LatentBridge.Decoders;
using LatentBridge.Decoders.Linear;
using LatentBridge.Files;
using LatentBridge.Formats;
using LatentBridge.Imaging.Scaling;
using LatentBridge.Latents;
using LatentBridge.Previews;
using LatentBridge.Scanning.Checks;

namespace LatentBridge.Scanning;

/// <summary>Checks and thumbnails of latents in memory: the two calls that any engine for large data sets can map over its batches.</summary>
/// <remarks>They keep nothing between calls, and any number of threads may call them.</remarks>
public static class LatentBatches
{
    /// <summary>Checks latents one after the other, each by itself.</summary>
    /// <param name="latents">Of any formats; a batch gives a finding for each of its items.</param>
    /// <param name="decoder">The decoder of the pictures that are looked at; null: latent2rgb.</param>
    /// <exception cref="LatentBridgeException">A latent does not fit its format, or the format has no such decoder.</exception>
    public static IEnumerable<LatentFinding> Check(IEnumerable<LoadedLatent> latents, string? decoder = null)
    {
        Dictionary<LatentFormat, LatentChecker> checkers = [];
        try
        {
            foreach (LoadedLatent latent in latents)
            {
                if (!checkers.TryGetValue(latent.Format, out LatentChecker? checker))
                {
                    checkers.Add(latent.Format, checker = new(latent.Format, decoder));
                }

                for (int item = 0; item < latent.Shape.Batch; item++)
                {
                    yield return checker.Check(latent.View, item);
                }
            }
        }
        finally
        {
            foreach (LatentChecker checker in checkers.Values)
            {
                checker.Dispose();
            }
        }
    }

    /// <summary>Checks each latent of a batch by itself.</summary>
    /// <param name="latents">The batch.</param>
    /// <param name="format">Its format.</param>
    /// <param name="decoder">The decoder of the pictures that are looked at; null: latent2rgb.</param>
    /// <exception cref="LatentBridgeException">The batch does not fit the format, or the format has no such decoder.</exception>
    public static LatentFinding[] Check(in Latent latents, LatentFormat format, string? decoder = null)
    {
        using LatentChecker checker = new(format, decoder);
        LatentFinding[] findings = new LatentFinding[latents.Shape.Batch];
        for (int item = 0; item < findings.Length; item++)
        {
            findings[item] = checker.Check(latents, item);
        }

        return findings;
    }

    /// <summary>A picture of each latent of a batch.</summary>
    /// <param name="latents">The batch.</param>
    /// <param name="format">Its format.</param>
    /// <param name="size">Longest side in pixels, at least 1.</param>
    /// <param name="decoder">The decoder; null: latent2rgb, or estimated colours for a format without a map.</param>
    /// <param name="width">Pixels of each picture from left to right.</param>
    /// <param name="height">Pixels of each picture from top to bottom.</param>
    /// <returns>RGB24, picture by picture, rows without padding.</returns>
    /// <exception cref="LatentBridgeException">The batch does not fit the format, or the format has no such decoder.</exception>
    public static byte[] Thumbnail(in Latent latents, LatentFormat format, int size, string? decoder, out int width, out int height)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        string id = decoder ?? (format.Rgb is null ? "estimated" : LinearDecoder.Id);
        using ILatentDecoder loaded = LatentDecoders.Choose(format, LatentDecoders.WeightsOfThisMachine(), id).Load();
        using PreviewRenderer renderer = new(format);
        ImageScaler scaler = new();
        byte[] pictures = [], decoded = [];
        (width, height) = (0, 0);
        for (int item = 0; item < latents.Shape.Batch; item++)
        {
            renderer.Stage(latents, PreviewOptions.Default with { Batch = BatchChoice.Item, Item = item });
            (int wide, int high) = loaded.Description.OutputSize(renderer.PlaneHeight, renderer.PlaneWidth);
            if (item == 0)
            {
                double scale = (double)size / Math.Max(wide, high);
                (width, height) = (Math.Max(1, (int)Math.Round(wide * scale)), Math.Max(1, (int)Math.Round(high * scale)));
                (pictures, decoded) = (new byte[checked(3 * width * height * latents.Shape.Batch)], new byte[3 * wide * high]);
            }

            loaded.Decode(renderer.Planes(0), decoded, 1, CancellationToken.None);
            scaler.Scale(decoded, wide, high, pictures.AsSpan(3 * width * height * item, 3 * width * height), width, height, ImageScaling.Smooth);
        }

        return pictures;
    }
}
