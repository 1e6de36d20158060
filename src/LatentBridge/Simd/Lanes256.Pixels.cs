using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace LatentBridge.Simd;

readonly partial struct Lanes256 : IPixelLanes<Vector256<float>>
{
    // Exponent and mantissa land 13 bits higher, where the exponent counts from 127 in place of 15: 2^112 too small. The
    // multiplication mends that exactly, subnormals too. Infinity and NaN come out from 2^16 up and get their exponent set.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadF16(ref readonly ushort source)
    {
        Vector256<uint> bits = LoadUInt16(in source);
        Vector256<uint> sign = (bits & Vector256.Create(0x8000u)) << 16;
        Vector256<float> magnitude = ((bits & Vector256.Create(0x7FFFu)) << 13).AsSingle() * Vector256.Create(LanesScalar.TwoTo112);
        Vector256<uint> special = Vector256.GreaterThanOrEqual(magnitude, Vector256.Create(65536f)).AsUInt32() & Vector256.Create(0x7F800000u);
        return (magnitude.AsUInt32() | special | sign).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadBF16(ref readonly ushort source) => (LoadUInt16(in source) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadBytes(ref readonly byte source)
    {
        ulong eight = Unsafe.ReadUnaligned<ulong>(in source);
        Vector128<ushort> words = Vector128.WidenLower(Vector128.CreateScalarUnsafe(eight).AsByte());
        return Vector256.ConvertToSingle(Vector256.WidenLower(words.ToVector256Unsafe()).AsInt32());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> ReplaceNaN(Vector256<float> value, ref int nonFinite)
    {
        Vector256<uint> exponent = Vector256.Create(0x7F800000u);
        Vector256<uint> found = Vector256.Equals(value.AsUInt32() & exponent, exponent);
        if (found == Vector256<uint>.Zero)
        {
            return value;
        }

        nonFinite += BitOperations.PopCount(found.ExtractMostSignificantBits());
        return value & Vector256.Equals(value, value);
    }

    // Each float is widened to 64 bits; b goes to the upper halves.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreInterleaved(Vector256<float> a, Vector256<float> b, ref float destination)
    {
        (Vector256<ulong> a0, Vector256<ulong> a1) = Vector256.Widen(a.AsUInt32());
        (Vector256<ulong> b0, Vector256<ulong> b1) = Vector256.Widen(b.AsUInt32());
        (a0 | (b0 << 32)).AsSingle().StoreUnsafe(ref destination);
        (a1 | (b1 << 32)).AsSingle().StoreUnsafe(ref destination, 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreBytes(Vector256<float> value, ref byte destination)
    {
        Vector256<int> whole = Byte(value);
        Vector128<short> words = Vector128.Narrow(whole.GetLower(), whole.GetUpper());
        Vector128<byte> low = Vector128.Narrow(words.AsUInt16(), words.AsUInt16());
        Unsafe.WriteUnaligned(ref destination, low.AsUInt64().ToScalar());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreRgb24(Vector256<float> red, Vector256<float> green, Vector256<float> blue, ref byte destination)
    {
        Vector256<byte> pixels = (Byte(red) | (Byte(green) << 8) | (Byte(blue) << 16)).AsByte();
        Lanes128.StoreThreeOfFour(pixels.GetLower(), ref destination);
        Lanes128.StoreThreeOfFour(pixels.GetUpper(), ref Unsafe.Add(ref destination, 12));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector256<uint> LoadUInt16(ref readonly ushort source) =>
        Vector256.WidenLower(Vector128.LoadUnsafe(in source).ToVector256Unsafe());
}
