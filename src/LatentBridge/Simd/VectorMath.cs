using System.Runtime.CompilerServices;

namespace LatentBridge.Simd;

/// <summary>Functions of whole vectors.</summary>
static class VectorMath
{
    // Cody and Waite's halves of ln 2: the upper one times any exponent is exact.
    const float Log2OfE = 1.44269504f;
    const float Ln2Upper = 0.693359375f;
    const float Ln2Lower = -2.12194440e-4f;

    const float C1 = 0.9999997f;
    const float C2 = 0.49998894f;
    const float C3 = 0.16667575f;
    const float C4 = 0.041915383f;
    const float C5 = 0.008297655f;

    /// <summary>
    /// e to the power of x, cut to -87..87; relative error at most 3e-7.
    /// </summary>
    /// <remarks>e^x = 2^n e^r with n whole and |r| at most ln(2)/2, where a polynomial of degree 5 (minimax, 7.5e-8) stands for e^r.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Exp<TLanes, TVector>(TVector x)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        x = TLanes.Min(TLanes.Max(x, TLanes.Broadcast(-87)), TLanes.Broadcast(87));
        TVector n = TLanes.Round(TLanes.Multiply(x, TLanes.Broadcast(Log2OfE)));
        TVector r = TLanes.MultiplyAdd(n, TLanes.Broadcast(-Ln2Upper), x);
        r = TLanes.MultiplyAdd(n, TLanes.Broadcast(-Ln2Lower), r);
        TVector p = TLanes.Broadcast(C5);
        p = TLanes.MultiplyAdd(p, r, TLanes.Broadcast(C4));
        p = TLanes.MultiplyAdd(p, r, TLanes.Broadcast(C3));
        p = TLanes.MultiplyAdd(p, r, TLanes.Broadcast(C2));
        p = TLanes.MultiplyAdd(p, r, TLanes.Broadcast(C1));
        p = TLanes.MultiplyAdd(p, r, TLanes.Broadcast(1));
        return TLanes.Multiply(p, TLanes.PowerOfTwo(n));
    }

    /// <summary>tanh(x) = 1 - 2 / (e^2x + 1); absolute error at most 2e-7.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Tanh<TLanes, TVector>(TVector x)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        TVector one = TLanes.Broadcast(1);
        return TLanes.Subtract(one, TLanes.Divide(TLanes.Broadcast(2), TLanes.Add(Exp<TLanes, TVector>(TLanes.Add(x, x)), one)));
    }

    /// <summary>SiLU: x / (1 + e^-x), with the error of <see cref="Exp"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Silu<TLanes, TVector>(TVector x)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct =>
        TLanes.Divide(x, TLanes.Add(TLanes.Broadcast(1), Exp<TLanes, TVector>(TLanes.Subtract(TLanes.Broadcast(0), x))));
}
