using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace LatentBridge.Simd;

readonly partial struct Lanes512 : IPixelLanes<Vector512<float>>
{
    // Exponent and mantissa land 13 bits higher, where the exponent counts from 127 in place of 15: 2^112 too small. The
    // multiplication mends that exactly, subnormals too. Infinity and NaN come out from 2^16 up and get their exponent set.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadF16(ref readonly ushort source)
    {
        Vector512<uint> bits = LoadUInt16(in source);
        Vector512<uint> sign = (bits & Vector512.Create(0x8000u)) << 16;
        Vector512<float> magnitude = ((bits & Vector512.Create(0x7FFFu)) << 13).AsSingle() * Vector512.Create(LanesScalar.TwoTo112);
        Vector512<uint> special = Vector512.GreaterThanOrEqual(magnitude, Vector512.Create(65536f)).AsUInt32() & Vector512.Create(0x7F800000u);
        return (magnitude.AsUInt32() | special | sign).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadBF16(ref readonly ushort source) => (LoadUInt16(in source) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadBytes(ref readonly byte source)
    {
        Vector256<ushort> words = Vector256.WidenLower(Vector128.LoadUnsafe(in source).ToVector256Unsafe());
        return Vector512.ConvertToSingle(Vector512.WidenLower(words.ToVector512Unsafe()).AsInt32());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> ReplaceNaN(Vector512<float> value, ref int nonFinite)
    {
        Vector512<uint> exponent = Vector512.Create(0x7F800000u);
        Vector512<uint> found = Vector512.Equals(value.AsUInt32() & exponent, exponent);
        if (found == Vector512<uint>.Zero)
        {
            return value;
        }

        nonFinite += BitOperations.PopCount(found.ExtractMostSignificantBits());
        return value & Vector512.Equals(value, value);
    }

    // Each float is widened to 64 bits; b goes to the upper halves.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreInterleaved(Vector512<float> a, Vector512<float> b, ref float destination)
    {
        (Vector512<ulong> a0, Vector512<ulong> a1) = Vector512.Widen(a.AsUInt32());
        (Vector512<ulong> b0, Vector512<ulong> b1) = Vector512.Widen(b.AsUInt32());
        (a0 | (b0 << 32)).AsSingle().StoreUnsafe(ref destination);
        (a1 | (b1 << 32)).AsSingle().StoreUnsafe(ref destination, 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreBytes(Vector512<float> value, ref byte destination)
    {
        Vector512<int> whole = Byte(value);
        Vector256<short> words = Vector256.Narrow(whole.GetLower(), whole.GetUpper());
        Vector128.Narrow(words.GetLower().AsUInt16(), words.GetUpper().AsUInt16()).StoreUnsafe(ref destination);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreRgb24(Vector512<float> red, Vector512<float> green, Vector512<float> blue, ref byte destination)
    {
        Vector512<byte> pixels = (Byte(red) | (Byte(green) << 8) | (Byte(blue) << 16)).AsByte();
        Lanes128.StoreThreeOfFour(pixels.GetLower().GetLower(), ref destination);
        Lanes128.StoreThreeOfFour(pixels.GetLower().GetUpper(), ref Unsafe.Add(ref destination, 12));
        Lanes128.StoreThreeOfFour(pixels.GetUpper().GetLower(), ref Unsafe.Add(ref destination, 24));
        Lanes128.StoreThreeOfFour(pixels.GetUpper().GetUpper(), ref Unsafe.Add(ref destination, 36));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<uint> LoadUInt16(ref readonly ushort source) =>
        Vector512.WidenLower(Vector256.LoadUnsafe(in source).ToVector512Unsafe());
}
