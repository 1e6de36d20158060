using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace LatentBridge.Imaging.Png;

/// <summary>64 bytes at a time: AVX-512BW.</summary>
readonly unsafe struct ByteLanes512 : IByteLanes<Vector512<byte>>
{
    public static int Count => 64;

    public static Vector512<byte> Zero => Vector512<byte>.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> Load(byte* source) => Vector512.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector512<byte> value, byte* destination) => value.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> Create(byte value) => Vector512.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> Add(Vector512<byte> a, Vector512<byte> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> Subtract(Vector512<byte> a, Vector512<byte> b) => a - b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> SubtractSaturate(Vector512<byte> a, Vector512<byte> b) => Vector512.SubtractSaturate(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> Min(Vector512<byte> a, Vector512<byte> b) => Vector512.Min(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> Max(Vector512<byte> a, Vector512<byte> b) => Vector512.Max(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> And(Vector512<byte> a, Vector512<byte> b) => a & b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> Xor(Vector512<byte> a, Vector512<byte> b) => a ^ b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> Half(Vector512<byte> a) => (a.AsUInt16() >>> 1).AsByte() & Vector512.Create((byte)0x7F);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> IfNotLess(Vector512<byte> a, Vector512<byte> b, Vector512<byte> yes, Vector512<byte> no)
    {
        return Vector512.ConditionalSelect(Vector512.GreaterThanOrEqual(a, b), yes, no);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> AbsoluteSigned(Vector512<byte> a) => Vector512.Abs(a.AsSByte()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> AddBytes(Vector512<byte> sums, Vector512<byte> a)
    {
        if (Avx512BW.IsSupported)
        {
            return (sums.AsUInt32() + Avx512BW.SumAbsoluteDifferences(a, Vector512<byte>.Zero).AsUInt32()).AsByte();
        }

        return AddWide(sums, Vector512.WidenLower(a) + Vector512.WidenUpper(a));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> AddProducts(Vector512<byte> sums, Vector512<byte> a, Vector512<byte> weights)
    {
        if (Avx512BW.IsSupported)
        {
            Vector512<short> pairs = Avx512BW.MultiplyAddAdjacent(a, weights.AsSByte());
            return (sums.AsInt32() + Avx512BW.MultiplyAddAdjacent(pairs, Vector512.Create((short)1))).AsByte();
        }

        return AddWide(
            sums,
            (Vector512.WidenLower(a) * Vector512.WidenLower(weights)) + (Vector512.WidenUpper(a) * Vector512.WidenUpper(weights)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> Add32(Vector512<byte> a, Vector512<byte> b) => (a.AsUInt32() + b.AsUInt32()).AsByte();

    public static uint Total(Vector512<byte> sums) => Vector512.Sum(sums.AsUInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong ZeroMask64(byte* source)
    {
        return Vector512.Equals(Vector512.Load(source), Vector512<byte>.Zero).ExtractMostSignificantBits();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<byte> AddWide(Vector512<byte> sums, Vector512<ushort> words)
    {
        return (sums.AsUInt32() + Vector512.WidenLower(words) + Vector512.WidenUpper(words)).AsByte();
    }
}
