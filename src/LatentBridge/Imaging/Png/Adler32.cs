using System.Runtime.Intrinsics;
using LatentBridge.Simd;

namespace LatentBridge.Imaging.Png;

/// <summary>
/// The checksum at the end of a zlib stream (RFC 1950): s1 = 1 + the sum of the bytes, s2 = the sum of all s1, both modulo 65521.
/// </summary>
static unsafe class Adler32
{
    /// <summary>The checksum of nothing.</summary>
    public const uint Start = 1;

    const uint Modulus = 65521;

    /// <summary>Bytes between reductions: the most, in multiples of 64, for which s2 fits 32 bits (5552 without that).</summary>
    const int Stretch = 5504;

    /// <summary>The checksum with one byte more.</summary>
    public static uint Append(uint adler, byte value)
    {
        uint s1 = ((adler & 0xFFFF) + value) % Modulus;
        return s1 | ((((adler >> 16) + s1) % Modulus) << 16);
    }

    /// <summary>The checksum with <paramref name="length"/> bytes more, behind which zeros follow up to a multiple of 64.</summary>
    public static uint Append(KernelWidth width, uint adler, byte* bytes, int length) => width switch
    {
        KernelWidth.Vector512 => AppendVector<ByteLanes512, Vector512<byte>>(adler, bytes, length),
        KernelWidth.Vector256 => AppendVector<ByteLanes256, Vector256<byte>>(adler, bytes, length),
        KernelWidth.Vector128 => AppendVector<ByteLanes128, Vector128<byte>>(adler, bytes, length),
        _ => AppendScalar(adler, new ReadOnlySpan<byte>(bytes, length)),
    };

    /// <summary>The reference.</summary>
    public static uint AppendScalar(uint adler, ReadOnlySpan<byte> bytes)
    {
        uint s1 = adler & 0xFFFF, s2 = adler >> 16;
        while (!bytes.IsEmpty)
        {
            int count = Math.Min(bytes.Length, Stretch);
            for (int i = 0; i < count; i++)
            {
                s1 += bytes[i];
                s2 += s1;
            }

            s1 %= Modulus;
            s2 %= Modulus;
            bytes = bytes[count..];
        }

        return s1 | (s2 << 16);
    }

    /// <summary>
    /// Over n bytes s2 grows by n * s1 + the sum of (n - i) * byte i. Byte j of vector k has n - i = (V - j) + V * (vectors that follow),
    /// so
    /// <code>
    /// ahead += sum;  sum += v;  weighted += v * (V, V-1 ... 1)      for every vector v of V bytes
    /// s2 += n * s1 + V * total(ahead) + total(weighted) - padding * total(sum)
    /// </code>
    /// where the last term takes back what the zeros behind the end counted.
    /// </summary>
    static uint AppendVector<TLanes, TVector>(uint adler, byte* bytes, int length)
        where TLanes : struct, IByteLanes<TVector>
        where TVector : struct
    {
        TVector weights;
        fixed (byte* table = Weights)
        {
            weights = TLanes.Load(table + 64 - TLanes.Count);
        }

        ulong s1 = adler & 0xFFFF, s2 = adler >> 16;
        for (; length > 0; length -= Stretch, bytes += Stretch)
        {
            int count = Math.Min(length, Stretch);
            int padded = PngFilter.RoundUp(count);
            TVector sum = TLanes.Zero, ahead = TLanes.Zero, weighted = TLanes.Zero;
            for (int i = 0; i < padded; i += TLanes.Count)
            {
                TVector v = TLanes.Load(bytes + i);
                ahead = TLanes.Add32(ahead, sum);
                sum = TLanes.AddBytes(sum, v);
                weighted = TLanes.AddProducts(weighted, v, weights);
            }

            ulong total = TLanes.Total(sum);
            s2 += ((ulong)count * s1) + ((ulong)TLanes.Count * TLanes.Total(ahead)) + TLanes.Total(weighted);
            s2 -= (ulong)(padded - count) * total;
            s1 = (s1 + total) % Modulus;
            s2 %= Modulus;
        }

        return (uint)(s1 | (s2 << 16));
    }

    /// <summary>64, 63 ... 1: the last V of them are the weights of a vector of V bytes.</summary>
    static ReadOnlySpan<byte> Weights =>
    [
        64, 63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 36, 35, 34, 33,
        32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1,
    ];
}
