using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace LatentBridge.Imaging.Png;

/// <summary>16 bytes at a time: SSE, and with the same code Arm.</summary>
readonly unsafe struct ByteLanes128 : IByteLanes<Vector128<byte>>
{
    public static int Count => 16;

    public static Vector128<byte> Zero => Vector128<byte>.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Load(byte* source) => Vector128.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector128<byte> value, byte* destination) => value.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Create(byte value) => Vector128.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Add(Vector128<byte> a, Vector128<byte> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Subtract(Vector128<byte> a, Vector128<byte> b) => a - b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> SubtractSaturate(Vector128<byte> a, Vector128<byte> b) => Vector128.SubtractSaturate(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Min(Vector128<byte> a, Vector128<byte> b) => Vector128.Min(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Max(Vector128<byte> a, Vector128<byte> b) => Vector128.Max(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> And(Vector128<byte> a, Vector128<byte> b) => a & b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Xor(Vector128<byte> a, Vector128<byte> b) => a ^ b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Half(Vector128<byte> a) => (a.AsUInt16() >>> 1).AsByte() & Vector128.Create((byte)0x7F);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> IfNotLess(Vector128<byte> a, Vector128<byte> b, Vector128<byte> yes, Vector128<byte> no)
    {
        return Vector128.ConditionalSelect(Vector128.Equals(Vector128.Max(a, b), a), yes, no);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> AbsoluteSigned(Vector128<byte> a) => Vector128.Abs(a.AsSByte()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> AddBytes(Vector128<byte> sums, Vector128<byte> a)
    {
        if (Sse2.IsSupported)
        {
            return (sums.AsUInt32() + Sse2.SumAbsoluteDifferences(a, Vector128<byte>.Zero).AsUInt32()).AsByte();
        }

        if (AdvSimd.IsSupported)
        {
            return AdvSimd.AddPairwiseWideningAndAdd(sums.AsUInt32(), AdvSimd.AddPairwiseWidening(a)).AsByte();
        }

        return AddWide(sums, Vector128.WidenLower(a) + Vector128.WidenUpper(a));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> AddProducts(Vector128<byte> sums, Vector128<byte> a, Vector128<byte> weights)
    {
        if (Ssse3.IsSupported)
        {
            Vector128<short> pairs = Ssse3.MultiplyAddAdjacent(a, weights.AsSByte());
            return (sums.AsInt32() + Sse2.MultiplyAddAdjacent(pairs, Vector128.Create((short)1))).AsByte();
        }

        // 255 * 64 * 2 fits 16 bits.
        return AddWide(
            sums,
            (Vector128.WidenLower(a) * Vector128.WidenLower(weights)) + (Vector128.WidenUpper(a) * Vector128.WidenUpper(weights)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Add32(Vector128<byte> a, Vector128<byte> b) => (a.AsUInt32() + b.AsUInt32()).AsByte();

    public static uint Total(Vector128<byte> sums) => Vector128.Sum(sums.AsUInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong ZeroMask64(byte* source)
    {
        return Mask(source) | (Mask(source + 16) << 16) | (Mask(source + 32) << 32) | (Mask(source + 48) << 48);

        static ulong Mask(byte* at) => Vector128.Equals(Vector128.Load(at), Vector128<byte>.Zero).ExtractMostSignificantBits();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<byte> AddWide(Vector128<byte> sums, Vector128<ushort> words)
    {
        return (sums.AsUInt32() + Vector128.WidenLower(words) + Vector128.WidenUpper(words)).AsByte();
    }
}
