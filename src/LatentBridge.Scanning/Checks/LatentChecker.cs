using LatentBridge.Decoders;
using LatentBridge.Decoders.Linear;
using LatentBridge.Files;
using LatentBridge.Formats;
using LatentBridge.Latents;
using LatentBridge.Previews;
using LatentBridge.Simd;
using LatentBridge.Weights;

namespace LatentBridge.Scanning.Checks;

/// <summary>Checks latents of one format, one after the other, each by itself. What needs the others (copies) and the file (its name's size) is checked by the scan.</summary>
/// <remarks>One thread at a time. Keeps its decoder and memory.</remarks>
public sealed class LatentChecker : IDisposable
{
    /// <summary>Values at one limit, as a part of all, from which they were clamped.</summary>
    const double SaturatedShare = 0.0005;
    const int LeastSaturated = 8;
    const double SameLimit = 1e-4;

    /// <summary>Correlation below which the picture beside a latent shows something else.</summary>
    const double LeastCorrelation = 0.7;

    readonly LatentFormat _format;
    readonly KernelWidth _width = Kernel.Width;
    readonly PreviewRenderer _renderer;
    readonly ILatentDecoder _decoder;
    readonly ScaleCheck _scale;
    readonly Luminance _luminance = new();
    readonly ValueMoments[] _moments;
    byte[] _picture = [];

    /// <summary>Makes one for a format.</summary>
    /// <param name="format">The latents' format.</param>
    /// <param name="decoder">The decoder of the pictures that are looked at; null: <c>latent2rgb</c>, or <c>estimated</c> for a format without colours.</param>
    /// <param name="weights">Where to look for the decoder's numbers; null: <see cref="LatentDecoders.WeightsOfThisMachine"/>.</param>
    /// <exception cref="LatentBridgeException">The format has no such decoder; the message names those there are.</exception>
    public LatentChecker(LatentFormat format, string? decoder = null, WeightLibrary? weights = null)
    {
        _format = format;
        _renderer = new(format);
        _decoder = decoder is null or LinearDecoder.Id && format.Rgb is not null
            ? new LinearDecoder(format)
            : LatentDecoders.Choose(format, weights ?? LatentDecoders.WeightsOfThisMachine(), decoder ?? "estimated").Load();
        _scale = new(format, _width);
        _moments = new ValueMoments[format.PlaneChannels];
    }

    /// <summary>The decoded picture of the latent that was checked last: RGB24 rows without padding.</summary>
    public ReadOnlySpan<byte> Picture => _picture.AsSpan(0, 3 * PictureWidth * PictureHeight);

    /// <summary>Pixels from left to right of <see cref="Picture"/>.</summary>
    public int PictureWidth { get; private set; }

    /// <summary>Pixels from top to bottom of <see cref="Picture"/>.</summary>
    public int PictureHeight { get; private set; }

    /// <summary>Checks one latent.</summary>
    /// <param name="latent">One or a batch.</param>
    /// <param name="item">Which of the batch, counted from 0.</param>
    /// <param name="beside">The brightness of the picture that it should show: 32 x 32 means, row by row; empty: not known.</param>
    /// <exception cref="LatentBridgeException">The latent does not fit the format.</exception>
    public LatentFinding Check(in Latent latent, int item = 0, ReadOnlySpan<float> beside = default)
    {
        List<string> details = [];
        ReadOnlySpan<byte> bytes = ItemBytes(latent, item);
        LatentFaults faults = Measure(latent, item) ? CountNonFinite(bytes, latent.ElementType, details) : LatentFaults.None;
        LatentPlanes planes = _renderer.Planes(0);
        Decode(planes);
        if (faults == LatentFaults.None)
        {
            faults = CheckValues(bytes, latent.ElementType, latent.Space, planes, details);
        }

        double? correlation = null;
        if ((faults & (LatentFaults.Zero | LatentFaults.Nan | LatentFaults.Inf)) == 0)
        {
            (LatentFaults shown, correlation) = CheckPicture(planes, latent.Space, (faults & LatentFaults.Constant) != 0, beside, details);
            faults |= shown;
        }

        return new()
        {
            Faults = faults,
            Details = details,
            Mean = Array.ConvertAll(_moments, moments => (float)moments.Mean),
            Deviation = Array.ConvertAll(_moments, moments => (float)moments.Deviation),
            LogSpread = _scale.LogSpread,
            Correlation = correlation,
            Sketch = (faults & (LatentFaults.Zero | LatentFaults.Black | LatentFaults.White)) == 0 ? PictureSketch.Of(_luminance.Grid) : null,
        };
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _decoder.Dispose();
        _renderer.Dispose();
    }

    /// <summary>Moments of every frame; leaves the one that is shown staged. Returns whether a value was not finite.</summary>
    bool Measure(in Latent latent, int item)
    {
        PreviewOptions options = PreviewOptions.Default with { Batch = BatchChoice.Item, Item = item };
        int frames = latent.Shape.Frames, shown = options.Frame.IndexOf(frames, _format);
        long nonFinite = 0;
        Array.Fill(_moments, ValueMoments.None);
        for (int turn = 1; turn <= frames; turn++)
        {
            _renderer.Stage(latent, frames == 1 ? options : options with { Frame = FrameChoice.At((shown + turn) % frames) });
            nonFinite += _renderer.NonFiniteCount;
            LatentPlanes planes = _renderer.Planes(0);
            for (int channel = 0; channel < _moments.Length; channel++)
            {
                _moments[channel] = MomentsKernel.Add(_moments[channel], planes.Plane(channel), _width);
            }
        }

        return nonFinite > 0;
    }

