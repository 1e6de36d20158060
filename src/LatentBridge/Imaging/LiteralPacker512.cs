using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace LatentBridge.Imaging;

/// <summary>Huffman-codes 64 literals at once with AVX-512 (BW, VBMI). What it writes equals one literal after the other.</summary>
/// <remarks>
/// Design notes. <c>vpermi2b</c> looks up 64 bytes in a table of 128 in one instruction; code and length of a literal take three tables of 256.
/// The codes, at most 14 bits, are then joined in pairs: in a lane that holds two codes side by side, the lower one moves up against the upper one,
/// and both move down together, which leaves them adjacent at the bottom:
/// <code>
/// 32-bit lane   | code 1 | code 0 |   16-bit shift of the lower half by 16 - length 0, then 32-bit shift right by the same
/// 64-bit lane   | pair 1 | pair 0 |   likewise, by 32 - length
/// </code>
/// Two such groups of four are joined to one of eight, in order of the literals, when no group of eight has more than 57 bits; a rare block where
/// one has is appended in groups of four. Eight groups then start at the sum of the lengths before them (prefix sum). Each is shifted to its place
/// within a byte, takes over the bits of the byte that it shares with the group before, and is stored with 8 bytes; the next overwrites what lies behind
/// its end. A group has 8 bits at least, so that it shares bytes with its two neighbours only. No group waits for the one before: only the sum of
/// lengths goes from block to block.
/// </remarks>
static unsafe class LiteralPacker512
{
    const int MostAppended = 57;

    public static bool IsSupported => Avx512Vbmi.IsSupported && Avx512BW.IsSupported && Bmi2.X64.IsSupported;

    /// <summary>Appends <paramref name="blocks"/> times 64 literals to the bits of a <see cref="DeflateWriter"/>.</summary>
    public static void Pack(byte* tables, byte* literals, int blocks, ref byte* position, ref ulong bits, ref int count)
    {
        Vector512<byte> code0 = Vector512.Load(tables), code1 = Vector512.Load(tables + 64);
        Vector512<byte> code2 = Vector512.Load(tables + 128), code3 = Vector512.Load(tables + 192);
        Vector512<byte> high0 = Vector512.Load(tables + 256), high1 = Vector512.Load(tables + 320);
        Vector512<byte> high2 = Vector512.Load(tables + 384), high3 = Vector512.Load(tables + 448);
        Vector512<byte> length0 = Vector512.Load(tables + 512), length1 = Vector512.Load(tables + 576);
        Vector512<byte> length2 = Vector512.Load(tables + 640), length3 = Vector512.Load(tables + 704);

        byte* at = position;
        ulong filled = (ulong)count;
        Vector512<ulong> carry = Vector512.Create(bits);         // its lane 7 counts: the bits of the byte begun
        ulong* groups = stackalloc ulong[8];
        ulong* starts = stackalloc ulong[8];

        for (byte* end = literals + (blocks * 64); literals < end; literals += 64)
        {
            Vector512<byte> v = Vector512.Load(literals);
            Vector512<byte> upper = Vector512.GreaterThanOrEqual(v, Vector512.Create((byte)0x80));
            Vector512<byte> code = LookUp(v, upper, code0, code1, code2, code3);
            Vector512<byte> high = LookUp(v, upper, high0, high1, high2, high3);
            Vector512<byte> length = LookUp(v, upper, length0, length1, length2, length3);

            // Groups of four. In each 128 bits: literals 0-3 and 4-7 from the lower half, 8-11 and 12-15 from the upper half.
            Vector512<ulong> quadsLow = JoinQuads(Avx512BW.UnpackLow(code, high).AsUInt16(), Avx512BW.UnpackLow(length, Vector512<byte>.Zero).AsUInt16(), out Vector512<ulong> bitsLow);
            Vector512<ulong> quadsHigh = JoinQuads(Avx512BW.UnpackHigh(code, high).AsUInt16(), Avx512BW.UnpackHigh(length, Vector512<byte>.Zero).AsUInt16(), out Vector512<ulong> bitsHigh);

            // Groups of eight: lane i has literals 8i to 8i + 7.
            Vector512<ulong> even = Avx512F.UnpackLow(quadsLow, quadsHigh), odd = Avx512F.UnpackHigh(quadsLow, quadsHigh);
            Vector512<ulong> evenBits = Avx512F.UnpackLow(bitsLow, bitsHigh);
            Vector512<ulong> lengths = evenBits + Avx512F.UnpackHigh(bitsLow, bitsHigh);
            if (Vector512.GreaterThanAny(lengths, Vector512.Create((ulong)MostAppended)))
            {
                AppendQuads(even, odd, evenBits, lengths, ref at, ref carry, ref filled);
                continue;
            }

            Vector512<ulong> octets = even | Avx512F.ShiftLeftLogicalVariable(odd, evenBits);

            // Ends and starts of the groups, counted in bits from the byte that is begun.
            Vector512<ulong> ends = lengths + Up(lengths, 1);
            ends += Up(ends, 2);
            ends += Up(ends, 4);
            Vector512<ulong> first = Vector512.Create(filled);
            ends += first;
            Vector512<ulong> begins = ends - lengths;

            octets = Avx512F.ShiftLeftLogicalVariable(octets, begins & Vector512.Create(7ul));
            Vector512<ulong> beginBytes = begins >>> 3;
            Vector512<ulong> bitsOfWholeBytes = ((ends >>> 3) - beginBytes) << 3;
            Vector512<ulong> over = Avx512F.ShiftRightLogicalVariable(octets, bitsOfWholeBytes);     // a shift by 64 gives 0
            octets |= Avx512F.AlignRight64(over, carry, 7);
            carry = over;

            octets.Store(groups);
            beginBytes.Store(starts);
            for (int i = 0; i < 8; i++)
            {
                *(ulong*)(at + starts[i]) = groups[i];
            }

            ulong total = ends.GetElement(7);
            at += total >> 3;
            filled = total & 7;
        }

        position = at;
        bits = carry.GetElement(7);
        count = (int)filled;
    }

