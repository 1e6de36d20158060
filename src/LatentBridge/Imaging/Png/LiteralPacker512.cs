using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace LatentBridge.Imaging.Png;

/// <summary>Huffman-codes 64 literals at once with AVX-512 (BW, VBMI). What it writes equals one literal after the other.</summary>
/// <remarks>
/// Design notes. <c>vpermi2b</c> looks up 64 bytes in a table of 128 in one instruction; code and length of a literal take three tables
/// of 256. The length is looked up as what it leaves free in 16 bits. The codes, at most 14 bits, are then joined in pairs: in a lane
/// that holds two codes side by side, the lower one moves up against the upper one, and both move down together, which leaves them
/// adjacent at the bottom:
/// <code>
/// 32-bit lane   | code 1 | code 0 |   shift the lower 16 bits up by free 0, then all 32 down by the same
/// 64-bit lane   | pair 1 | pair 0 |   likewise with 32 and 64 bits, by free 0 + free 1
/// </code>
/// Two such groups of four make one of eight, at most 112 bits, in a low and a high word. Eight groups of eight then begin at the sum
/// of the lengths before them (prefix sum). Each is shifted to its place within a byte, takes over the bits of the byte that it shares
/// with the group before, and is stored with all its 16 bytes; the next overwrites what lies behind its end. A group has 8 bits at
/// least, so it shares bytes with its two neighbours only. There is no branch, and no group waits for the one before: only the sum of
/// lengths goes from block to block. Variable shifts by 64 and more (and by negative counts) give 0; several lines rely on it.
/// </remarks>
static unsafe class LiteralPacker512
{
    public static bool IsSupported => Avx512Vbmi.IsSupported && Avx512BW.IsSupported && Bmi2.X64.IsSupported;

