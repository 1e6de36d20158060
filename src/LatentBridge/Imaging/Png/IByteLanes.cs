namespace LatentBridge.Imaging.Png;

/// <summary>
/// The few byte operations the PNG kernels are written in, once for each vector width: a kernel is generic over an implementation,
/// which the JIT compiles away.
/// </summary>
/// <typeparam name="TVector">A vector of bytes.</typeparam>
unsafe interface IByteLanes<TVector>
    where TVector : struct
{
    /// <summary>Bytes in a vector.</summary>
    static abstract int Count { get; }

    static abstract TVector Zero { get; }

    static abstract TVector Load(byte* source);

    static abstract void Store(TVector value, byte* destination);

    static abstract TVector Create(byte value);

    static abstract TVector Add(TVector a, TVector b);

    static abstract TVector Subtract(TVector a, TVector b);

    /// <summary>max(a - b, 0).</summary>
    static abstract TVector SubtractSaturate(TVector a, TVector b);

    static abstract TVector Min(TVector a, TVector b);

    static abstract TVector Max(TVector a, TVector b);

    static abstract TVector And(TVector a, TVector b);

    static abstract TVector Xor(TVector a, TVector b);

    /// <summary>Each byte shifted right by one bit.</summary>
    static abstract TVector Half(TVector a);

    /// <summary>a >= b ? yes : no, lane by lane, unsigned.</summary>
    static abstract TVector IfNotLess(TVector a, TVector b, TVector yes, TVector no);

    /// <summary>|a| of the bytes read as signed; 128 for -128.</summary>
    static abstract TVector AbsoluteSigned(TVector a);

    /// <summary>
    /// Adds to each 32-bit lane of <paramref name="sums"/> bytes of <paramref name="a"/>; only the total over all lanes is defined.
    /// </summary>
    static abstract TVector AddBytes(TVector sums, TVector a);

    /// <summary>As <see cref="AddBytes"/>, with each byte multiplied by the weight (at most 64) in the same place.</summary>
    static abstract TVector AddProducts(TVector sums, TVector a, TVector weights);

    /// <summary>Adds two vectors of 32-bit lanes.</summary>
    static abstract TVector Add32(TVector a, TVector b);

    /// <summary>The total of the 32-bit lanes.</summary>
    static abstract uint Total(TVector sums);

    /// <summary>Bit i is set where byte i of the 64 at <paramref name="source"/> is zero.</summary>
    static abstract ulong ZeroMask64(byte* source);
}
