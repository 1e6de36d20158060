using LatentBridge.Files;

namespace LatentBridge.Scanning;

/// <summary>How a data set is scanned.</summary>
sealed record ScanSettings
{
    /// <summary>What is known of the latents.</summary>
    public LatentRequest Request { get; init; } = new();

    /// <summary>Decoder of the pictures that are looked at; null: latent2rgb.</summary>
    public string? Decoder { get; init; }

    /// <summary>Latents checked at once.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>Folder of the pictures that the latents were made of; null: not known.</summary>
    public string? Images { get; init; }

    /// <summary>Reads a picture file: RGB24, width, height.</summary>
    public Func<string, (byte[] Rgb, int Width, int Height)>? ReadPicture { get; init; }

    /// <summary>Folder for a thumbnail of each latent; null: none are written.</summary>
    public string? Previews { get; init; }

    /// <summary>Shards and folders that are scanned: thumbnails lie as their shards do below the folder that these have in common.</summary>
    public IReadOnlyList<string> Paths { get; init; } = [];

    /// <summary>Longest side of a thumbnail in pixels.</summary>
    public int PreviewSize { get; init; } = 256;

    /// <summary>What decides the findings, as a text to compare.</summary>
    public string Identity => $"1 format={Request.FormatId} space={Request.Space} axes={Request.Axes} key={Request.Key} decoder={Decoder} images={Images}";
}