    /// <summary>
    /// Appends <paramref name="blocks"/> times 64 literals to the bits of a <see cref="DeflateWriter"/>; <paramref name="scratch"/> holds
    /// 256 bytes.
    /// </summary>
    public static void Pack(byte* tables, ulong* scratch, byte* literals, int blocks, ref byte* position, ref ulong bits, ref int count)
    {
        Vector512<byte> code0 = Vector512.Load(tables), code1 = Vector512.Load(tables + 64);
        Vector512<byte> code2 = Vector512.Load(tables + 128), code3 = Vector512.Load(tables + 192);
        Vector512<byte> high0 = Vector512.Load(tables + 256), high1 = Vector512.Load(tables + 320);
        Vector512<byte> high2 = Vector512.Load(tables + 384), high3 = Vector512.Load(tables + 448);
        Vector512<byte> free0 = Vector512.Load(tables + 512), free1 = Vector512.Load(tables + 576);
        Vector512<byte> free2 = Vector512.Load(tables + 640), free3 = Vector512.Load(tables + 704);

        byte* at = position;
        ulong filled = (ulong)count;
        Vector512<ulong> carry = Vector512.Create(bits);         // lane 7 counts: the bits of the byte begun
        for (byte* end = literals + (blocks * 64); literals < end; literals += 64)
        {
            Vector512<byte> v = Vector512.Load(literals);
            Vector512<byte> codeLow = LookUp(v, code0, code1, code2, code3);
            Vector512<byte> codeHigh = LookUp(v, high0, high1, high2, high3);
            Vector512<byte> free = LookUp(v, free0, free1, free2, free3);

            // Groups of four. In each 128 bits: literals 0-3 and 4-7 in the first, 8-11 and 12-15 in the second; then even and odd groups.
            Vector512<ulong> first = JoinQuads(Avx512BW.UnpackLow(codeLow, codeHigh), Avx512BW.UnpackLow(free, Vector512<byte>.Zero));
            Vector512<ulong> second = JoinQuads(Avx512BW.UnpackHigh(codeLow, codeHigh), Avx512BW.UnpackHigh(free, Vector512<byte>.Zero));
            Vector512<ulong> even = Avx512F.UnpackLow(first, second), odd = Avx512F.UnpackHigh(first, second);

            // Groups of eight: lane i has literals 8i to 8i + 7.
            Vector512<ulong> lengths = Vector512.Create(8 * 16ul) - SumOf8(free);
            Vector512<ulong> evenLengths = Vector512.Create(4 * 16ul) - SumOf8(free & Vector512.Create(0xFFFFFFFFul).AsByte());
            Vector512<ulong> low = even | Avx512F.ShiftLeftLogicalVariable(odd, evenLengths);
            Vector512<ulong> high = Avx512F.ShiftRightLogicalVariable(odd, Vector512.Create(64ul) - evenLengths);

            // Where they begin and end, in bits from the byte that is begun.
            Vector512<ulong> ends = lengths + Avx512F.AlignRight64(lengths, Vector512<ulong>.Zero, 7);      // lane i gets lane i - 1
            ends += Avx512F.AlignRight64(ends, Vector512<ulong>.Zero, 6);
            ends += Avx512F.AlignRight64(ends, Vector512<ulong>.Zero, 4);
            ulong total = filled + ends.GetElement(7);
            ends += Vector512.Create(filled);
            Vector512<ulong> begins = ends - lengths;
            Vector512<ulong> beginBytes = begins >>> 3;
            Vector512<ulong> wholeBytes = ((ends >>> 3) - beginBytes) << 3;                                  // in bits

            Vector512<ulong> within = begins & Vector512.Create(7ul);
            high = Avx512F.ShiftLeftLogicalVariable(high, within) | Avx512F.ShiftRightLogicalVariable(low, Vector512.Create(64ul) - within);
            low = Avx512F.ShiftLeftLogicalVariable(low, within);
            Vector512<ulong> over = Avx512F.ShiftRightLogicalVariable(low, wholeBytes)
                | Avx512F.ShiftRightLogicalVariable(high, wholeBytes - Vector512.Create(64ul));
            low |= Avx512F.AlignRight64(over, carry, 7);
            carry = over;

            Avx512F.UnpackLow(low, high).Store(scratch);             // groups 0 2 4 6
            Avx512F.UnpackHigh(low, high).Store(scratch + 8);        // groups 1 3 5 7
            beginBytes.Store(scratch + 16);
            Vector128.Load(scratch).Store((ulong*)(at + scratch[16]));
            Vector128.Load(scratch + 8).Store((ulong*)(at + scratch[17]));
            Vector128.Load(scratch + 2).Store((ulong*)(at + scratch[18]));
            Vector128.Load(scratch + 10).Store((ulong*)(at + scratch[19]));
            Vector128.Load(scratch + 4).Store((ulong*)(at + scratch[20]));
            Vector128.Load(scratch + 12).Store((ulong*)(at + scratch[21]));
            Vector128.Load(scratch + 6).Store((ulong*)(at + scratch[22]));
            Vector128.Load(scratch + 14).Store((ulong*)(at + scratch[23]));
            at += total >> 3;
            filled = total & 7;
        }

        position = at;
        bits = carry.GetElement(7);
        count = (int)filled;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<byte> LookUp(Vector512<byte> v, Vector512<byte> t0, Vector512<byte> t1, Vector512<byte> t2, Vector512<byte> t3)
    {
        // Bits 0 to 6 choose in a pair of tables, bit 7 chooses the pair.
        return Avx512BW.BlendVariable(Avx512Vbmi.PermuteVar64x8x2(t0, v, t1), Avx512Vbmi.PermuteVar64x8x2(t2, v, t3), v);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<ulong> SumOf8(Vector512<byte> v) => Avx512BW.SumAbsoluteDifferences(v, Vector512<byte>.Zero).AsUInt64();

    /// <summary>Joins four codes each, given in lanes of 16 bits with how many of those are free.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<ulong> JoinQuads(Vector512<byte> codes, Vector512<byte> free)
    {
        Vector512<uint> free16 = free.AsUInt32() & Vector512.Create(0xFFFFu);
        Vector512<uint> pairs = Avx512BW.ShiftLeftLogicalVariable(codes.AsUInt16(), free16.AsUInt16()).AsUInt32();
        pairs = Avx512F.ShiftRightLogicalVariable(pairs, free16);

        Vector512<ulong> freeOfPairs = Avx512BW.MultiplyAddAdjacent(free.AsInt16(), Vector512<short>.One).AsUInt64();
        Vector512<ulong> free32 = freeOfPairs & Vector512.Create(0xFFFFFFFFul);
        Vector512<ulong> quads = Avx512F.ShiftLeftLogicalVariable(pairs, free32.AsUInt32()).AsUInt64();
        return Avx512F.ShiftRightLogicalVariable(quads, free32);
    }
}
