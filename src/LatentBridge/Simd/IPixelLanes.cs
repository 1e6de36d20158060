namespace LatentBridge.Simd;

/// <summary>What the per-pixel kernels need beside arithmetic: the elements of latents in, bytes of pictures out.</summary>
/// <remarks>
/// Every operation works on each lane by itself and rounds alike for every width, <see cref="LanesScalar"/> (the reference)
/// included, so that all widths give the same bits; a remainder that fills no vector is done with <see cref="LanesScalar"/>.
/// References point to the first of <see cref="ILanes{TVector}.Count"/> elements that must all exist.
/// </remarks>
interface IPixelLanes<TVector> : IRgbLanes<TVector>
    where TVector : struct
{
    /// <summary>Reads IEEE 754 binary16, exactly; NaN stays NaN, infinity infinity.</summary>
    static abstract TVector LoadF16(ref readonly ushort source);

    /// <summary>Reads bfloat16, exactly.</summary>
    static abstract TVector LoadBF16(ref readonly ushort source);

    /// <summary>Reads bytes as 0..255.</summary>
    static abstract TVector LoadBytes(ref readonly byte source);

    /// <summary>NaN becomes 0, everything else stays; adds the number of NaN and infinities.</summary>
    static abstract TVector ReplaceNaN(TVector value, ref int nonFinite);

    /// <summary>Writes a0 b0 a1 b1 and so on: twice <see cref="ILanes{TVector}.Count"/> floats.</summary>
    static abstract void StoreInterleaved(TVector a, TVector b, ref float destination);

    /// <summary>Writes bytes: each value cut to 0..255, its fraction dropped, NaN as 0.</summary>
    static abstract void StoreBytes(TVector value, ref byte destination);
}
