using System.Runtime.Intrinsics;

namespace LatentBridge.Simd;

/// <summary>
/// The vector operations a kernel written once for all widths needs. <c>Kernel&lt;Lanes512, Vector512&lt;float&gt;&gt;</c> and its
/// narrower sisters are compiled apart, each as if written by hand.
/// </summary>
/// <typeparam name="TVector">The vector: <see cref="Vector128{T}"/>, <see cref="Vector256{T}"/> or <see cref="Vector512{T}"/> of float.</typeparam>
interface ILanes<TVector>
    where TVector : struct
{
    /// <summary>Floats in a vector.</summary>
    static abstract int Count { get; }

    /// <summary>The same number in every lane.</summary>
    static abstract TVector Broadcast(float value);

    /// <summary>Reads <see cref="Count"/> floats; no alignment asked.</summary>
    static abstract TVector Load(ref readonly float source);

    /// <summary>Writes <see cref="Count"/> floats; no alignment asked.</summary>
    static abstract void Store(TVector vector, ref float destination);

    /// <summary>a + b</summary>
    static abstract TVector Add(TVector a, TVector b);

    /// <summary>a - b</summary>
    static abstract TVector Subtract(TVector a, TVector b);

    /// <summary>a x b</summary>
    static abstract TVector Multiply(TVector a, TVector b);

    /// <summary>a / b</summary>
    static abstract TVector Divide(TVector a, TVector b);

    /// <summary>The larger of each two lanes.</summary>
    static abstract TVector Max(TVector a, TVector b);

    /// <summary>The smaller of each two lanes.</summary>
    static abstract TVector Min(TVector a, TVector b);

    /// <summary>a x b + c, rounded once where the processor has it fused, else twice.</summary>
    static abstract TVector MultiplyAdd(TVector a, TVector b, TVector c);

    /// <summary>2 to the power of a whole number from -126 to 127.</summary>
    static abstract TVector PowerOfTwo(TVector wholeNumber);

    /// <summary>Rounds to the nearest whole number, halves to even.</summary>
    static abstract TVector Round(TVector value);

    /// <summary>All lanes added up: the upper half to the lower, until one is left.</summary>
    static abstract float Sum(TVector vector);
}
