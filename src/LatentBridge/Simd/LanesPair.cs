using System.Runtime.CompilerServices;

namespace LatentBridge.Simd;

/// <summary>Two vectors of neighbouring lanes.</summary>
readonly struct Pair<TVector>(TVector first, TVector second)
    where TVector : struct
{
    public readonly TVector First = first;
    public readonly TVector Second = second;
}

/// <summary>Two vectors at a time; a pair of pairs is four.</summary>
/// <remarks>
/// A kernel written for a vector is with pairs the same kernel with a larger tile: a broadcast number serves two multiply-adds, and twice as many of them
/// are under way, which do not wait for each other. The compiler keeps each vector of a pair in a register of its own (seen in the disassembly).
/// </remarks>
readonly struct LanesPair<TLanes, TVector> : IRgbLanes<Pair<TVector>>
    where TLanes : struct, IRgbLanes<TVector>
    where TVector : struct
{
    public static int Count => 2 * TLanes.Count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Pair<TVector> Broadcast(float value)
    {
        TVector vector = TLanes.Broadcast(value);
        return new(vector, vector);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Pair<TVector> Load(ref readonly float source) => new(TLanes.Load(in source), TLanes.Load(in Unsafe.Add(ref Unsafe.AsRef(in source), TLanes.Count)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Pair<TVector> vector, ref float destination)
    {
        TLanes.Store(vector.First, ref destination);
        TLanes.Store(vector.Second, ref Unsafe.Add(ref destination, TLanes.Count));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Pair<TVector> Add(Pair<TVector> a, Pair<TVector> b) => new(TLanes.Add(a.First, b.First), TLanes.Add(a.Second, b.Second));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Pair<TVector> Subtract(Pair<TVector> a, Pair<TVector> b) => new(TLanes.Subtract(a.First, b.First), TLanes.Subtract(a.Second, b.Second));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Pair<TVector> Multiply(Pair<TVector> a, Pair<TVector> b) => new(TLanes.Multiply(a.First, b.First), TLanes.Multiply(a.Second, b.Second));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Pair<TVector> Divide(Pair<TVector> a, Pair<TVector> b) => new(TLanes.Divide(a.First, b.First), TLanes.Divide(a.Second, b.Second));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Pair<TVector> Max(Pair<TVector> a, Pair<TVector> b) => new(TLanes.Max(a.First, b.First), TLanes.Max(a.Second, b.Second));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Pair<TVector> Min(Pair<TVector> a, Pair<TVector> b) => new(TLanes.Min(a.First, b.First), TLanes.Min(a.Second, b.Second));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Pair<TVector> MultiplyAdd(Pair<TVector> a, Pair<TVector> b, Pair<TVector> c) =>
        new(TLanes.MultiplyAdd(a.First, b.First, c.First), TLanes.MultiplyAdd(a.Second, b.Second, c.Second));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Pair<TVector> PowerOfTwo(Pair<TVector> wholeNumber) => new(TLanes.PowerOfTwo(wholeNumber.First), TLanes.PowerOfTwo(wholeNumber.Second));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Pair<TVector> Round(Pair<TVector> value) => new(TLanes.Round(value.First), TLanes.Round(value.Second));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Pair<TVector> vector) => TLanes.Sum(TLanes.Add(vector.First, vector.Second));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreRgb24(Pair<TVector> red, Pair<TVector> green, Pair<TVector> blue, ref byte destination)
    {
        TLanes.StoreRgb24(red.First, green.First, blue.First, ref destination);
        TLanes.StoreRgb24(red.Second, green.Second, blue.Second, ref Unsafe.Add(ref destination, 3 * TLanes.Count));
    }
}
