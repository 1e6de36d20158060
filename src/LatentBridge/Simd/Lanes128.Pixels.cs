using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace LatentBridge.Simd;

readonly partial struct Lanes128 : IPixelLanes<Vector128<float>>
{
    // Exponent and mantissa land 13 bits higher, where the exponent counts from 127 in place of 15: 2^112 too small. The
    // multiplication mends that exactly, subnormals too. Infinity and NaN come out from 2^16 up and get their exponent set.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> LoadF16(ref readonly ushort source)
    {
        Vector128<uint> bits = LoadUInt16(in source);
        Vector128<uint> sign = (bits & Vector128.Create(0x8000u)) << 16;
        Vector128<float> magnitude = ((bits & Vector128.Create(0x7FFFu)) << 13).AsSingle() * Vector128.Create(LanesScalar.TwoTo112);
        Vector128<uint> special = Vector128.GreaterThanOrEqual(magnitude, Vector128.Create(65536f)).AsUInt32() & Vector128.Create(0x7F800000u);
        return (magnitude.AsUInt32() | special | sign).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> LoadBF16(ref readonly ushort source) => (LoadUInt16(in source) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> LoadBytes(ref readonly byte source)
    {
        uint four = Unsafe.ReadUnaligned<uint>(in source);
        Vector128<ushort> words = Vector128.WidenLower(Vector128.CreateScalarUnsafe(four).AsByte());
        return Vector128.ConvertToSingle(Vector128.WidenLower(words).AsInt32());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> ReplaceNaN(Vector128<float> value, ref int nonFinite)
    {
        Vector128<uint> exponent = Vector128.Create(0x7F800000u);
        Vector128<uint> found = Vector128.Equals(value.AsUInt32() & exponent, exponent);
        if (found == Vector128<uint>.Zero)
        {
            return value;
        }

        nonFinite += BitOperations.PopCount(found.ExtractMostSignificantBits());
        return value & Vector128.Equals(value, value);
    }

    // Each float is widened to 64 bits; b goes to the upper halves.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreInterleaved(Vector128<float> a, Vector128<float> b, ref float destination)
    {
        (Vector128<ulong> a0, Vector128<ulong> a1) = Vector128.Widen(a.AsUInt32());
        (Vector128<ulong> b0, Vector128<ulong> b1) = Vector128.Widen(b.AsUInt32());
        (a0 | (b0 << 32)).AsSingle().StoreUnsafe(ref destination);
        (a1 | (b1 << 32)).AsSingle().StoreUnsafe(ref destination, 4);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreBytes(Vector128<float> value, ref byte destination)
    {
        Vector128<int> whole = Byte(value);
        Vector128<short> words = Vector128.Narrow(whole, whole);
        Vector128<byte> low = Vector128.Narrow(words.AsUInt16(), words.AsUInt16());
        Unsafe.WriteUnaligned(ref destination, low.AsUInt32().ToScalar());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreRgb24(Vector128<float> red, Vector128<float> green, Vector128<float> blue, ref byte destination)
    {
        Vector128<byte> pixels = (Byte(red) | (Byte(green) << 8) | (Byte(blue) << 16)).AsByte();
        StoreThreeOfFour(pixels, ref destination);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<uint> LoadUInt16(ref readonly ushort source) =>
        Vector128.WidenLower(Vector128.CreateScalarUnsafe(Unsafe.ReadUnaligned<ulong>(in Unsafe.As<ushort, byte>(ref Unsafe.AsRef(in source)))).AsUInt16());

    /// <summary>Four times r g b 0 becomes r g b r g b r g b r g b: 12 bytes and 4 zeros.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void StoreThreeOfFour(Vector128<byte> pixels, ref byte destination) =>
        Vector128.Shuffle(pixels, Vector128.Create((byte)0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 255, 255, 255, 255)).StoreUnsafe(ref destination);
}
