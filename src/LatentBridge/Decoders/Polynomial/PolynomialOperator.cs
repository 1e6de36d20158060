using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using LatentBridge.Tensors;

namespace LatentBridge.Decoders.Polynomial;

/// <summary>
/// Per colour: bias + sum over i of z_i (c_i + sum over j from i of z_j (c_ij + sum over k from j of z_k c_ijk)).
/// Every product of channels appears once, and each coefficient costs one multiply-add.
/// </summary>
/// <param name="channels">Channels of a cell.</param>
/// <param name="degree">Channels in the longest product: 1, 2 or 3.</param>
/// <param name="coefficients">Bias, then in the order of the loops c_0, c_00, c_000, c_001 ... c_01 ...; red, green and blue of each; scaled to bytes already.</param>
readonly struct PolynomialOperator(int channels, int degree, float[] coefficients) : IPixelOperator
{
    public void Invoke<TLanes, TVector>(ref readonly float cells, nint stride, out TVector red, out TVector green, out TVector blue)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        ref float z = ref Unsafe.AsRef(in cells);
        ref float c = ref MemoryMarshal.GetArrayDataReference(coefficients);
        nint at = 0;
        Next<TLanes, TVector>(ref c, ref at, out red, out green, out blue);
        for (int i = 0; i < channels; i++)
        {
            Next<TLanes, TVector>(ref c, ref at, out TVector red1, out TVector green1, out TVector blue1);
            for (int j = i; degree > 1 && j < channels; j++)
            {
                Next<TLanes, TVector>(ref c, ref at, out TVector red2, out TVector green2, out TVector blue2);
                for (int k = j; degree > 2 && k < channels; k++)
                {
                    Next<TLanes, TVector>(ref c, ref at, out TVector red3, out TVector green3, out TVector blue3);
                    TVector zk = TLanes.Load(ref Unsafe.Add(ref z, k * stride));
                    red2 = TLanes.MultiplyAdd(zk, red3, red2);
                    green2 = TLanes.MultiplyAdd(zk, green3, green2);
                    blue2 = TLanes.MultiplyAdd(zk, blue3, blue2);
                }

                TVector zj = TLanes.Load(ref Unsafe.Add(ref z, j * stride));
                red1 = TLanes.MultiplyAdd(zj, red2, red1);
                green1 = TLanes.MultiplyAdd(zj, green2, green1);
                blue1 = TLanes.MultiplyAdd(zj, blue2, blue1);
            }

            TVector zi = TLanes.Load(ref Unsafe.Add(ref z, i * stride));
            red = TLanes.MultiplyAdd(zi, red1, red);
            green = TLanes.MultiplyAdd(zi, green1, green);
            blue = TLanes.MultiplyAdd(zi, blue1, blue);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Next<TLanes, TVector>(ref float c, ref nint at, out TVector red, out TVector green, out TVector blue)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        red = TLanes.Broadcast(Unsafe.Add(ref c, at));
        green = TLanes.Broadcast(Unsafe.Add(ref c, at + 1));
        blue = TLanes.Broadcast(Unsafe.Add(ref c, at + 2));
        at += 3;
    }
}
