using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using LatentBridge.Simd;
using Pair128 = LatentBridge.Simd.LanesPair<LatentBridge.Simd.Lanes128, System.Runtime.Intrinsics.Vector128<float>>;
using Pair256 = LatentBridge.Simd.LanesPair<LatentBridge.Simd.Lanes256, System.Runtime.Intrinsics.Vector256<float>>;
using Pair512 = LatentBridge.Simd.LanesPair<LatentBridge.Simd.Lanes512, System.Runtime.Intrinsics.Vector512<float>>;
using Two128 = LatentBridge.Simd.Pair<System.Runtime.Intrinsics.Vector128<float>>;
using Two256 = LatentBridge.Simd.Pair<System.Runtime.Intrinsics.Vector256<float>>;
using Two512 = LatentBridge.Simd.Pair<System.Runtime.Intrinsics.Vector512<float>>;

namespace LatentBridge.Decoders;

/// <summary>The mathematics of a decoder that looks at one cell at a time: numbers in, colour out as 0.5 (black) to 255.5 (white).</summary>
/// <remarks>A struct, so that the loop below is compiled for it alone.</remarks>
interface IPixelOperator
{
    /// <summary>The colours of a vector of neighbouring cells.</summary>
    /// <param name="cells">Where the first cell lies.</param>
    /// <param name="inputs">How many floats from there each of a cell's numbers lies: its channels, or those of the cells around it.</param>
    /// <param name="red">Red of each cell.</param>
    /// <param name="green">Green of each cell.</param>
    /// <param name="blue">Blue of each cell.</param>
    void Invoke<TLanes, TVector>(ref readonly float cells, ReadOnlySpan<int> inputs, out TVector red, out TVector green, out TVector blue)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct;
}

/// <summary>The one loop of the decoders that look at one cell at a time. All widths give the same bytes; <see cref="LanesScalar"/> is the reference.</summary>
static class PixelKernel
{
    /// <summary>Multiplies -1..1 to half of 0..255.</summary>
    public const float Half = 127.5f;

    /// <summary>Added after <see cref="Half"/>, so that dropping the fraction rounds half up.</summary>
    public const float Rounded = 128;

    /// <summary>Decodes neighbouring cells into RGB24. Up to 4 bytes behind them, where there are as many, are overwritten.</summary>
    public static void Decode<TOperator>(TOperator pixel, ref readonly float cells, ReadOnlySpan<int> inputs, int count, Span<byte> rgb, KernelWidth width)
        where TOperator : struct, IPixelOperator
    {
        // Four vectors at a time where there are 32 registers of them, else two. What a width leaves over is for the next narrower one.
        int done = 0;
        if (width >= KernelWidth.Vector512)
        {
            done = Decode<TOperator, LanesPair<Pair512, Two512>, Pair<Two512>>(pixel, in cells, inputs, count, rgb, done);
            done = Decode<TOperator, Lanes512, Vector512<float>>(pixel, in cells, inputs, count, rgb, done);
        }

        if (width >= KernelWidth.Vector256)
        {
            done = Decode<TOperator, Pair256, Two256>(pixel, in cells, inputs, count, rgb, done);
            done = Decode<TOperator, Lanes256, Vector256<float>>(pixel, in cells, inputs, count, rgb, done);
        }

        if (width >= KernelWidth.Vector128)
        {
            done = Decode<TOperator, Pair128, Two128>(pixel, in cells, inputs, count, rgb, done);
            done = Decode<TOperator, Lanes128, Vector128<float>>(pixel, in cells, inputs, count, rgb, done);
        }

        Decode<TOperator, LanesScalar, float>(pixel, in cells, inputs, count, rgb, done);
    }

    /// <summary>Decodes whole vectors of cells; returns where it stopped.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static int Decode<TOperator, TLanes, TVector>(TOperator pixel, ref readonly float cells, ReadOnlySpan<int> inputs, int count, Span<byte> rgb, int from)
        where TOperator : struct, IPixelOperator
        where TLanes : struct, IRgbLanes<TVector>
        where TVector : struct
    {
        // A vector store writes four bytes too many.
        int end = Math.Min(count, (rgb.Length - (TLanes.Count == 1 ? 0 : 4)) / 3);
        int cell = from;
        for (; cell <= end - TLanes.Count; cell += TLanes.Count)
        {
            pixel.Invoke<TLanes, TVector>(ref Unsafe.Add(ref Unsafe.AsRef(in cells), cell), inputs, out TVector red, out TVector green, out TVector blue);
            TLanes.StoreRgb24(red, green, blue, ref Unsafe.Add(ref MemoryMarshal.GetReference(rgb), (nint)cell * 3));
        }

        return cell;
    }
}
