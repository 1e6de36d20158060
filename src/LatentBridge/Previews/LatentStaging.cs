using LatentBridge.Decoders.Taehv;
using LatentBridge.Files;
using LatentBridge.Formats;
using LatentBridge.Latents;
using LatentBridge.Simd;

namespace LatentBridge.Previews;

/// <summary>Holds what of a latent is to be shown, as the planes that decoders read. Reuses its memory.</summary>
/// <remarks>
/// A one-dimensional latent of N cells (sound, 3D) becomes a rectangle: rows of ceil(sqrt(N)) cells, read like text from the top
/// left; what is missing in the last row repeats the last cell. Of a video the frames just before the wanted one are staged too, as many as
/// a decoder may look at.
/// </remarks>
sealed class LatentStaging(LatentFormat format)
{
    float[] _values = [];

    public int ItemCount { get; private set; }

    public int Channels { get; private set; }

    public int Height { get; private set; }

    public int Width { get; private set; }

    /// <summary>As rows of cells, not yet folded: how many, values from one to the next, and cells of each.</summary>
    public (int Count, int Stride, int Cells) Rows { get; private set; }

    /// <summary>Values that were NaN or infinite and were replaced.</summary>
    public int NonFiniteCount { get; private set; }

    /// <summary>Frames staged before the last one.</summary>
    public int FramesBefore { get; private set; }

    /// <summary>Which of the staged frames <see cref="Planes"/> gives, the last unless somebody wants another.</summary>
    public int Shown { get; set; }

    int FrameLength => Channels * Height * Width;

    int ItemLength => (FramesBefore + 1) * FrameLength;

    /// <summary>The planes of one staged picture; valid until the next <see cref="Take"/>.</summary>
    public LatentPlanes Planes(int item)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(item);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(item, ItemCount);
        int before = Math.Min(Shown, TaehvDecoder.FramesBefore);
        return new(_values.AsSpan((item * ItemLength) + ((Shown - before) * FrameLength), (before + 1) * FrameLength), before, Channels, Height, Width);
    }

    /// <summary>Converts the wanted items and frame; afterwards the latent's memory is free.</summary>
    /// <param name="latent">The latent.</param>
    /// <param name="options">What is wanted.</param>
    /// <param name="width">Vector width to compute with.</param>
    /// <param name="allFrames">All frames of one item are wanted.</param>
    /// <exception cref="LatentBridgeException">The latent does not fit the format.</exception>
    public void Take(in Latent latent, PreviewOptions options, KernelWidth width, bool allFrames = false)
    {
        LatentShape shape = latent.Shape;
        CheckFit(shape);
        int unpack = shape.Channels == format.StreamChannels ? format.Unpack : 1;
        bool strip = format.Dimensions == 1 && shape is { Height: 1, Width: > 1 };
        ItemCount = options.Batch == BatchChoice.Grid && !allFrames ? shape.Batch : 1;
        Channels = shape.Channels / (unpack * unpack);
        Width = strip ? (int)Math.Ceiling(Math.Sqrt(shape.Width)) : shape.Width * unpack;
        Height = strip ? (shape.Width + Width - 1) / Width : shape.Height * unpack;
        Rows = strip ? (Channels, Height * Width, shape.Width) : (Channels * Height, Width, Width);
        int frame = allFrames ? shape.Frames - 1 : options.Frame.IndexOf(shape.Frames, format);
        FramesBefore = Shown = allFrames ? frame : format.IsCausalVideo ? Math.Min(frame, TaehvDecoder.FramesBefore) : 0;
        long length = (long)ItemCount * (FramesBefore + 1) * Channels * Height * Width;
        if (length > Array.MaxLength)
        {
            throw new LatentBridgeException($"The latent {shape} would take {length} values; at most {Array.MaxLength} are supported. Show one item instead of a grid.");
        }

        if (_values.Length < length)
        {
            _values = GC.AllocateUninitializedArray<float>((int)length);
        }

        int first = options.Batch == BatchChoice.Item ? Math.Clamp(options.Item, 0, shape.Batch - 1) : 0;
        NonFiniteCount = 0;
        for (int i = 0; i < ItemCount * (FramesBefore + 1); i++)
        {
            (int item, int before) = Math.DivRem(i, FramesBefore + 1);
            Span<float> planes = _values.AsSpan(i * FrameLength, FrameLength);
            NonFiniteCount += unpack == 1
                ? TakePlain(latent, first + item, frame - FramesBefore + before, planes, width)
                : TakePacked(latent, first + item, frame, planes, width);
        }
    }

    int TakePlain(in Latent latent, int item, int frame, Span<float> planes, KernelWidth width)
    {
        int nonFinite = 0;
        int cells = latent.Shape.PlaneLength;
        for (int channel = 0; channel < Channels; channel++)
        {
            (float scale, float offset) = ToSampler(latent.Space, channel);
            Span<float> plane = planes.Slice(channel * Height * Width, Height * Width);
            nonFinite += StagingKernel.Convert(Plane(latent, item, channel, frame), latent.ElementType, scale, offset, plane[..cells], width);
            plane[cells..].Fill(plane[cells - 1]);
        }

        return nonFinite;
    }

    // FLUX.2: in[k*4 + dy*2 + dx][y][x] -> out[k][2y + dy][2x + dx].
    int TakePacked(in Latent latent, int item, int frame, Span<float> planes, KernelWidth width)
    {
        int nonFinite = 0;
        int packedWidth = latent.Shape.Width;
        int rowBytes = packedWidth * latent.ElementType.ByteLength();
        for (int channel = 0; channel < Channels; channel++)
        {
            for (int dy = 0; dy < 2; dy++)
            {
                int even = (channel * 4) + (dy * 2);
                ReadOnlySpan<byte> evens = Plane(latent, item, even, frame);
                ReadOnlySpan<byte> odds = Plane(latent, item, even + 1, frame);
                for (int y = 0; y < latent.Shape.Height; y++)
                {
                    nonFinite += StagingKernel.Interleave(
                        evens.Slice(y * rowBytes, rowBytes),
                        odds.Slice(y * rowBytes, rowBytes),
                        latent.ElementType,
                        ToSampler(latent.Space, even),
                        ToSampler(latent.Space, even + 1),
                        planes.Slice(((channel * Height) + (2 * y) + dy) * Width, Width),
                        width);
                }
            }
        }

        return nonFinite;
    }

    static ReadOnlySpan<byte> Plane(in Latent latent, int item, int channel, int frame)
    {
        LatentShape shape = latent.Shape;
        int bytes = shape.PlaneLength * latent.ElementType.ByteLength();
        long index = ((((long)item * shape.Channels) + channel) * shape.Frames) + frame;
        return latent.Bytes.Slice((int)(index * bytes), bytes);
    }

    (float Scale, float Offset) ToSampler(LatentSpace space, int channel) =>
        space == LatentSpace.Sampler ? (1, 0) : format.ToSampler(channel);

    void CheckFit(LatentShape shape)
    {
        if (shape.Channels != format.StreamChannels && shape.Channels != format.PlaneChannels)
        {
            string unpacked = format.Unpack == 1 ? "" : $" (or {format.PlaneChannels} unpacked)";
            throw new LatentBridgeException($"The latent {shape} has {shape.Channels} channels; format {format.Id} has {format.StreamChannels}{unpacked}. Name the format that fits.");
        }
    }
}
