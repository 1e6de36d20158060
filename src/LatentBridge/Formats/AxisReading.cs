using LatentBridge.Latents;

namespace LatentBridge.Formats;

/// <summary>How the axes of an array are read as those of a latent; <see cref="LatentAxes"/> makes one.</summary>
public sealed class AxisReading
{
    readonly (long Count, long Stride)[] _factors;

    internal AxisReading(string order, LatentShape shape, (long Count, long Stride)[] factors)
    {
        (Order, Shape, _factors) = (order, shape, factors);
        IsInPlace = Contiguous(factors);
    }

    /// <summary>One letter an axis: B batch, C channels, T frames, H height, W width, N tokens. Several B are one batch.</summary>
    public string Order { get; }

    /// <summary>The latent's shape.</summary>
    public LatentShape Shape { get; }

    /// <summary>True when the elements lie as <c>[B,C,T,H,W]</c> already.</summary>
    public bool IsInPlace { get; }

    /// <summary>The order as people write it: <c>[C,T,H,W]</c>.</summary>
    public string Written => $"[{string.Join(',', Order.AsEnumerable())}]";

    /// <summary>Copies the elements of a contiguous array so that they lie as <c>[B,C,T,H,W]</c>.</summary>
    /// <param name="source">The array's bytes.</param>
    /// <param name="elementSize">Bytes of an element.</param>
    /// <param name="destination">As many bytes.</param>
    public void Arrange(ReadOnlySpan<byte> source, int elementSize, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length, source.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(source.Length, Shape.Length * elementSize);
        if (IsInPlace)
        {
            source.CopyTo(destination);
        }
        else
        {
            Gather(source, elementSize, 0, 0, destination);
        }
    }

    void Gather(ReadOnlySpan<byte> source, int elementSize, int factor, long element, Span<byte> destination)
    {
        if (factor == _factors.Length)
        {
            source.Slice(checked((int)(element * elementSize)), elementSize).CopyTo(destination);
            return;
        }

        (long count, long stride) = _factors[factor];
        if (factor == _factors.Length - 1 && stride == 1)
        {
            source.Slice(checked((int)(element * elementSize)), destination.Length).CopyTo(destination);
            return;
        }

        int part = destination.Length / (int)count;
        for (int i = 0; i < count; i++)
        {
            Gather(source, elementSize, factor + 1, element + (i * stride), destination.Slice(i * part, part));
        }
    }

    static bool Contiguous((long Count, long Stride)[] factors)
    {
        long expected = 1;
        for (int i = factors.Length - 1; i >= 0; i--)
        {
            if (factors[i].Count != 1 && factors[i].Stride != expected)
            {
                return false;
            }

            expected *= factors[i].Count;
        }

        return true;
    }
}