    void Decode(in LatentPlanes planes)
    {
        (PictureWidth, PictureHeight) = _decoder.Description.OutputSize(planes.Height, planes.Width);
        int length = 3 * PictureWidth * PictureHeight;
        if (_picture.Length < length)
        {
            _picture = GC.AllocateUninitializedArray<byte>(length);
        }

        _decoder.Decode(planes, _picture.AsSpan(0, length), 1, CancellationToken.None);
        _luminance.Take(Picture, PictureWidth, PictureHeight);
    }

    LatentFaults CheckValues(ReadOnlySpan<byte> bytes, LatentElementType type, LatentSpace space, in LatentPlanes planes, List<string> details)
    {
        // Zeros of either sign: in every element type, the highest byte is 0 or 0x80 and the others are 0.
        if (!bytes.ContainsAnyExcept((byte)0, (byte)0x80))
        {
            return LatentFaults.Zero;
        }

        LatentFaults faults = LatentFaults.None;
        int[] constant = [.. Enumerable.Range(0, _moments.Length).Where(channel => _moments[channel].Minimum == _moments[channel].Maximum)];
        if (constant.Length > 0)
        {
            faults |= LatentFaults.Constant;
            details.Add(constant.Length == _moments.Length ? "every channel is constant" : $"constant channels: {string.Join(", ", constant)}");
        }
        else if (Limit(space) is { } limit && CountAt(bytes, type, limit) is var count && count >= Math.Max(LeastSaturated, SaturatedShare * bytes.Length / type.ByteLength()))
        {
            faults |= LatentFaults.Saturated;
            details.Add(FormattableString.Invariant($"{count} values at the limit {limit:0.####}"));
        }

        return faults;
    }

    /// <summary>
    /// The largest magnitude in the file's own scale, where two channels reach it, or one reaches it both ways. A plain area also repeats its channel's largest value, but not
    /// another channel's.
    /// </summary>
    float? Limit(LatentSpace space)
    {
        Span<float> extremes = stackalloc float[2 * _moments.Length];
        for (int channel = 0; channel < _moments.Length; channel++)
        {
            (float scale, float offset) = space == LatentSpace.Vae ? _format.ToSampler(channel) : (1, 0);
            extremes[2 * channel] = Math.Abs((_moments[channel].Minimum - offset) / scale);
            extremes[(2 * channel) + 1] = Math.Abs((_moments[channel].Maximum - offset) / scale);
        }

        extremes.Sort();
        return extremes[^1] - extremes[^2] <= SameLimit * extremes[^1] ? extremes[^1] : null;
    }

    static int CountAt(ReadOnlySpan<byte> bytes, LatentElementType type, float limit)
    {
        float[] values = ToSingle(bytes, type);
        int count = 0;
        foreach (float value in values)
        {
            count += Math.Abs(Math.Abs(value) - limit) <= SameLimit * limit ? 1 : 0;
        }

        return count;
    }

    (LatentFaults Faults, double? Correlation) CheckPicture(in LatentPlanes planes, LatentSpace space, bool isConstant, ReadOnlySpan<float> beside, List<string> details)
    {
        string? scale = _scale.Check(planes, space);
        LatentFaults plain = PictureChecks.IsBlack(_luminance) ? LatentFaults.Black : PictureChecks.IsWhite(_luminance) ? LatentFaults.White : LatentFaults.None;
        if (isConstant || plain != LatentFaults.None)
        {
            return (plain, null);
        }

        LatentFaults faults = LatentFaults.None;
        if (scale is not null && _format.Process != LatentProcess.Unknown)
        {
            faults |= LatentFaults.Scale;
            details.Add(scale);
            return (faults, null);
        }

        if (PictureChecks.Bars(_luminance) is { } bars)
        {
            faults |= LatentFaults.Letterbox;
            details.Add(bars);
        }

        double correlation = beside.IsEmpty ? 0 : Luminance.Correlation(_luminance.Grid, beside);
        if (correlation != 0 && correlation < LeastCorrelation)
        {
            faults |= LatentFaults.Picture;
            details.Add(FormattableString.Invariant($"correlation {correlation:0.00} with the picture beside it"));
        }

        return (faults, correlation == 0 ? null : correlation);
    }

    static LatentFaults CountNonFinite(ReadOnlySpan<byte> bytes, LatentElementType type, List<string> details)
    {
        int nan = 0, infinite = 0;
        foreach (float value in ToSingle(bytes, type))
        {
            nan += float.IsNaN(value) ? 1 : 0;
            infinite += float.IsInfinity(value) ? 1 : 0;
        }

        int all = bytes.Length / type.ByteLength();
        if (nan > 0)
        {
            details.Add($"{nan} of {all} values NaN");
        }

        if (infinite > 0)
        {
            details.Add($"{infinite} of {all} values infinite");
        }

        return (nan > 0 ? LatentFaults.Nan : 0) | (infinite > 0 ? LatentFaults.Inf : 0);
    }

    static float[] ToSingle(ReadOnlySpan<byte> bytes, LatentElementType type)
    {
        float[] values = new float[bytes.Length / type.ByteLength()];
        TensorConversion.ToSingle(bytes, type switch
        {
            LatentElementType.F16 => TensorElementType.F16,
            LatentElementType.BF16 => TensorElementType.BF16,
            _ => TensorElementType.F32,
        }, values);
        return values;
    }

    static ReadOnlySpan<byte> ItemBytes(in Latent latent, int item)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)item, (uint)latent.Shape.Batch);
        int length = latent.Bytes.Length / latent.Shape.Batch;
        return latent.Bytes.Slice(item * length, length);
    }
}
