using System.Runtime.CompilerServices;

namespace LatentBridge.Imaging.Png;

/// <summary>The filters of <see cref="PngFilter"/> in vectors. A byte is a lane, lanes never meet: x, a, b and c are four loads, two of
/// them one pixel to the left. Lengths are multiples of 64, so there is no remainder.</summary>
static unsafe class PngFilterKernel<TLanes, TVector>
    where TLanes : struct, IByteLanes<TVector>
    where TVector : struct
{
    /// <summary>The sum of |residual| for every filter, in one pass.</summary>
    public static PngFilter.Costs Measure(byte* current, byte* prior, int pixel, int length)
    {
        TVector up = TLanes.Zero, sub = TLanes.Zero, average = TLanes.Zero, paeth = TLanes.Zero;
        for (int i = 0; i < length; i += TLanes.Count)
        {
            TVector x = TLanes.Load(current + i);
            TVector a = TLanes.Load(current + i - pixel);
            TVector b = TLanes.Load(prior + i);
            TVector c = TLanes.Load(prior + i - pixel);
            up = AddCost(up, TLanes.Subtract(x, b));
            sub = AddCost(sub, TLanes.Subtract(x, a));
            average = AddCost(average, TLanes.Subtract(x, Average(a, b)));
            paeth = AddCost(paeth, TLanes.Subtract(x, Paeth(a, b, c)));
        }

        return new PngFilter.Costs(TLanes.Total(up), TLanes.Total(sub), TLanes.Total(average), TLanes.Total(paeth));
    }

    /// <summary>Writes the residuals of one filter.</summary>
    public static void Apply(PngFilterKind kind, byte* current, byte* prior, byte* destination, int pixel, int length)
    {
        switch (kind)
        {
            case PngFilterKind.Sub:
                for (int i = 0; i < length; i += TLanes.Count)
                {
                    TLanes.Store(TLanes.Subtract(TLanes.Load(current + i), TLanes.Load(current + i - pixel)), destination + i);
                }

                break;
            case PngFilterKind.Up:
                for (int i = 0; i < length; i += TLanes.Count)
                {
                    TLanes.Store(TLanes.Subtract(TLanes.Load(current + i), TLanes.Load(prior + i)), destination + i);
                }

                break;
            case PngFilterKind.Average:
                for (int i = 0; i < length; i += TLanes.Count)
                {
                    TVector prediction = Average(TLanes.Load(current + i - pixel), TLanes.Load(prior + i));
                    TLanes.Store(TLanes.Subtract(TLanes.Load(current + i), prediction), destination + i);
                }

                break;
            case PngFilterKind.Paeth:
                for (int i = 0; i < length; i += TLanes.Count)
                {
                    TVector prediction = Paeth(TLanes.Load(current + i - pixel), TLanes.Load(prior + i), TLanes.Load(prior + i - pixel));
                    TLanes.Store(TLanes.Subtract(TLanes.Load(current + i), prediction), destination + i);
                }

                break;
            default:
                Buffer.MemoryCopy(current, destination, length, length);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static TVector AddCost(TVector sums, TVector residual) => TLanes.AddBytes(sums, TLanes.AbsoluteSigned(residual));

    /// <summary>(a + b) >> 1 without the ninth bit: what both have, and half of what one has.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static TVector Average(TVector a, TVector b) => TLanes.Add(TLanes.And(a, b), TLanes.Half(TLanes.Xor(a, b)));

    /// <summary>Paeth's choice in bytes.</summary>
    /// <remarks>
    /// With low &lt;= high for a and b in order, and p = low + high - c, the distances from p are
    /// <code>
    /// to low: high - c = toLow      to high: c - low = toHigh      to c: |toHigh - toLow|
    /// </code>
    /// for c between them. The nearest is low when toLow &lt;= toHigh - toLow, high when toHigh &lt;= toLow - toHigh, else c. (low and
    /// high equally near means c is p itself, so the specification's order a, b decides nothing.) For c outside, the nearest is the one
    /// farther from c: the differences saturate to 0 on one side, and the same two comparisons say so.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static TVector Paeth(TVector a, TVector b, TVector c)
    {
        TVector low = TLanes.Min(a, b), high = TLanes.Max(a, b);
        TVector toLow = TLanes.SubtractSaturate(high, c), toHigh = TLanes.SubtractSaturate(c, low);
        TVector highOrC = TLanes.IfNotLess(TLanes.SubtractSaturate(toLow, toHigh), toHigh, high, c);
        return TLanes.IfNotLess(TLanes.SubtractSaturate(toHigh, toLow), toLow, low, highOrC);
    }
}
