using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using LatentBridge.Latents;
using LatentBridge.Tensors;

namespace LatentBridge.Decoders;

/// <summary>The mathematics of a decoder that looks at one cell at a time: channels in, colour from -1 to 1 out.</summary>
/// <remarks>A struct, so that the loop below is compiled for it alone. Both forms compute the same formula; the scalar one is the reference.</remarks>
interface IPixelOperator
{
    /// <summary>The colour of one cell, whose channels lie <paramref name="stride"/> floats apart.</summary>
    (float Red, float Green, float Blue) Invoke(ref readonly float cell, nint stride);

    /// <summary>The colours of a vector of neighbouring cells.</summary>
    void Invoke<TLanes, TVector>(ref readonly float cells, nint stride, out TVector red, out TVector green, out TVector blue)
        where TLanes : ILanes<TVector>
        where TVector : struct;
}

/// <summary>The one loop of all decoders that look at one cell at a time.</summary>
static class PixelKernel
{
    /// <summary>Cells between two looks at the cancellation.</summary>
    const int BlockLength = 1 << 13;

    /// <summary>Decodes all cells into RGB24.</summary>
    public static void Decode<TOperator>(TOperator pixel, in LatentPlanes latent, Span<byte> destination, KernelWidth width, CancellationToken cancellation)
        where TOperator : struct, IPixelOperator
    {
        int length = latent.PlaneLength;
        Debug.Assert(destination.Length == 3 * length, "checked by the decoder");
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
        int count = rgb.Length / 3;
        switch (width)
        {
            case KernelWidth.Vector512 when count >= 16:
                Decode<TOperator, Lanes512, Vector512<float>>(pixel, in cells, stride, rgb);
                break;
            case >= KernelWidth.Vector256 when count >= 8:
                Decode<TOperator, Lanes256, Vector256<float>>(pixel, in cells, stride, rgb);
                break;
            case >= KernelWidth.Vector128 when count >= 4:
                Decode<TOperator, Lanes128, Vector128<float>>(pixel, in cells, stride, rgb);
                break;
            default:
                DecodeScalar(pixel, in cells, stride, rgb);
                break;
        }
    }

    static void DecodeScalar<TOperator>(TOperator pixel, ref readonly float cells, nint stride, Span<byte> rgb)
        where TOperator : struct, IPixelOperator
    {
        for (int i = 0; i < rgb.Length / 3; i++)
        {
            (float red, float green, float blue) = pixel.Invoke(ref Unsafe.Add(ref Unsafe.AsRef(in cells), i), stride);
            rgb[3 * i] = ToByte(red);
            rgb[3 * i + 1] = ToByte(green);
            rgb[3 * i + 2] = ToByte(blue);
        }
    }

    /// <summary>-1..1 to 0..255, rounded half up.</summary>
    static byte ToByte(float value) => (byte)Math.Clamp(value * 127.5f + 128, 0, 255);

    /// <summary>At least one vector of cells. The last vector starts early enough to end with the last cell: some cells are computed twice, to the same bytes.</summary>
    static void Decode<TOperator, TLanes, TVector>(TOperator pixel, ref readonly float cells, nint stride, Span<byte> rgb)
        where TOperator : struct, IPixelOperator
        where TLanes : ILanes<TVector>
        where TVector : struct
    {
        int count = rgb.Length / 3;
        Span<int> packed = stackalloc int[TLanes.Count];
        ref byte first = ref MemoryMarshal.GetReference(rgb);
        TVector half = TLanes.Broadcast(127.5f);
        TVector rounded = TLanes.Broadcast(128);
        for (int done = 0; done < count; done += TLanes.Count)
        {
            int i = Math.Min(done, count - TLanes.Count);
            pixel.Invoke<TLanes, TVector>(ref Unsafe.Add(ref Unsafe.AsRef(in cells), i), stride, out TVector red, out TVector green, out TVector blue);
            TLanes.StoreRgb(
                TLanes.MultiplyAdd(red, half, rounded), TLanes.MultiplyAdd(green, half, rounded), TLanes.MultiplyAdd(blue, half, rounded),
                ref MemoryMarshal.GetReference(packed));

            // Four bytes at a time, the fourth overwritten by the next pixel; the vector's last pixel has three.
            ref byte pixels = ref Unsafe.Add(ref first, 3 * i);
            for (int lane = 0; lane < packed.Length - 1; lane++)
            {
                Unsafe.WriteUnaligned(ref Unsafe.Add(ref pixels, 3 * lane), packed[lane]);
            }

            int last = packed[^1];
            Unsafe.WriteUnaligned(ref Unsafe.Add(ref pixels, 3 * (packed.Length - 1)), (short)last);
            Unsafe.Add(ref pixels, 3 * packed.Length - 1) = (byte)(last >> 16);
        }
    }
}
