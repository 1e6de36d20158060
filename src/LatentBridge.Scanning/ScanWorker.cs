using LatentBridge.Formats;
using LatentBridge.Imaging.Png;
using LatentBridge.Imaging.Scaling;
using LatentBridge.Latents;
using LatentBridge.Scanning.Checks;
using LatentBridge.Scanning.Report;
using LatentBridge.Scanning.Sources;

namespace LatentBridge.Scanning;

/// <summary>What one thread of a scan keeps: a checker for each format that it meets, and the memory for thumbnails.</summary>
sealed class ScanWorker(ScanSettings settings) : IDisposable
{
    readonly Dictionary<(string Id, int Channels), LatentChecker> _checkers = [];
    readonly Luminance _beside = new();
    readonly ImageScaler _scaler = new();
    readonly PngEncoder _png = new();
    readonly PreviewNames _previews = new(settings.Paths);

    /// <summary>Checks a shard's latents, each by itself.</summary>
    /// <returns>A line for each, and whether it is a copy on purpose. A shard that cannot be read further ends with a line that says why; one without latents has no line.</returns>
    public IEnumerable<(ReportLine Line, bool IsCopyOnPurpose)> Scan(string path)
    {
        using IEnumerator<ShardItem> items = LatentShards.Read(path, settings.Request).GetEnumerator();
        int next = 0;
        while (true)
        {
            ReportLine line;
            bool isCopyOnPurpose = false;
            try
            {
                if (!items.MoveNext())
                {
                    yield break;
                }

                ShardItem item = items.Current;
                next = item.Item + 1;
                isCopyOnPurpose = item.IsMirroredOnPurpose;
                line = Check(path, item);
            }
            catch (NoLatentException)
            {
                yield break;
            }
            catch (Exception failure) when (failure is LatentBridgeException or IOException or UnauthorizedAccessException or InvalidDataException)
            {
                line = Unreadable(path, next, "", failure.Message);
            }

            // After a fault of the shard itself the enumeration is over.
            yield return (line, isCopyOnPurpose);
        }
    }

    /// <summary>The picture of a latent, scaled to a longest side of at most <paramref name="size"/> pixels, as a PNG file.</summary>
    public byte[] Thumbnail(ShardItem item, int size)
    {
        LatentChecker checker = Checker(item.Latent!.Format, item.Latent.Shape);
        checker.Check(item.Latent.View, item.BatchIndex);
        return Thumbnail(checker, size);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (LatentChecker checker in _checkers.Values)
        {
            checker.Dispose();
        }
    }

    ReportLine Check(string path, ShardItem item)
    {
        if (item.Latent is not { } latent)
        {
            return Unreadable(path, item.Item, item.Key, item.Problem!);
        }

        LatentChecker checker = Checker(latent.Format, latent.Shape);
        LatentFinding found = checker.Check(latent.View, item.BatchIndex, Beside(path, latent.Shape));
        LatentShape shape = latent.Shape;
        ReportLine line = new()
        {
            File = path,
            Item = item.Item,
            Key = item.Key,
            Faults = found.Faults,
            Details = found.Details,
            Format = latent.Format.Id,
            Space = latent.Space == LatentSpace.Vae ? "vae" : "sampler",
            Shape = shape.Frames == 1 ? [shape.Channels, shape.Height, shape.Width] : [shape.Channels, shape.Frames, shape.Height, shape.Width],
            Mean = found.Mean,
            Deviation = found.Deviation,
            LogSpread = found.LogSpread,
            Correlation = found.Correlation,
            Oddness = found.Oddness,
            Sketch = found.Sketch,
        };
        if (settings.Previews is { } folder)
        {
            WritePreview(folder, line, Thumbnail(checker, settings.PreviewSize));
        }

        return BucketCheck.Check(path, item.Key, shape, latent.Format) is { } wrong ? line.With(LatentFaults.Bucket, wrong) : line;
    }

    LatentChecker Checker(LatentFormat format, LatentShape shape)
    {
        if (!_checkers.TryGetValue((format.Id, shape.Channels), out LatentChecker? checker))
        {
            string? decoder = format.Rgb is null && settings.Decoder == "latent2rgb" ? null : settings.Decoder;
            _checkers.Add((format.Id, shape.Channels), checker = new(format, decoder));
        }

        return checker;
    }

    ReadOnlySpan<float> Beside(string path, LatentShape shape)
    {
        if (settings is not { Images: { } folder, ReadPicture: { } read } || PictureBeside.Find(path, folder) is not { } picture)
        {
            return [];
        }

        (byte[] rgb, int width, int height) = read(picture);
        (byte[] cropped, int croppedWidth, int croppedHeight) = PictureBeside.Crop(rgb, width, height, shape.Width, shape.Height);
        _beside.Take(cropped, croppedWidth, croppedHeight);
        return _beside.Grid;
    }

    byte[] Thumbnail(LatentChecker checker, int size)
    {
        double scale = Math.Min(1.0 * size / Math.Max(checker.PictureWidth, checker.PictureHeight), 8);
        (int width, int height) = (Math.Max(1, (int)Math.Round(checker.PictureWidth * scale)), Math.Max(1, (int)Math.Round(checker.PictureHeight * scale)));
        byte[] rgb = new byte[3 * width * height];
        _scaler.Scale(checker.Picture, checker.PictureWidth, checker.PictureHeight, rgb, width, height, ImageScaling.Smooth);
        byte[] png = new byte[PngEncoder.MaximumLength(width, height, 3)];
        return png[.._png.Encode(rgb, width, height, 3, png)];
    }

    void WritePreview(string folder, ReportLine line, byte[] png)
    {
        string name = Path.Combine(folder, $"{_previews.Of(line.File)}.{line.Item}.png");
        Directory.CreateDirectory(Path.GetDirectoryName(name)!);
        File.WriteAllBytes(name, png);
    }

    static ReportLine Unreadable(string path, int item, string key, string why) => new() { File = path, Item = item, Key = key, Error = why, Oddness = 10 };
}
