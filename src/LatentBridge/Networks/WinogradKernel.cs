using System.Runtime.CompilerServices;
using LatentBridge.Simd;

namespace LatentBridge.Networks;

/// <summary>The transforms of one tile, <see cref="Winograd"/>'s Bt d B and At m A, for all channels.</summary>
/// <remarks>
/// A vector holds neighbouring channels of one pixel; every step is the same for all lanes, so there is no remainder:
/// channels are a multiple of 16. The two-dimensional transform is done in pairs of rows that share their loads, straight from
/// inputs to results: 12 values are alive at a time and nothing is parked in memory.
/// </remarks>
static unsafe class WinogradKernel<TLanes, TVector>
    where TLanes : ILanes<TVector>
    where TVector : struct
{
    /// <summary>u[position] = G g Gt of as many kernels as a vector has lanes.</summary>
    /// <remarks>
    /// The row factors of G (1/4, -1/6, -1/6, 1/24, 1/24, 1) come last: until then, weights stored in 16 bits add up without
    /// rounding, so U is as good as one made in double precision.
    /// </remarks>
    /// <param name="g">Nine vectors, row by row.</param>
    /// <param name="rowStride">Floats from one of the nine to the next.</param>
    /// <param name="u">Position 0.</param>
    /// <param name="stride">Floats from one position to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void TransformKernel(float* g, nint rowStride, float* u, nint stride)
    {
        TVector a0 = Load(g), a5 = Load(g + (6 * rowStride));
        KernelPoints(a0, Load(g + (3 * rowStride)), a5, out TVector a1, out TVector a2, out TVector a3, out TVector a4);
        g += rowStride;
        TVector b0 = Load(g), b5 = Load(g + (6 * rowStride));
        KernelPoints(b0, Load(g + (3 * rowStride)), b5, out TVector b1, out TVector b2, out TVector b3, out TVector b4);
        g += rowStride;
        TVector c0 = Load(g), c5 = Load(g + (6 * rowStride));
        KernelPoints(c0, Load(g + (3 * rowStride)), c5, out TVector c1, out TVector c2, out TVector c3, out TVector c4);
        StoreKernelRow(a0, b0, c0, 1 / 4.0, u, stride);
        StoreKernelRow(a1, b1, c1, 1 / -6.0, u + (6 * stride), stride);
        StoreKernelRow(a2, b2, c2, 1 / -6.0, u + (12 * stride), stride);
        StoreKernelRow(a3, b3, c3, 1 / 24.0, u + (18 * stride), stride);
        StoreKernelRow(a4, b4, c4, 1 / 24.0, u + (24 * stride), stride);
        StoreKernelRow(a5, b5, c5, 1, u + (30 * stride), stride);
    }

    /// <summary>v[position] = Bt d B.</summary>
    /// <param name="d">The six rows of inputs, each at the tile's first pixel (one left of its first output).</param>
    /// <param name="channels">Channels of a pixel; pixels lie side by side.</param>
    /// <param name="v">The tile's first channel at position 0.</param>
    /// <param name="stride">Floats from one position to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void TransformInput(in Six d, int channels, float* v, nint stride)
    {
        for (int c = 0; c < channels; c += TLanes.Count)
        {
            nint p1 = c + channels, p2 = p1 + channels, p3 = p2 + channels, p4 = p3 + channels, p5 = p4 + channels;

            Outer(d, c, out TVector a0, out TVector b0);
            Outer(d, p1, out TVector a1, out TVector b1);
            Outer(d, p2, out TVector a2, out TVector b2);
            Outer(d, p3, out TVector a3, out TVector b3);
            Outer(d, p4, out TVector a4, out TVector b4);
            Outer(d, p5, out TVector a5, out TVector b5);
            StoreRow(a0, a1, a2, a3, a4, a5, v + c, stride);
            StoreRow(b0, b1, b2, b3, b4, b5, v + c + (30 * stride), stride);

            InnerOne(d, c, out a0, out b0);
            InnerOne(d, p1, out a1, out b1);
            InnerOne(d, p2, out a2, out b2);
            InnerOne(d, p3, out a3, out b3);
            InnerOne(d, p4, out a4, out b4);
            InnerOne(d, p5, out a5, out b5);
            StoreRow(a0, a1, a2, a3, a4, a5, v + c + (6 * stride), stride);
            StoreRow(b0, b1, b2, b3, b4, b5, v + c + (12 * stride), stride);

            InnerTwo(d, c, out a0, out b0);
            InnerTwo(d, p1, out a1, out b1);
            InnerTwo(d, p2, out a2, out b2);
            InnerTwo(d, p3, out a3, out b3);
            InnerTwo(d, p4, out a4, out b4);
            InnerTwo(d, p5, out a5, out b5);
            StoreRow(a0, a1, a2, a3, a4, a5, v + c + (18 * stride), stride);
            StoreRow(b0, b1, b2, b3, b4, b5, v + c + (24 * stride), stride);
        }
    }

    /// <summary>v[position] = Bt d B for doubled inputs: four rows of four source pixels are the tile's six by six.</summary>
    /// <remarks>With sources q0..q3: d0 = q0, d1 = d2 = q1, d3 = d4 = q2, d5 = q3. Positions of row or column 2 are zero and not written.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void TransformDoubledInput(in Six q, int channels, float* v, nint stride)
    {
        for (int c = 0; c < channels; c += TLanes.Count)
        {
            nint p1 = c + channels, p2 = p1 + channels, p3 = p2 + channels;

            StoreDoubledRow(DoubledFirst(q, c), DoubledFirst(q, p1), DoubledFirst(q, p2), DoubledFirst(q, p3), v + c, stride);
            StoreDoubledRow(DoubledOne(q, c), DoubledOne(q, p1), DoubledOne(q, p2), DoubledOne(q, p3), v + c + (6 * stride), stride);

            TVector e0 = Step(q, c), e1 = Step(q, p1), e2 = Step(q, p2), e3 = Step(q, p3);
            TVector three = TLanes.Broadcast(3), minus = TLanes.Broadcast(-1);
            StoreDoubledRow(TLanes.Multiply(three, e0), TLanes.Multiply(three, e1), TLanes.Multiply(three, e2), TLanes.Multiply(three, e3), v + c + (18 * stride), stride);
            StoreDoubledRow(TLanes.Multiply(minus, e0), TLanes.Multiply(minus, e1), TLanes.Multiply(minus, e2), TLanes.Multiply(minus, e3), v + c + (24 * stride), stride);

            StoreDoubledRow(DoubledLast(q, c), DoubledLast(q, p1), DoubledLast(q, p2), DoubledLast(q, p3), v + c + (30 * stride), stride);
        }
    }

    /// <summary>y = At m A, plus the residual if there is one, then ReLU if asked for.</summary>
    /// <param name="m">The tile's first channel at position 0.</param>
    /// <param name="stride">Floats from one position to the next.</param>
    /// <param name="doubled">Positions of row or column 2 are zero and not read.</param>
    /// <param name="channels">Channels of a pixel.</param>
    /// <param name="residual">Four rows at the tile's first output, or nulls.</param>
    /// <param name="relu">Whether negative results become 0.</param>
    /// <param name="y">Four rows at the tile's first output.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void TransformOutput(float* m, nint stride, bool doubled, int channels, in Six residual, bool relu, in Six y)
    {
        for (int c = 0; c < channels; c += TLanes.Count, m += TLanes.Count)
        {
            TVector zero = TLanes.Broadcast(0);

            EvenRows(m, stride, doubled, out TVector a0, out TVector b0);
            EvenRows(m + stride, stride, doubled, out TVector a1, out TVector b1);
            TVector a2 = zero, b2 = zero;
            if (!doubled)
            {
                EvenRows(m + (2 * stride), stride, doubled, out a2, out b2);
            }

            EvenRows(m + (3 * stride), stride, doubled, out TVector a3, out TVector b3);
            EvenRows(m + (4 * stride), stride, doubled, out TVector a4, out TVector b4);
            EvenRows(m + (5 * stride), stride, doubled, out TVector a5, out TVector b5);
            StorePixels(a0, a1, a2, a3, a4, a5, residual.Row0, relu, y.Row0, c, channels);
            StorePixels(b0, b1, b2, b3, b4, b5, residual.Row2, relu, y.Row2, c, channels);

            OddRows(m, stride, doubled, out a0, out b0);
            OddRows(m + stride, stride, doubled, out a1, out b1);
            a2 = zero;
            b2 = zero;
            if (!doubled)
            {
                OddRows(m + (2 * stride), stride, doubled, out a2, out b2);
            }

            OddRows(m + (3 * stride), stride, doubled, out a3, out b3);
            OddRows(m + (4 * stride), stride, doubled, out a4, out b4);
            OddRows(m + (5 * stride), stride, doubled, out a5, out b5);
            StorePixels(a0, a1, a2, a3, a4, a5, residual.Row1, relu, y.Row1, c, channels);
            StorePixels(b0, b1, b2, b3, b4, b5, residual.Row3, relu, y.Row3, c, channels);
        }
    }

    // G without its row factors: g0; g0 + g1 + g2; g0 - g1 + g2; g0 + 2 g1 + 4 g2; g0 - 2 g1 + 4 g2; g2.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void KernelPoints(TVector g0, TVector g1, TVector g2, out TVector u1, out TVector u2, out TVector u3, out TVector u4)
    {
        TVector ones = TLanes.Add(g0, g2), twos = TLanes.MultiplyAdd(TLanes.Broadcast(4), g2, g0);
        u1 = TLanes.Add(ones, g1);
        u2 = TLanes.Subtract(ones, g1);
        u3 = TLanes.MultiplyAdd(TLanes.Broadcast(2), g1, twos);
        u4 = TLanes.MultiplyAdd(TLanes.Broadcast(-2), g1, twos);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void StoreKernelRow(TVector g0, TVector g1, TVector g2, double factor, float* u, nint stride)
    {
        KernelPoints(g0, g1, g2, out TVector u1, out TVector u2, out TVector u3, out TVector u4);
        Store(Times(g0, factor / 4), u);
        Store(Times(u1, factor / -6), u + stride);
        Store(Times(u2, factor / -6), u + (2 * stride));
        Store(Times(u3, factor / 24), u + (3 * stride));
        Store(Times(u4, factor / 24), u + (4 * stride));
        Store(Times(g2, factor), u + (5 * stride));
    }

    // Times 1/36 and the like, exactly rounded: a rounded factor would be off the same way for every weight, which adds up.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static TVector Times(TVector value, double factor)
    {
        float rounded = (float)factor;
        TVector rest = TLanes.Multiply(value, TLanes.Broadcast((float)(factor - rounded)));
        return TLanes.MultiplyAdd(value, TLanes.Broadcast(rounded), rest);
    }

    // Rows 0 and 5 of Bt: 4 d0 - 5 d2 + d4 and 4 d1 - 5 d3 + d5.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Outer(in Six d, nint at, out TVector first, out TVector last)
    {
        first = Outer(Load(d.Row0 + at), Load(d.Row2 + at), Load(d.Row4 + at));
        last = Outer(Load(d.Row1 + at), Load(d.Row3 + at), Load(d.Row5 + at));
    }

    // Rows 1 and 2 of Bt: (d4 - 4 d2) +- (d3 - 4 d1).
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void InnerOne(in Six d, nint at, out TVector plus, out TVector minus) =>
        InnerOne(Load(d.Row1 + at), Load(d.Row2 + at), Load(d.Row3 + at), Load(d.Row4 + at), out plus, out minus);

    // Rows 3 and 4 of Bt: (d4 - d2) +- 2 (d3 - d1).
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void InnerTwo(in Six d, nint at, out TVector plus, out TVector minus) =>
        InnerTwo(Load(d.Row1 + at), Load(d.Row2 + at), Load(d.Row3 + at), Load(d.Row4 + at), out plus, out minus);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static TVector Outer(TVector x0, TVector x2, TVector x4) =>
        TLanes.MultiplyAdd(TLanes.Broadcast(4), x0, TLanes.MultiplyAdd(TLanes.Broadcast(-5), x2, x4));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void InnerOne(TVector x1, TVector x2, TVector x3, TVector x4, out TVector plus, out TVector minus)
    {
        TVector even = TLanes.MultiplyAdd(TLanes.Broadcast(-4), x2, x4);
        TVector odd = TLanes.MultiplyAdd(TLanes.Broadcast(-4), x1, x3);
        plus = TLanes.Add(even, odd);
        minus = TLanes.Subtract(even, odd);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void InnerTwo(TVector x1, TVector x2, TVector x3, TVector x4, out TVector plus, out TVector minus)
    {
        TVector even = TLanes.Subtract(x4, x2);
        TVector odd = TLanes.Subtract(x3, x1);
        plus = TLanes.MultiplyAdd(TLanes.Broadcast(2), odd, even);
        minus = TLanes.MultiplyAdd(TLanes.Broadcast(-2), odd, even);
    }

    // The second half, along the row: six values to six positions.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void StoreRow(TVector x0, TVector x1, TVector x2, TVector x3, TVector x4, TVector x5, float* v, nint stride)
    {
        Store(Outer(x0, x2, x4), v);
        InnerOne(x1, x2, x3, x4, out TVector plus, out TVector minus);
        Store(plus, v + stride);
        Store(minus, v + (2 * stride));
        InnerTwo(x1, x2, x3, x4, out plus, out minus);
        Store(plus, v + (3 * stride));
        Store(minus, v + (4 * stride));
        Store(Outer(x1, x3, x5), v + (5 * stride));
    }

    // Bt on (q0, q1, q1, q2, q2, q3), down a column: 4 q0 - 5 q1 + q2; 2 (q2 - 4 q1); 0; 3 (q2 - q1); -(q2 - q1); 4 q1 - 5 q2 + q3.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static TVector DoubledFirst(in Six q, nint at) => Outer(Load(q.Row0 + at), Load(q.Row1 + at), Load(q.Row2 + at));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static TVector DoubledLast(in Six q, nint at) => Outer(Load(q.Row1 + at), Load(q.Row2 + at), Load(q.Row3 + at));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static TVector DoubledOne(in Six q, nint at) => DoubledOne(Load(q.Row1 + at), Load(q.Row2 + at));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static TVector DoubledOne(TVector q1, TVector q2)
    {
        TVector half = TLanes.MultiplyAdd(TLanes.Broadcast(-4), q1, q2);
        return TLanes.Add(half, half);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static TVector Step(in Six q, nint at) => TLanes.Subtract(Load(q.Row2 + at), Load(q.Row1 + at));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void StoreDoubledRow(TVector q0, TVector q1, TVector q2, TVector q3, float* v, nint stride)
    {
        Store(Outer(q0, q1, q2), v);
        Store(DoubledOne(q1, q2), v + stride);
        TVector step = TLanes.Subtract(q2, q1);
        Store(TLanes.Multiply(TLanes.Broadcast(3), step), v + (3 * stride));
        Store(TLanes.Subtract(q1, q2), v + (4 * stride));
        Store(Outer(q1, q2, q3), v + (5 * stride));
    }

    // Rows 0 and 2 of At down a column: m0 + (m1 + m2) + (m3 + m4) and (m1 + m2) + 4 (m3 + m4).
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void EvenRows(float* m, nint stride, bool doubled, out TVector zeroth, out TVector second)
    {
        TVector ones = Load(m + (6 * stride));
        if (!doubled)
        {
            ones = TLanes.Add(ones, Load(m + (12 * stride)));
        }

        TVector twos = TLanes.Add(Load(m + (18 * stride)), Load(m + (24 * stride)));
        zeroth = TLanes.Add(TLanes.Add(Load(m), ones), twos);
        second = TLanes.MultiplyAdd(TLanes.Broadcast(4), twos, ones);
    }

    // Rows 1 and 3 of At down a column: (m1 - m2) + 2 (m3 - m4) and (m1 - m2) + 8 (m3 - m4) + m5.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void OddRows(float* m, nint stride, bool doubled, out TVector first, out TVector third)
    {
        TVector ones = Load(m + (6 * stride));
        if (!doubled)
        {
            ones = TLanes.Subtract(ones, Load(m + (12 * stride)));
        }

        TVector twos = TLanes.Subtract(Load(m + (18 * stride)), Load(m + (24 * stride)));
        first = TLanes.MultiplyAdd(TLanes.Broadcast(2), twos, ones);
        third = TLanes.Add(TLanes.MultiplyAdd(TLanes.Broadcast(8), twos, ones), Load(m + (30 * stride)));
    }

    // At along the row: six values to four pixels.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void StorePixels(
        TVector x0, TVector x1, TVector x2, TVector x3, TVector x4, TVector x5, float* residual, bool relu, float* y, nint at, nint channels)
    {
        TVector plusOnes = TLanes.Add(x1, x2), minusOnes = TLanes.Subtract(x1, x2);
        TVector plusTwos = TLanes.Add(x3, x4), minusTwos = TLanes.Subtract(x3, x4);
        TVector y0 = TLanes.Add(TLanes.Add(x0, plusOnes), plusTwos);
        TVector y1 = TLanes.MultiplyAdd(TLanes.Broadcast(2), minusTwos, minusOnes);
        TVector y2 = TLanes.MultiplyAdd(TLanes.Broadcast(4), plusTwos, plusOnes);
        TVector y3 = TLanes.Add(TLanes.MultiplyAdd(TLanes.Broadcast(8), minusTwos, minusOnes), x5);
        nint at1 = at + channels, at2 = at1 + channels, at3 = at2 + channels;
        if (residual != null)
        {
            y0 = TLanes.Add(y0, Load(residual + at));
            y1 = TLanes.Add(y1, Load(residual + at1));
            y2 = TLanes.Add(y2, Load(residual + at2));
            y3 = TLanes.Add(y3, Load(residual + at3));
        }

        if (relu)
        {
            TVector zero = TLanes.Broadcast(0);
            y0 = TLanes.Max(y0, zero);
            y1 = TLanes.Max(y1, zero);
            y2 = TLanes.Max(y2, zero);
            y3 = TLanes.Max(y3, zero);
        }

        Store(y0, y + at);
        Store(y1, y + at1);
        Store(y2, y + at2);
        Store(y3, y + at3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static TVector Load(float* source) => TLanes.Load(ref *source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Store(TVector vector, float* destination) => TLanes.Store(vector, ref *destination);
}
