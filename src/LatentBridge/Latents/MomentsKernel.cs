using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using LatentBridge.Simd;

namespace LatentBridge.Latents;

/// <summary>Smallest, largest, sum and sum of squares of values; the sum of products of two rows of values, and how far they differ.</summary>
/// <remarks>Sums are taken in F32 over blocks of 4096 values, and the blocks' sums in F64: widths differ in the last bits of a block.</remarks>
static class MomentsKernel
{
    const int BlockLength = 4096;

    /// <summary>Adds values, which must be finite, to what was measured before.</summary>
    public static ValueMoments Add(ValueMoments before, ReadOnlySpan<float> values, KernelWidth width)
    {
        for (int from = 0; from < values.Length; from += BlockLength)
        {
            ReadOnlySpan<float> block = values[from..Math.Min(from + BlockLength, values.Length)];
            before = width switch
            {
                KernelWidth.Vector512 => AddBlock<Lanes512, Vector512<float>>(before, block),
                KernelWidth.Vector256 => AddBlock<Lanes256, Vector256<float>>(before, block),
                KernelWidth.Vector128 => AddBlock<Lanes128, Vector128<float>>(before, block),
                _ => AddBlock<LanesScalar, float>(before, block),
            };
        }

        return before;
    }

    /// <summary>The sum of a[i] b[i]; at most 4096 values.</summary>
    public static float Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b, KernelWidth width) => width switch
    {
        KernelWidth.Vector512 => Dot<Lanes512, Vector512<float>>(a, b),
        KernelWidth.Vector256 => Dot<Lanes256, Vector256<float>>(a, b),
        KernelWidth.Vector128 => Dot<Lanes128, Vector128<float>>(a, b),
        _ => Dot<LanesScalar, float>(a, b),
    };

    /// <summary>How far two rows of values, which must be finite, differ.</summary>
    /// <returns>The largest of |a[i] - b[i]|, and the sum of their squares.</returns>
    public static (float Largest, double SumOfSquares) Compare(ReadOnlySpan<float> a, ReadOnlySpan<float> b, KernelWidth width)
    {
        (float largest, double squares) = (0, 0);
        for (int from = 0; from < a.Length; from += BlockLength)
        {
            int length = Math.Min(BlockLength, a.Length - from);
            ReadOnlySpan<float> left = a.Slice(from, length);
            ReadOnlySpan<float> right = b.Slice(from, length);
            (float most, double sum) = width switch
            {
                KernelWidth.Vector512 => CompareBlock<Lanes512, Vector512<float>>(left, right),
                KernelWidth.Vector256 => CompareBlock<Lanes256, Vector256<float>>(left, right),
                KernelWidth.Vector128 => CompareBlock<Lanes128, Vector128<float>>(left, right),
                _ => CompareBlock<LanesScalar, float>(left, right),
            };
            (largest, squares) = (Math.Max(largest, most), squares + sum);
        }

        return (largest, squares);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static ValueMoments AddBlock<TLanes, TVector>(ValueMoments before, ReadOnlySpan<float> values)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        ref float value = ref MemoryMarshal.GetReference(values);
        TVector least = TLanes.Broadcast(float.MaxValue), most = TLanes.Broadcast(float.MinValue);
        TVector sum = TLanes.Broadcast(0), squares = TLanes.Broadcast(0);
        int at = 0;
        for (; at <= values.Length - TLanes.Count; at += TLanes.Count)
        {
            TVector x = TLanes.Load(ref Unsafe.Add(ref value, at));
            least = TLanes.Min(least, x);
            most = TLanes.Max(most, x);
            sum = TLanes.Add(sum, x);
            squares = TLanes.MultiplyAdd(x, x, squares);
        }

        Span<float> lanes = stackalloc float[2 * TLanes.Count];
        TLanes.Store(least, ref lanes[0]);
        TLanes.Store(most, ref lanes[TLanes.Count]);
        (float minimum, float maximum) = (float.MaxValue, float.MinValue);
        for (int lane = 0; lane < TLanes.Count; lane++)
        {
            (minimum, maximum) = (Math.Min(minimum, lanes[lane]), Math.Max(maximum, lanes[TLanes.Count + lane]));
        }

        double total = TLanes.Sum(sum), square = TLanes.Sum(squares);
        for (; at < values.Length; at++)
        {
            float x = values[at];
            (minimum, maximum) = (Math.Min(minimum, x), Math.Max(maximum, x));
            total += x;
            square += (double)x * x;
        }

        return new(
            before.Count + values.Length, Math.Min(before.Minimum, minimum), Math.Max(before.Maximum, maximum), before.Sum + total, before.SumOfSquares + square);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static (float Largest, double SumOfSquares) CompareBlock<TLanes, TVector>(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        ref float left = ref MemoryMarshal.GetReference(a);
        ref float right = ref MemoryMarshal.GetReference(b);
        TVector most = TLanes.Broadcast(0), sum = TLanes.Broadcast(0);
        int at = 0;
        for (; at <= a.Length - TLanes.Count; at += TLanes.Count)
        {
            TVector difference = TLanes.Subtract(TLanes.Load(ref Unsafe.Add(ref left, at)), TLanes.Load(ref Unsafe.Add(ref right, at)));
            TVector square = TLanes.Multiply(difference, difference);
            most = TLanes.Max(most, square);
            sum = TLanes.Add(sum, square);
        }

        Span<float> lanes = stackalloc float[TLanes.Count];
        TLanes.Store(most, ref lanes[0]);
        (float largest, double squares) = (0, TLanes.Sum(sum));
        foreach (float lane in lanes)
        {
            largest = Math.Max(largest, lane);
        }

        for (; at < a.Length; at++)
        {
            float square = (a[at] - b[at]) * (a[at] - b[at]);
            largest = Math.Max(largest, square);
            squares += square;
        }

        return (MathF.Sqrt(largest), squares);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static float Dot<TLanes, TVector>(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(b.Length, a.Length);
        ref float left = ref MemoryMarshal.GetReference(a);
        ref float right = ref MemoryMarshal.GetReference(b);
        TVector first = TLanes.Broadcast(0), second = TLanes.Broadcast(0);
        int at = 0;
        for (; at <= a.Length - (2 * TLanes.Count); at += 2 * TLanes.Count)
        {
            first = TLanes.MultiplyAdd(TLanes.Load(ref Unsafe.Add(ref left, at)), TLanes.Load(ref Unsafe.Add(ref right, at)), first);
            second = TLanes.MultiplyAdd(
                TLanes.Load(ref Unsafe.Add(ref left, at + TLanes.Count)), TLanes.Load(ref Unsafe.Add(ref right, at + TLanes.Count)), second);
        }

        float sum = TLanes.Sum(TLanes.Add(first, second));
        for (; at < a.Length; at++)
        {
            sum += a[at] * b[at];
        }

        return sum;
    }
}
