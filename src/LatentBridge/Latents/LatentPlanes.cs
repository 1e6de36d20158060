namespace LatentBridge.Latents;

/// <summary>
/// What a decoder reads: one picture's latent as F32 planes <c>[C,H,W]</c> in the sampler's scale, unpacked
/// (FLUX.2: 32 channels at twice the packed side), every value finite.
/// </summary>
/// <remarks>Made from any <see cref="Latent"/> by the previews' staging step.</remarks>
public readonly ref struct LatentPlanes
{
    /// <summary>Wraps values whose number must be channels x height x width.</summary>
    /// <exception cref="ArgumentException">The number of values does not fit.</exception>
    public LatentPlanes(ReadOnlySpan<float> values, int channels, int height, int width)
    {
        if (values.Length != (long)channels * height * width)
        {
            throw new ArgumentException($"{values.Length} values given; {channels} planes of {height} x {width} have {(long)channels * height * width}.", nameof(values));
        }

        Values = values;
        Channels = channels;
        Height = height;
        Width = width;
    }

    /// <summary>The same with the frames of the video just before, oldest first, each like the one that is shown.</summary>
    /// <param name="frames">The frames before and, last, the one that is shown.</param>
    /// <param name="framesBefore">How many there are before.</param>
    /// <param name="channels">Number of planes of a frame.</param>
    /// <param name="height">Cells from top to bottom.</param>
    /// <param name="width">Cells from left to right.</param>
    /// <exception cref="ArgumentException">The number of values does not fit.</exception>
    public LatentPlanes(ReadOnlySpan<float> frames, int framesBefore, int channels, int height, int width)
        : this(frames[(int)Math.Min(frames.Length, (long)framesBefore * channels * height * width)..], channels, height, width)
    {
        _frames = frames;
        FramesBefore = framesBefore;
    }

    readonly ReadOnlySpan<float> _frames;

    /// <summary>Frames of the video just before that are there too; most decoders do not look at them.</summary>
    public int FramesBefore { get; }

    /// <summary>The values of so many frames before, oldest first, and of the one that is shown.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There are not so many.</exception>
    public ReadOnlySpan<float> WithFramesBefore(int count) => count == 0 ? Values : _frames[((FramesBefore - count) * Values.Length)..];

    /// <summary>All values, channel by channel, row by row.</summary>
    public ReadOnlySpan<float> Values { get; }

    /// <summary>Number of planes.</summary>
    public int Channels { get; }

    /// <summary>Cells from top to bottom.</summary>
    public int Height { get; }

    /// <summary>Cells from left to right.</summary>
    public int Width { get; }

    /// <summary>Cells of one plane.</summary>
    public int PlaneLength => Height * Width;

    /// <summary>The values of one channel, row by row.</summary>
    public ReadOnlySpan<float> Plane(int channel) => Values.Slice(channel * PlaneLength, PlaneLength);
}
