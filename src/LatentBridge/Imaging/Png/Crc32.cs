using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using ArmCrc32 = System.Runtime.Intrinsics.Arm.Crc32;

namespace LatentBridge.Imaging.Png;

/// <summary>The CRC of PNG chunks (ISO 3309): reflected polynomial 0xEDB88320, initial and final value inverted.</summary>
/// <remarks>
/// Carry-less multiplication folds the message: 128 bits that stand D bits before other 128 bits may be replaced by <c>low * (x^(D+32)
/// mod P) + high * (x^(D-32) mod P)</c> added onto those (Gopal and others, "Fast CRC computation using PCLMULQDQ", Intel 2009). In the
/// reflected order of this CRC the constants are reflected too and one bit further left. What remains in the end, 16 bytes, goes
/// through the table.
/// </remarks>
static class Crc32
{
    const uint Polynomial = 0xEDB88320;

    static readonly uint[] Table = MakeTable();

    /// <summary>Folding onto what stands 1, 4 and 16 vectors of 128 bits behind.</summary>
    static readonly Vector128<ulong> FoldBy1 = FoldConstants(128), FoldBy4 = FoldConstants(512), FoldBy16 = FoldConstants(2048);

    /// <summary>The CRC of everything so far (0 at the start) with <paramref name="bytes"/> behind it.</summary>
    public static uint Append(uint crc, ReadOnlySpan<byte> bytes)
    {
        if (Pclmulqdq.IsSupported && bytes.Length >= 64)
        {
            return AppendFolded(crc, bytes, wide: Pclmulqdq.V512.IsSupported && Vector512.IsHardwareAccelerated);
        }

        return ArmCrc32.Arm64.IsSupported ? AppendArm(crc, bytes) : AppendScalar(crc, bytes);
    }

    /// <summary>The reference: a table, a byte at a time.</summary>
    public static uint AppendScalar(uint crc, ReadOnlySpan<byte> bytes)
    {
        uint[] table = Table;
        crc = ~crc;
        foreach (byte b in bytes)
        {
            crc = (crc >> 8) ^ table[(byte)(crc ^ b)];
        }

        return ~crc;
    }

    /// <summary>
    /// By folding; needs 64 bytes at least. <paramref name="wide"/>: 4 x 512 bits at a time where there are as many, else 4 x 128.
    /// </summary>
    public static uint AppendFolded(uint crc, ReadOnlySpan<byte> bytes, bool wide)
    {
        Vector128<ulong> start = Vector128.CreateScalar(~crc).AsUInt64();
        Vector128<ulong> a, b, c, d;
        if (wide && bytes.Length >= 256)
        {
            ref byte first = ref MemoryMarshal.GetReference(bytes);
            Vector512<ulong> k = Vector512.Create(Vector256.Create(FoldBy16, FoldBy16), Vector256.Create(FoldBy16, FoldBy16));
            Vector512<ulong> w0 = Load512(ref first, 0) ^ start.ToVector256Unsafe().ToVector512Unsafe().WithUpper(Vector256<ulong>.Zero);
            Vector512<ulong> w1 = Load512(ref first, 64), w2 = Load512(ref first, 128), w3 = Load512(ref first, 192);
            int at = 256;
            for (; at + 256 <= bytes.Length; at += 256)
            {
                w0 = Fold(w0, k) ^ Load512(ref first, at);
                w1 = Fold(w1, k) ^ Load512(ref first, at + 64);
                w2 = Fold(w2, k) ^ Load512(ref first, at + 128);
                w3 = Fold(w3, k) ^ Load512(ref first, at + 192);
            }

            bytes = bytes[at..];
            k = Vector512.Create(Vector256.Create(FoldBy4, FoldBy4), Vector256.Create(FoldBy4, FoldBy4));
            w3 ^= Fold(w2 ^ Fold(w1 ^ Fold(w0, k), k), k);
            (a, b, c, d) = (w3.GetLower().GetLower(), w3.GetLower().GetUpper(), w3.GetUpper().GetLower(), w3.GetUpper().GetUpper());
        }
        else
        {
            (a, b, c, d) = (Load(bytes) ^ start, Load(bytes[16..]), Load(bytes[32..]), Load(bytes[48..]));
            bytes = bytes[64..];
        }

        while (bytes.Length >= 64)
        {
            a = Fold(a, FoldBy4) ^ Load(bytes);
            b = Fold(b, FoldBy4) ^ Load(bytes[16..]);
            c = Fold(c, FoldBy4) ^ Load(bytes[32..]);
            d = Fold(d, FoldBy4) ^ Load(bytes[48..]);
            bytes = bytes[64..];
        }

        d ^= Fold(c ^ Fold(b ^ Fold(a, FoldBy1), FoldBy1), FoldBy1);
        while (bytes.Length >= 16)
        {
            d = Fold(d, FoldBy1) ^ Load(bytes);
            bytes = bytes[16..];
        }

        // 128 bits that are congruent to all that was read: their CRC with an initial value of zero is its CRC.
        Span<byte> rest = stackalloc byte[16];
        d.AsByte().CopyTo(rest);
        return AppendScalar(AppendScalar(~0u, rest), bytes);
    }

    static uint AppendArm(uint crc, ReadOnlySpan<byte> bytes)
    {
        crc = ~crc;
        for (; bytes.Length >= 8; bytes = bytes[8..])
        {
            crc = ArmCrc32.Arm64.ComputeCrc32(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        }

        foreach (byte b in bytes)
        {
            crc = ArmCrc32.ComputeCrc32(crc, b);
        }

        return ~crc;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<ulong> Fold(Vector128<ulong> v, Vector128<ulong> k)
    {
        return Pclmulqdq.CarrylessMultiply(v, k, 0x00) ^ Pclmulqdq.CarrylessMultiply(v, k, 0x11);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<ulong> Fold(Vector512<ulong> v, Vector512<ulong> k)
    {
        return Pclmulqdq.V512.CarrylessMultiply(v, k, 0x00) ^ Pclmulqdq.V512.CarrylessMultiply(v, k, 0x11);
    }

    static Vector128<ulong> Load(ReadOnlySpan<byte> bytes) => Vector128.Create(bytes).AsUInt64();

    static Vector512<ulong> Load512(ref byte first, int at) => Vector512.LoadUnsafe(ref first, (nuint)at).AsUInt64();

    static uint[] MakeTable()
    {
        var table = new uint[256];
        for (uint i = 0; i < 256; i++)
        {
            table[i] = TimesX(i, 8);
        }

        return table;
    }

    static Vector128<ulong> FoldConstants(int distance) =>
        Vector128.Create((ulong)TimesX(0x80000000, distance + 32) << 1, (ulong)TimesX(0x80000000, distance - 32) << 1);

    /// <summary>A reflected polynomial (bit 31 is x^0) times x^<paramref name="power"/>, modulo P.</summary>
    static uint TimesX(uint polynomial, int power)
    {
        for (; power > 0; power--)
        {
            polynomial = (polynomial >> 1) ^ (Polynomial & (0 - (polynomial & 1)));
        }

        return polynomial;
    }
}
