using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using LatentBridge.Simd;

namespace LatentBridge.Decoders.Polynomial;

/// <summary>
/// Per colour: bias + sum over i of z_i (c_i + sum over j from i of z_j (c_ij + sum over k from j of z_k c_ijk)).
/// Every product of channels appears once, and each coefficient costs one multiply-add.
/// </summary>
/// <typeparam name="TPolynomial"><see cref="Horner{TInner}"/> as often as the degree, around <see cref="Constant"/>.</typeparam>
/// <param name="coefficients">Bias, then in the order of the loops c_0, c_00, c_000, c_001 ... c_01 ...; red, green and blue of each; scaled to bytes already.</param>
readonly struct PolynomialOperator<TPolynomial>(float[] coefficients) : IPixelOperator
    where TPolynomial : struct, IPolynomial
{
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public void Invoke<TLanes, TVector>(ref readonly float cells, ReadOnlySpan<int> inputs, out TVector red, out TVector green, out TVector blue)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct =>
        TPolynomial.Sum<TLanes, TVector>(ref MemoryMarshal.GetArrayDataReference(coefficients), inputs, ref Unsafe.AsRef(in cells), out red, out green, out blue);
}

/// <summary>A polynomial in some of a cell's channels.</summary>
interface IPolynomial
{
    /// <summary>Its three colours; returns where its coefficients, which start at <paramref name="c"/>, end.</summary>
    static abstract ref float Sum<TLanes, TVector>(ref float c, ReadOnlySpan<int> inputs, ref float cells, out TVector red, out TVector green, out TVector blue)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct;
}

/// <summary>c</summary>
readonly struct Constant : IPolynomial
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref float Sum<TLanes, TVector>(ref float c, ReadOnlySpan<int> inputs, ref float cells, out TVector red, out TVector green, out TVector blue)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        red = TLanes.Broadcast(c);
        green = TLanes.Broadcast(Unsafe.Add(ref c, 1));
        blue = TLanes.Broadcast(Unsafe.Add(ref c, 2));
        return ref Unsafe.Add(ref c, 3);
    }
}

/// <summary>c + sum over i of z_i times a polynomial of a degree less in the channels from i on.</summary>
/// <remarks>Compiled into one piece for each degree, so that the sums of all levels stay in registers.</remarks>
readonly struct Horner<TInner> : IPolynomial
    where TInner : struct, IPolynomial
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref float Sum<TLanes, TVector>(ref float c, ReadOnlySpan<int> inputs, ref float cells, out TVector red, out TVector green, out TVector blue)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        c = ref Constant.Sum<TLanes, TVector>(ref c, inputs, ref cells, out TVector r, out TVector g, out TVector b);
        for (int i = 0; i < inputs.Length; i++)
        {
            c = ref TInner.Sum<TLanes, TVector>(ref c, inputs[i..], ref cells, out TVector innerRed, out TVector innerGreen, out TVector innerBlue);
            TVector z = TLanes.Load(ref Unsafe.Add(ref cells, inputs[i]));
            r = TLanes.MultiplyAdd(z, innerRed, r);
            g = TLanes.MultiplyAdd(z, innerGreen, g);
            b = TLanes.MultiplyAdd(z, innerBlue, b);
        }

        (red, green, blue) = (r, g, b);
        return ref c;
    }
}
