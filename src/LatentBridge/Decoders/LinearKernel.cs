using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using LatentBridge.Latents;
using LatentBridge.Simd;

namespace LatentBridge.Decoders;

/// <summary>
/// Cells to bytes: <c>byte[r] = floor(clamp(sum over c of x[c] * weights[3c + r] + weights[3C + r], 0, 255))</c>. Rounding
/// half up lies in the weights: see <see cref="Prepare"/>.
/// </summary>
static class LinearKernel
{
    /// <summary>Weights for a map to -1..1: -1 becomes 0.5 and 1 becomes 255.5, which floor and clamp bring to 0 and 255.</summary>
    public static void Prepare(ReadOnlySpan<float> factors, ReadOnlySpan<float> bias, Span<float> weights)
    {
        for (int i = 0; i < factors.Length; i++)
        {
            weights[i] = factors[i] * 127.5f;
        }

        for (int r = 0; r < 3; r++)
        {
            weights[factors.Length + r] = (bias[r] * 127.5f) + 128f;
        }
    }

    /// <summary>Decodes the cells from <paramref name="from"/> up to <paramref name="to"/>; the bytes behind are left or overwritten with zeros.</summary>
    public static void Decode(in LatentPlanes latent, ReadOnlySpan<float> weights, Span<byte> rgb, int from, int to, KernelWidth width)
    {
        int done = width switch
        {
            KernelWidth.Vector512 => Decode<Lanes512, Vector512<float>>(latent, weights, rgb, from, to),
            KernelWidth.Vector256 => Decode<Lanes256, Vector256<float>>(latent, weights, rgb, from, to),
            KernelWidth.Vector128 => Decode<Lanes128, Vector128<float>>(latent, weights, rgb, from, to),
            _ => from,
        };
        Decode<LanesScalar, float>(latent, weights, rgb, done, to);
    }

    /// <summary>Decodes whole vectors of cells; returns where it stopped.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static int Decode<TLanes, TVector>(in LatentPlanes latent, ReadOnlySpan<float> weights, Span<byte> rgb, int from, int to)
        where TLanes : struct, IPixelLanes<TVector>
        where TVector : struct
    {
        ref float values = ref MemoryMarshal.GetReference(latent.Values);
        ref byte pixels = ref MemoryMarshal.GetReference(rgb);
        ref float first = ref MemoryMarshal.GetReference(weights);
        ref float bias = ref Unsafe.Add(ref first, 3 * latent.Channels);
        nint plane = latent.PlaneLength;

        // A vector store writes four bytes, not quite two pixels, too many.
        int spare = TLanes.Count == 1 ? 0 : 2;
        int cell = from;
        for (; cell <= to - TLanes.Count - spare; cell += TLanes.Count)
        {
            TVector red = TLanes.Broadcast(bias);
            TVector green = TLanes.Broadcast(Unsafe.Add(ref bias, 1));
            TVector blue = TLanes.Broadcast(Unsafe.Add(ref bias, 2));
            ref float weight = ref first;
            ref float value = ref Unsafe.Add(ref values, cell);
            for (int channel = 0; channel < latent.Channels; channel++)
            {
                TVector x = TLanes.Load(ref value);
                red = TLanes.MultiplyAdd(x, TLanes.Broadcast(weight), red);
                green = TLanes.MultiplyAdd(x, TLanes.Broadcast(Unsafe.Add(ref weight, 1)), green);
                blue = TLanes.MultiplyAdd(x, TLanes.Broadcast(Unsafe.Add(ref weight, 2)), blue);
                weight = ref Unsafe.Add(ref weight, 3);
                value = ref Unsafe.Add(ref value, plane);
            }

            TLanes.StoreRgb24(red, green, blue, ref Unsafe.Add(ref pixels, (nint)cell * 3));
        }

        return cell;
    }
}
