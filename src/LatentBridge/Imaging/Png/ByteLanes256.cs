using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace LatentBridge.Imaging.Png;

/// <summary>32 bytes at a time: AVX2.</summary>
readonly unsafe struct ByteLanes256 : IByteLanes<Vector256<byte>>
{
    public static int Count => 32;

    public static Vector256<byte> Zero => Vector256<byte>.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Load(byte* source) => Vector256.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector256<byte> value, byte* destination) => value.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Create(byte value) => Vector256.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Add(Vector256<byte> a, Vector256<byte> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Subtract(Vector256<byte> a, Vector256<byte> b) => a - b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> SubtractSaturate(Vector256<byte> a, Vector256<byte> b) => Vector256.SubtractSaturate(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Min(Vector256<byte> a, Vector256<byte> b) => Vector256.Min(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Max(Vector256<byte> a, Vector256<byte> b) => Vector256.Max(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> And(Vector256<byte> a, Vector256<byte> b) => a & b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Xor(Vector256<byte> a, Vector256<byte> b) => a ^ b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Half(Vector256<byte> a) => (a.AsUInt16() >>> 1).AsByte() & Vector256.Create((byte)0x7F);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> IfNotLess(Vector256<byte> a, Vector256<byte> b, Vector256<byte> yes, Vector256<byte> no)
    {
        return Vector256.ConditionalSelect(Vector256.Equals(Vector256.Max(a, b), a), yes, no);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> AbsoluteSigned(Vector256<byte> a) => Vector256.Abs(a.AsSByte()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> AddBytes(Vector256<byte> sums, Vector256<byte> a)
    {
        if (Avx2.IsSupported)
        {
            return (sums.AsUInt32() + Avx2.SumAbsoluteDifferences(a, Vector256<byte>.Zero).AsUInt32()).AsByte();
        }

        return AddWide(sums, Vector256.WidenLower(a) + Vector256.WidenUpper(a));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> AddProducts(Vector256<byte> sums, Vector256<byte> a, Vector256<byte> weights)
    {
        if (Avx2.IsSupported)
        {
            Vector256<short> pairs = Avx2.MultiplyAddAdjacent(a, weights.AsSByte());
            return (sums.AsInt32() + Avx2.MultiplyAddAdjacent(pairs, Vector256.Create((short)1))).AsByte();
        }

        return AddWide(
            sums,
            (Vector256.WidenLower(a) * Vector256.WidenLower(weights)) + (Vector256.WidenUpper(a) * Vector256.WidenUpper(weights)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Add32(Vector256<byte> a, Vector256<byte> b) => (a.AsUInt32() + b.AsUInt32()).AsByte();

    public static uint Total(Vector256<byte> sums) => Vector256.Sum(sums.AsUInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong ZeroMask64(byte* source)
    {
        ulong low = Vector256.Equals(Vector256.Load(source), Vector256<byte>.Zero).ExtractMostSignificantBits();
        ulong high = Vector256.Equals(Vector256.Load(source + 32), Vector256<byte>.Zero).ExtractMostSignificantBits();
        return low | (high << 32);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector256<byte> AddWide(Vector256<byte> sums, Vector256<ushort> words)
    {
        return (sums.AsUInt32() + Vector256.WidenLower(words) + Vector256.WidenUpper(words)).AsByte();
    }
}
