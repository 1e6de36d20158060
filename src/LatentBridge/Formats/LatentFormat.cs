namespace LatentBridge.Formats;

/// <summary>What a model family's latents are like: channels, scale, compression and colour.</summary>
/// <remarks>Data: <c>models/formats/&lt;Id&gt;.json</c>, where each number has its source. See <see cref="LatentFormats"/>.</remarks>
public sealed class LatentFormat
{
    /// <summary>ComfyUI's class name: <c>SD15</c>, <c>SDXL</c>, <c>Flux</c>, <c>Wan21</c>.</summary>
    public required string Id { get; init; }

    /// <summary>Where the numbers beside the colour maps come from.</summary>
    public required string Source { get; init; }

    /// <summary>Channels of the latent, all nested streams together.</summary>
    public required int Channels { get; init; }

    /// <summary>Channels of the stream that is shown: those of the first of several nested ones, else <see cref="Channels"/>.</summary>
    public required int StreamChannels { get; init; }

    /// <summary>1: <c>[B,C,N]</c>; 2: <c>[B,C,H,W]</c>; 3: <c>[B,C,T,H,W]</c>.</summary>
    public required int Dimensions { get; init; }

    /// <summary>Pixels per cell and side of the full picture: 1, 4, 8, 16, 32 or 42.</summary>
    public required int SpatialCompression { get; init; }

    /// <summary>Frames (or samples of sound) per latent frame; 1 for pictures.</summary>
    public required int TemporalCompression { get; init; }

    /// <summary>Pictures a second of the model's videos, as its authors show them; 0 for pictures, and where nobody says.</summary>
    public int FramesPerSecond { get; init; }

    /// <summary>Cells a second of sound; 0 for what is no sound.</summary>
    public double CellsPerSecond { get; init; }

    /// <summary>True for videos whose first latent frame stands for one picture, and each further one for several.</summary>
    public bool IsCausalVideo => Dimensions == 3 && TemporalCompression > 1;

    /// <summary>
    /// Side of the square of cells packed into the channels: 2 for FLUX.2, whose 128 channels are 32 at twice the height
    /// and width; else 1.
    /// </summary>
    public int Unpack { get; init; } = 1;

    /// <summary>Channels of the planes that decoders get: <see cref="StreamChannels"/> after unpacking.</summary>
    public int PlaneChannels => StreamChannels / (Unpack * Unpack);

    /// <summary>True for latents that are pictures already: RGB in -1..1 at full size.</summary>
    public bool PixelSpace { get; init; }

    /// <summary>How the VAE's scale becomes the sampler's.</summary>
    public LatentProcess Process { get; init; } = LatentProcess.Scale;

    /// <summary>The multiplier of <see cref="Process"/>.</summary>
    public float ScaleFactor { get; init; } = 1;

    /// <summary>The offset of <see cref="LatentProcess.ShiftScale"/>.</summary>
    public float? ShiftFactor { get; init; }

    /// <summary>Mean of each channel, for <see cref="LatentProcess.MeanStd"/>.</summary>
    public IReadOnlyList<float>? Mean { get; init; }

    /// <summary>Standard deviation of each channel, for <see cref="LatentProcess.MeanStd"/>.</summary>
    public IReadOnlyList<float>? Std { get; init; }

    /// <summary>Linear colour maps, the one used by default first; empty when none is known.</summary>
    public IReadOnlyList<LatentRgbMap> RgbMaps { get; init; } = [];

    /// <summary>The colour map used by default; null when none is known.</summary>
    public LatentRgbMap? Rgb => RgbMaps.Count > 0 ? RgbMaps[0] : null;

    /// <summary>The tiny autoencoder that fits, as ComfyUI names its file: <c>taesd_decoder</c>, <c>taef1_decoder</c>, <c>taehv</c>.</summary>
    public string? TinyAutoencoder { get; init; }

    /// <summary>ComfyUI's models that use it.</summary>
    public IReadOnlyList<string> Models { get; init; } = [];

    /// <summary>What is special about it, as a sentence.</summary>
    public string? Note { get; init; }

    /// <summary>A format for latents of which only the axes are known; it has no colours, so that <c>estimated</c> shows them.</summary>
    public static LatentFormat Unknown(int channels, int dimensions) => new()
    {
        Id = "unknown",
        Source = "none",
        Channels = channels,
        StreamChannels = channels,
        Dimensions = dimensions,
        SpatialCompression = 8,
        TemporalCompression = 1,
        Process = LatentProcess.Unknown,
    };

    /// <summary>The colour map of that name, in any case; null when the format has none of that name.</summary>
    public LatentRgbMap? FindRgb(string name)
    {
        foreach (LatentRgbMap map in RgbMaps)
        {
            if (string.Equals(map.Name, name, StringComparison.OrdinalIgnoreCase))
            {
                return map;
            }
        }

        return null;
    }

    /// <summary>What brings a channel of the VAE's scale to the sampler's: <c>x * scale + offset</c>.</summary>
    internal (float Scale, float Offset) ToSampler(int channel) => Process switch
    {
        LatentProcess.Scale => (ScaleFactor, 0),
        LatentProcess.ShiftScale => (ScaleFactor, -(ShiftFactor ?? 0) * ScaleFactor),
        LatentProcess.MeanStd => (ScaleFactor / Std![channel], (float)(-(double)Mean![channel] * ScaleFactor / Std[channel])),
        _ => (1, 0),
    };

    /// <inheritdoc/>
    public override string ToString() => Id;
}
