namespace LatentBridge.Simd;

/// <summary>What a kernel that makes colours of floats needs.</summary>
interface IRgbLanes<TVector> : ILanes<TVector>
    where TVector : struct
{
    /// <summary>
    /// Writes pixels r0 g0 b0 r1 g1 b1 and so on, each value cut to 0..255, its fraction dropped, NaN as 0: 3 x
    /// <see cref="ILanes{TVector}.Count"/> bytes and, but for <see cref="LanesScalar"/>, 4 more zeros.
    /// </summary>
    static abstract void StoreRgb24(TVector red, TVector green, TVector blue, ref byte destination);
}