    static Vector512<byte> LookUp(Vector512<byte> v, Vector512<byte> upper, Vector512<byte> t0, Vector512<byte> t1, Vector512<byte> t2, Vector512<byte> t3)
    {
        return Vector512.ConditionalSelect(upper, Avx512Vbmi.PermuteVar64x8x2(t2, v, t3), Avx512Vbmi.PermuteVar64x8x2(t0, v, t1));
    }

    static Vector512<ulong> JoinQuads(Vector512<ushort> codes, Vector512<ushort> lengths, out Vector512<ulong> sums)
    {
        // 16 to 32 bits.
        Vector512<uint> pairLengths = Avx512BW.MultiplyAddAdjacent(lengths.AsInt16(), Vector512<short>.One).AsUInt32();
        Vector512<uint> up = Vector512.Create(16u) - (lengths.AsUInt32() & Vector512.Create(0xFFFFu));
        Vector512<uint> pairs = Avx512BW.ShiftLeftLogicalVariable(codes, up.AsUInt16()).AsUInt32();
        pairs = Avx512F.ShiftRightLogicalVariable(pairs, up);

        // 32 to 64 bits.
        Vector512<ulong> lower = pairLengths.AsUInt64() & Vector512.Create(0xFFFFFFFFul);
        sums = lower + (pairLengths.AsUInt64() >>> 32);
        Vector512<ulong> up64 = Vector512.Create(32ul) - lower;
        Vector512<ulong> quads = Avx512F.ShiftLeftLogicalVariable(pairs, up64.AsUInt32()).AsUInt64();
        return Avx512F.ShiftRightLogicalVariable(quads, up64);
    }

    /// <summary>Lane i of the result is lane i - <paramref name="lanes"/>, or zero.</summary>
    static Vector512<ulong> Up(Vector512<ulong> v, byte lanes) => lanes switch
    {
        1 => Avx512F.AlignRight64(v, Vector512<ulong>.Zero, 7),
        2 => Avx512F.AlignRight64(v, Vector512<ulong>.Zero, 6),
        _ => Avx512F.AlignRight64(v, Vector512<ulong>.Zero, 4),
    };

    /// <summary>The rare block: sixteen groups of four literals, at most 56 bits each, one after the other.</summary>
    static void AppendQuads(Vector512<ulong> even, Vector512<ulong> odd, Vector512<ulong> evenBits, Vector512<ulong> lengths, ref byte* at, ref Vector512<ulong> carry, ref ulong filled)
    {
        ulong* groups = stackalloc ulong[16];
        ulong* counts = stackalloc ulong[16];
        even.Store(groups);
        odd.Store(groups + 8);
        evenBits.Store(counts);
        (lengths - evenBits).Store(counts + 8);
        ulong bits = carry.GetElement(7);
        ulong count = filled;
        for (int i = 0; i < 16; i++)
        {
            int group = (i >> 1) + ((i & 1) << 3);
            bits |= groups[group] << (int)count;
            count += counts[group];
            *(ulong*)at = bits;
            at += count >> 3;
            bits >>= (int)(count & ~7ul);
            count &= 7;
        }

        carry = Vector512.Create(bits);
        filled = count;
    }
}
