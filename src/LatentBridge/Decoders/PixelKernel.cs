using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using LatentBridge.Latents;
using LatentBridge.Tensors;

namespace LatentBridge.Decoders;

/// <summary>The mathematics of a decoder that looks at one cell at a time: channels in, colour out as 0.5 (black) to 255.5 (white).</summary>
/// <remarks>A struct, so that the loop below is compiled for it alone.</remarks>
interface IPixelOperator
{
    /// <summary>The colours of a vector of neighbouring cells, whose channels lie <paramref name="stride"/> floats apart.</summary>
    void Invoke<TLanes, TVector>(ref readonly float cells, nint stride, out TVector red, out TVector green, out TVector blue)
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

    /// <summary>Cells between two looks at the cancellation.</summary>
    const int BlockLength = 1 << 10;

    /// <summary>Decodes all cells into RGB24.</summary>
    public static void Decode<TOperator>(TOperator pixel, in LatentPlanes latent, Span<byte> destination, KernelWidth width, CancellationToken cancellation)
        where TOperator : struct, IPixelOperator
    {
        int length = latent.PlaneLength;
        ref float cells = ref MemoryMarshal.GetReference(latent.Values);
        for (int start = 0; start < length; start += BlockLength)
        {
            cancellation.ThrowIfCancellationRequested();
            int count = Math.Min(BlockLength, length - start);
            Decode(pixel, ref Unsafe.Add(ref cells, start), length, destination.Slice(3 * start, 3 * count), width);
        }
    }

    /// <summary>Decodes neighbouring cells, whose channels lie <paramref name="stride"/> floats apart, into RGB24.</summary>
    public static void Decode<TOperator>(TOperator pixel, ref readonly float cells, nint stride, Span<byte> rgb, KernelWidth width)
        where TOperator : struct, IPixelOperator
    {
        // What a width leaves over, less than two of its vectors, is for the next narrower one.
        int done = width >= KernelWidth.Vector512 ? Decode<TOperator, Lanes512, Vector512<float>>(pixel, in cells, stride, rgb, 0) : 0;
        done = width >= KernelWidth.Vector256 ? Decode<TOperator, Lanes256, Vector256<float>>(pixel, in cells, stride, rgb, done) : done;
        done = width >= KernelWidth.Vector128 ? Decode<TOperator, Lanes128, Vector128<float>>(pixel, in cells, stride, rgb, done) : done;
        Decode<TOperator, LanesScalar, float>(pixel, in cells, stride, rgb, done);
    }

    /// <summary>Decodes whole vectors of cells; returns where it stopped.</summary>
    static int Decode<TOperator, TLanes, TVector>(TOperator pixel, ref readonly float cells, nint stride, Span<byte> rgb, int from)
        where TOperator : struct, IPixelOperator
        where TLanes : struct, IPixelLanes<TVector>
        where TVector : struct
    {
        // A vector store writes four bytes, not quite two pixels, too many.
        int spare = TLanes.Count == 1 ? 0 : 2;
        int cell = from;
        for (; cell <= rgb.Length / 3 - TLanes.Count - spare; cell += TLanes.Count)
        {
            pixel.Invoke<TLanes, TVector>(ref Unsafe.Add(ref Unsafe.AsRef(in cells), cell), stride, out TVector red, out TVector green, out TVector blue);
            TLanes.StoreRgb24(red, green, blue, ref Unsafe.Add(ref MemoryMarshal.GetReference(rgb), (nint)cell * 3));
        }

        return cell;
    }
}
