using System.Runtime.CompilerServices;
using LatentBridge.Simd;

namespace LatentBridge.Networks;

/// <summary>
/// The one inner loop of every vectorised convolution: c[i][j] = initial[j] + sum over k of a[i][k] b[k][j], for
/// <see cref="Rows"/> rows i and two vectors of columns j at a time.
/// </summary>
/// <remarks>
/// <code>
///              b[k]: | vector 0 | vector 1 |        12 accumulators, 2 vectors of b and 1 broadcast: 15 registers, so the
///   a[0][k] ->       |   c00    |   c01    |        same code fits AVX2's 16 and AVX-512's 32. Each k costs 8 loads for 12
///   ...              |   ...    |   ...    |        multiply-adds; a chain is reused after 6 cycles, longer than the
///   a[5][k] ->       |   c50    |   c51    |        latency of 4. Measured: 98 % of a Zen 5 core's peak at each width.
/// </code>
/// Every element is summed over k in order in one chain, so a result does not depend on its neighbours or on the width.
/// </remarks>
static unsafe class MatrixKernel<TLanes, TVector>
    where TLanes : ILanes<TVector>
    where TVector : struct
{
    /// <summary>Rows of a and c in one go; four and two go by themselves, five are six.</summary>
    public const int Rows = 6;

    /// <summary>Columns of a panel of b.</summary>
    public static int PanelColumns => 2 * TLanes.Count;

    /// <summary>Length of b, packed, in floats.</summary>
    public static int PackedLength(int depth, int columns) => depth * PaddedColumns(columns);

    /// <summary>Columns rounded up to whole panels.</summary>
    public static int PaddedColumns(int columns) => (columns + PanelColumns - 1) / PanelColumns * PanelColumns;

    /// <summary>Packs b (row-major, depth x columns) into panels [panel][k][column], the last one filled up with zeros.</summary>
    public static void Pack(ReadOnlySpan<float> b, int depth, int columns, float* packed)
    {
        for (int panel = 0; panel < columns; panel += PanelColumns)
        {
            for (int k = 0; k < depth; k++)
            {
                for (int column = 0; column < PanelColumns; column++)
                {
                    *packed++ = panel + column < columns ? b[(k * columns) + panel + column] : 0;
                }
            }
        }
    }

    /// <summary>
    /// c = initial + a b. Rows are rounded up to an even number, columns to whole panels: a and c must have room for that.
    /// <paramref name="initialStride"/> 0 gives every row the same start (a bias).
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply(
        float* a, nint aStride, int rows, float* packed, int depth, int columns, float* initial, nint initialStride, float* c, nint cStride)
    {
        for (int column = 0; column < columns; column += PanelColumns, packed += (nint)depth * PanelColumns)
        {
            MultiplyPanel(a, aStride, rows, packed, depth, initial + column, initialStride, c + column, cStride);
        }
    }

    /// <summary>One panel of columns of <see cref="Multiply"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void MultiplyPanel(float* a, nint aStride, int rows, float* panel, int depth, float* initial, nint initialStride, float* c, nint cStride)
    {
        for (; rows > 4; rows -= Rows, a += Rows * aStride, initial += Rows * initialStride, c += Rows * cStride)
        {
            MultiplySix(a, aStride, panel, depth, initial, initialStride, c, cStride);
        }

        if (rows > 2)
        {
            MultiplyFour(a, aStride, panel, depth, initial, initialStride, c, cStride);
        }
        else if (rows > 0)
        {
            MultiplyTwo(a, aStride, panel, depth, initial, initialStride, c, cStride);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    static void MultiplySix(float* a, nint aStride, float* b, int depth, float* initial, nint initialStride, float* c, nint cStride)
    {
        int n = TLanes.Count;
        TVector c00 = Load(initial), c01 = Load(initial + n);
        initial += initialStride;
        TVector c10 = Load(initial), c11 = Load(initial + n);
        initial += initialStride;
        TVector c20 = Load(initial), c21 = Load(initial + n);
        initial += initialStride;
        TVector c30 = Load(initial), c31 = Load(initial + n);
        initial += initialStride;
        TVector c40 = Load(initial), c41 = Load(initial + n);
        initial += initialStride;
        TVector c50 = Load(initial), c51 = Load(initial + n);

        float* a3 = a + (3 * aStride);
        for (float* end = a + depth; a != end; a++, a3++, b += 2 * n)
        {
            TVector b0 = Load(b), b1 = Load(b + n);
            TVector x = TLanes.Broadcast(a[0]);
            c00 = TLanes.MultiplyAdd(x, b0, c00);
            c01 = TLanes.MultiplyAdd(x, b1, c01);
            x = TLanes.Broadcast(a[aStride]);
            c10 = TLanes.MultiplyAdd(x, b0, c10);
            c11 = TLanes.MultiplyAdd(x, b1, c11);
            x = TLanes.Broadcast(a[2 * aStride]);
            c20 = TLanes.MultiplyAdd(x, b0, c20);
            c21 = TLanes.MultiplyAdd(x, b1, c21);
            x = TLanes.Broadcast(a3[0]);
            c30 = TLanes.MultiplyAdd(x, b0, c30);
            c31 = TLanes.MultiplyAdd(x, b1, c31);
            x = TLanes.Broadcast(a3[aStride]);
            c40 = TLanes.MultiplyAdd(x, b0, c40);
            c41 = TLanes.MultiplyAdd(x, b1, c41);
            x = TLanes.Broadcast(a3[2 * aStride]);
            c50 = TLanes.MultiplyAdd(x, b0, c50);
            c51 = TLanes.MultiplyAdd(x, b1, c51);
        }

        Store(c00, c01, c);
        c += cStride;
        Store(c10, c11, c);
        c += cStride;
        Store(c20, c21, c);
        c += cStride;
        Store(c30, c31, c);
        c += cStride;
        Store(c40, c41, c);
        c += cStride;
        Store(c50, c51, c);
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    static void MultiplyFour(float* a, nint aStride, float* b, int depth, float* initial, nint initialStride, float* c, nint cStride)
    {
        int n = TLanes.Count;
        TVector c00 = Load(initial), c01 = Load(initial + n);
        initial += initialStride;
        TVector c10 = Load(initial), c11 = Load(initial + n);
        initial += initialStride;
        TVector c20 = Load(initial), c21 = Load(initial + n);
        initial += initialStride;
        TVector c30 = Load(initial), c31 = Load(initial + n);

        float* a2 = a + (2 * aStride);
        for (float* end = a + depth; a != end; a++, a2++, b += 2 * n)
        {
            TVector b0 = Load(b), b1 = Load(b + n);
            TVector x = TLanes.Broadcast(a[0]);
            c00 = TLanes.MultiplyAdd(x, b0, c00);
            c01 = TLanes.MultiplyAdd(x, b1, c01);
            x = TLanes.Broadcast(a[aStride]);
            c10 = TLanes.MultiplyAdd(x, b0, c10);
            c11 = TLanes.MultiplyAdd(x, b1, c11);
            x = TLanes.Broadcast(a2[0]);
            c20 = TLanes.MultiplyAdd(x, b0, c20);
            c21 = TLanes.MultiplyAdd(x, b1, c21);
            x = TLanes.Broadcast(a2[aStride]);
            c30 = TLanes.MultiplyAdd(x, b0, c30);
            c31 = TLanes.MultiplyAdd(x, b1, c31);
        }

        Store(c00, c01, c);
        c += cStride;
        Store(c10, c11, c);
        c += cStride;
        Store(c20, c21, c);
        c += cStride;
        Store(c30, c31, c);
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    static void MultiplyTwo(float* a, nint aStride, float* b, int depth, float* initial, nint initialStride, float* c, nint cStride)
    {
        int n = TLanes.Count;
        TVector c00 = Load(initial), c01 = Load(initial + n);
        initial += initialStride;
        TVector c10 = Load(initial), c11 = Load(initial + n);

        for (float* end = a + depth; a != end; a++, b += 2 * n)
        {
            TVector b0 = Load(b), b1 = Load(b + n);
            TVector x = TLanes.Broadcast(a[0]);
            c00 = TLanes.MultiplyAdd(x, b0, c00);
            c01 = TLanes.MultiplyAdd(x, b1, c01);
            x = TLanes.Broadcast(a[aStride]);
            c10 = TLanes.MultiplyAdd(x, b0, c10);
            c11 = TLanes.MultiplyAdd(x, b1, c11);
        }

        Store(c00, c01, c);
        c += cStride;
        Store(c10, c11, c);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static TVector Load(float* source) => TLanes.Load(ref *source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Store(TVector first, TVector second, float* destination)
    {
        TLanes.Store(first, ref *destination);
        TLanes.Store(second, ref destination[TLanes.Count]);
    }
}
