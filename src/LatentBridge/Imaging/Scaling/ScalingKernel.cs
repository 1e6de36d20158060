using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using LatentBridge.Simd;

namespace LatentBridge.Imaging.Scaling;

/// <summary>The inner loops of smooth scaling, over rows of interleaved RGB.</summary>
static class ScalingKernel
{
    /// <summary>Floats that a row must have behind its last pixel: <see cref="Across"/> reads and writes four for a pixel of three.</summary>
    public const int RowPadding = 1;

    /// <summary>sums[i] += weight * row[i]</summary>
    public static void AddRow(ReadOnlySpan<byte> row, float weight, Span<float> sums, KernelWidth width)
    {
        int done = width switch
        {
            KernelWidth.Vector512 => AddRow<Lanes512, Vector512<float>>(row, weight, sums, 0),
            KernelWidth.Vector256 => AddRow<Lanes256, Vector256<float>>(row, weight, sums, 0),
            KernelWidth.Vector128 => AddRow<Lanes128, Vector128<float>>(row, weight, sums, 0),
            _ => 0,
        };
        AddRow<LanesScalar, float>(row, weight, sums, done);
    }

    /// <summary>bytes[i] = round half up(clamp(values[i], 0, 255))</summary>
    public static void ToBytes(ReadOnlySpan<float> values, Span<byte> bytes, KernelWidth width)
    {
        int done = width switch
        {
            KernelWidth.Vector512 => ToBytes<Lanes512, Vector512<float>>(values, bytes, 0),
            KernelWidth.Vector256 => ToBytes<Lanes256, Vector256<float>>(values, bytes, 0),
            KernelWidth.Vector128 => ToBytes<Lanes128, Vector128<float>>(values, bytes, 0),
            _ => 0,
        };
        ToBytes<LanesScalar, float>(values, bytes, done);
    }

    /// <summary>As <see cref="ToBytes"/> of the weighted sum of as many rows as there are weights.</summary>
    public static void CombineRows(ReadOnlySpan<float> rows, int stride, ReadOnlySpan<float> weights, Span<byte> bytes, KernelWidth width)
    {
        int done = width switch
        {
            KernelWidth.Vector512 => CombineRows<Lanes512, Vector512<float>>(rows, stride, weights, bytes, 0),
            KernelWidth.Vector256 => CombineRows<Lanes256, Vector256<float>>(rows, stride, weights, bytes, 0),
            KernelWidth.Vector128 => CombineRows<Lanes128, Vector128<float>>(rows, stride, weights, bytes, 0),
            _ => 0,
        };
        CombineRows<LanesScalar, float>(rows, stride, weights, bytes, done);
    }

    /// <summary>Resamples a row across: each new pixel is the weighted sum of its old ones. Both rows end with <see cref="RowPadding"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Across(ReadOnlySpan<float> row, ResamplingAxis axis, Span<float> resampled, int pixels)
    {
        ref float from = ref MemoryMarshal.GetReference(row);
        ref float to = ref MemoryMarshal.GetReference(resampled);
        for (int pixel = 0; pixel < pixels; pixel++)
        {
            ReadOnlySpan<float> weights = axis.Weights(pixel);
            int start = 3 * axis.Start(pixel);
            Vector128<float> sum = Vector128<float>.Zero;
            for (int tap = 0; tap < weights.Length; tap++)
            {
                Vector128<float> colour = Vector128.LoadUnsafe(ref from, (nuint)(start + (3 * tap)));
                sum = Vector128.MultiplyAddEstimate(colour, Vector128.Create(weights[tap]), sum);
            }

            sum.StoreUnsafe(ref to, (nuint)(3 * pixel));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static int AddRow<TLanes, TVector>(ReadOnlySpan<byte> row, float weight, Span<float> sums, int at)
        where TLanes : struct, IPixelLanes<TVector>
        where TVector : struct
    {
        ref byte from = ref MemoryMarshal.GetReference(row);
        ref float to = ref MemoryMarshal.GetReference(sums);
        TVector weights = TLanes.Broadcast(weight);
        for (; at <= row.Length - TLanes.Count; at += TLanes.Count)
        {
            ref float sum = ref Unsafe.Add(ref to, at);
            TLanes.Store(TLanes.MultiplyAdd(TLanes.LoadBytes(ref Unsafe.Add(ref from, at)), weights, TLanes.Load(ref sum)), ref sum);
        }

        return at;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static int ToBytes<TLanes, TVector>(ReadOnlySpan<float> values, Span<byte> bytes, int at)
        where TLanes : struct, IPixelLanes<TVector>
        where TVector : struct
    {
        ref float from = ref MemoryMarshal.GetReference(values);
        ref byte to = ref MemoryMarshal.GetReference(bytes);
        TVector half = TLanes.Broadcast(0.5f);
        for (; at <= bytes.Length - TLanes.Count; at += TLanes.Count)
        {
            TLanes.StoreBytes(TLanes.Add(TLanes.Load(ref Unsafe.Add(ref from, at)), half), ref Unsafe.Add(ref to, at));
        }

        return at;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static int CombineRows<TLanes, TVector>(ReadOnlySpan<float> rows, int stride, ReadOnlySpan<float> weights, Span<byte> bytes, int at)
        where TLanes : struct, IPixelLanes<TVector>
        where TVector : struct
    {
        ref float from = ref MemoryMarshal.GetReference(rows);
        ref byte to = ref MemoryMarshal.GetReference(bytes);
        for (; at <= bytes.Length - TLanes.Count; at += TLanes.Count)
        {
            TVector sum = TLanes.Broadcast(0.5f);
            ref float value = ref Unsafe.Add(ref from, at);
            foreach (float weight in weights)
            {
                sum = TLanes.MultiplyAdd(TLanes.Load(ref value), TLanes.Broadcast(weight), sum);
                value = ref Unsafe.Add(ref value, stride);
            }

            TLanes.StoreBytes(sum, ref Unsafe.Add(ref to, at));
        }

        return at;
    }
}
