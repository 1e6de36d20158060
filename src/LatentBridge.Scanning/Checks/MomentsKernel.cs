using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using LatentBridge.Simd;

namespace LatentBridge.Scanning.Checks;

/// <summary>Smallest, largest, sum and sum of squares of values, and the sum of products of two rows of values.</summary>
/// <remarks>Sums are taken in F32 over blocks of 4096 values, and the blocks' sums in F64: widths differ in the last bits of a block.</remarks>
static class MomentsKernel
{
    const int BlockLength = 4096;

    /// <summary>Adds values, which must be finite, to what was measured before.</summary>
    public static ChannelMoments Add(ChannelMoments before, ReadOnlySpan<float> values, KernelWidth width)
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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static ChannelMoments AddBlock<TLanes, TVector>(ChannelMoments before, ReadOnlySpan<float> values)
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
