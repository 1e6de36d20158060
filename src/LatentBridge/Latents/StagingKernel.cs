using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using LatentBridge.Simd;

namespace LatentBridge.Latents;

/// <summary>
/// Elements to floats of the sampler's scale: <c>y = clamp(finite(x) * scale + offset, -65504, 65504)</c>, where finite(NaN)
/// is 0. Nothing later can overflow to infinity or NaN.
/// </summary>
static class StagingKernel
{
    /// <summary>The largest finite F16; every staged value lies within it.</summary>
    public const float Limit = 65504;

    /// <summary>Converts as many elements as the destination has floats.</summary>
    /// <returns>How many were NaN or infinite.</returns>
    public static int Convert(ReadOnlySpan<byte> source, LatentElementType type, float scale, float offset, Span<float> destination, KernelWidth width) => type switch
    {
        LatentElementType.F32 => Convert<F32Element>(source, scale, offset, destination, width),
        LatentElementType.F16 => Convert<F16Element>(source, scale, offset, destination, width),
        _ => Convert<BF16Element>(source, scale, offset, destination, width),
    };

    /// <summary>Converts two runs of elements into one: even[0], odd[0], even[1], odd[1] and so on. Each takes its own scale and offset.</summary>
    /// <returns>How many were NaN or infinite.</returns>
    public static int Interleave(
        ReadOnlySpan<byte> even,
        ReadOnlySpan<byte> odd,
        LatentElementType type,
        (float Scale, float Offset) evenTo,
        (float Scale, float Offset) oddTo,
        Span<float> destination,
        KernelWidth width) => type switch
        {
            LatentElementType.F32 => Interleave<F32Element>(even, odd, evenTo, oddTo, destination, width),
            LatentElementType.F16 => Interleave<F16Element>(even, odd, evenTo, oddTo, destination, width),
            _ => Interleave<BF16Element>(even, odd, evenTo, oddTo, destination, width),
        };

    static int Convert<TElement>(ReadOnlySpan<byte> source, float scale, float offset, Span<float> destination, KernelWidth width)
        where TElement : struct, ILatentElement
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(source.Length, destination.Length * TElement.ByteLength);
        int nonFinite = 0;
        int done = width switch
        {
            KernelWidth.Vector512 => Convert<Lanes512, Vector512<float>, TElement>(source, scale, offset, destination, 0, ref nonFinite),
            KernelWidth.Vector256 => Convert<Lanes256, Vector256<float>, TElement>(source, scale, offset, destination, 0, ref nonFinite),
            KernelWidth.Vector128 => Convert<Lanes128, Vector128<float>, TElement>(source, scale, offset, destination, 0, ref nonFinite),
            _ => 0,
        };
        Convert<LanesScalar, float, TElement>(source, scale, offset, destination, done, ref nonFinite);
        return nonFinite;
    }

    /// <summary>Converts whole vectors from <paramref name="at"/> on; returns where it stopped.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static int Convert<TLanes, TVector, TElement>(ReadOnlySpan<byte> source, float scale, float offset, Span<float> destination, int at, ref int nonFinite)
        where TLanes : struct, IPixelLanes<TVector>
        where TVector : struct
        where TElement : struct, ILatentElement
    {
        ref byte from = ref MemoryMarshal.GetReference(source);
        ref float to = ref MemoryMarshal.GetReference(destination);
        TVector scales = TLanes.Broadcast(scale);
        TVector offsets = TLanes.Broadcast(offset);
        for (; at <= destination.Length - TLanes.Count; at += TLanes.Count)
        {
            TVector x = TElement.Load<TLanes, TVector>(ref Unsafe.Add(ref from, at * TElement.ByteLength));
            TLanes.Store(Finish<TLanes, TVector>(x, scales, offsets, ref nonFinite), ref Unsafe.Add(ref to, at));
        }

        return at;
    }

    static int Interleave<TElement>(
        ReadOnlySpan<byte> even,
        ReadOnlySpan<byte> odd,
        (float Scale, float Offset) evenTo,
        (float Scale, float Offset) oddTo,
        Span<float> destination,
        KernelWidth width)
        where TElement : struct, ILatentElement
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Math.Min(even.Length, odd.Length), destination.Length / 2 * TElement.ByteLength);
        int nonFinite = 0;
        int done = width switch
        {
            KernelWidth.Vector512 => Interleave<Lanes512, Vector512<float>, TElement>(even, odd, evenTo, oddTo, destination, 0, ref nonFinite),
            KernelWidth.Vector256 => Interleave<Lanes256, Vector256<float>, TElement>(even, odd, evenTo, oddTo, destination, 0, ref nonFinite),
            KernelWidth.Vector128 => Interleave<Lanes128, Vector128<float>, TElement>(even, odd, evenTo, oddTo, destination, 0, ref nonFinite),
            _ => 0,
        };
        Interleave<LanesScalar, float, TElement>(even, odd, evenTo, oddTo, destination, done, ref nonFinite);
        return nonFinite;
    }

    /// <summary>Interleaves whole vectors from element <paramref name="at"/> of each run on; returns where it stopped.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static int Interleave<TLanes, TVector, TElement>(
        ReadOnlySpan<byte> even,
        ReadOnlySpan<byte> odd,
        (float Scale, float Offset) evenTo,
        (float Scale, float Offset) oddTo,
        Span<float> destination,
        int at,
        ref int nonFinite)
        where TLanes : struct, IPixelLanes<TVector>
        where TVector : struct
        where TElement : struct, ILatentElement
    {
        ref byte fromEven = ref MemoryMarshal.GetReference(even);
        ref byte fromOdd = ref MemoryMarshal.GetReference(odd);
        ref float to = ref MemoryMarshal.GetReference(destination);
        TVector evenScales = TLanes.Broadcast(evenTo.Scale);
        TVector evenOffsets = TLanes.Broadcast(evenTo.Offset);
        TVector oddScales = TLanes.Broadcast(oddTo.Scale);
        TVector oddOffsets = TLanes.Broadcast(oddTo.Offset);
        for (; at <= (destination.Length / 2) - TLanes.Count; at += TLanes.Count)
        {
            TVector a = TElement.Load<TLanes, TVector>(ref Unsafe.Add(ref fromEven, at * TElement.ByteLength));
            TVector b = TElement.Load<TLanes, TVector>(ref Unsafe.Add(ref fromOdd, at * TElement.ByteLength));
            TLanes.StoreInterleaved(
                Finish<TLanes, TVector>(a, evenScales, evenOffsets, ref nonFinite),
                Finish<TLanes, TVector>(b, oddScales, oddOffsets, ref nonFinite),
                ref Unsafe.Add(ref to, 2 * at));
        }

        return at;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static TVector Finish<TLanes, TVector>(TVector x, TVector scale, TVector offset, ref int nonFinite)
        where TLanes : struct, IPixelLanes<TVector>
        where TVector : struct
    {
        TVector y = TLanes.MultiplyAdd(TLanes.ReplaceNaN(x, ref nonFinite), scale, offset);
        return TLanes.Max(TLanes.Min(y, TLanes.Broadcast(Limit)), TLanes.Broadcast(-Limit));
    }
}
