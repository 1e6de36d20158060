using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace LatentBridge.Imaging.Png;

/// <summary>One dynamic Huffman code of deflate (RFC 1951, 3.2.7) for literals and match lengths, made from a sample of the data.</summary>
/// <remarks>
/// Design notes. No code is longer than 14 bits, so that four literals fit the 56 bits that can be appended at once, whatever they are.
/// Every symbol gets a code, also one that the sample lacks. The lengths of the codes are sent plainly, 4 bits each: that costs some 70
/// bytes a picture against coding them as well as possible, and saves a second Huffman code.
/// </remarks>
sealed unsafe class DeflateCode
{
    /// <summary>Literals 0 to 255, end of block, 29 classes of match lengths.</summary>
    public const int SymbolCount = 286;

    public const int EndOfBlock = 256;

    public const int LongestCode = 14;

    public const int LongestMatch = 258;

    public const int LiteralTablesLength = 3 * 256;

    /// <summary>How much more a symbol counts that the sample has, than one that it has not.</summary>
    const uint SampleWeight = 16;

    readonly uint[] _counts = new uint[SymbolCount];
    readonly ulong[] _order = new ulong[SymbolCount];
    readonly uint[] _tree = new uint[SymbolCount];
    readonly byte[] _lengths = new byte[SymbolCount];
    readonly byte[] _tables = GC.AllocateArray<byte>(64 + LiteralTablesLength + 256 + (SymbolCount * 4), pinned: true);

    /// <summary>How often each symbol was seen.</summary>
    public Span<uint> Counts => _counts;

    /// <summary>
    /// Three tables of 256 bytes, by literal: bits 0 to 7 of the code, bits 8 to 13, 16 - its length. On a multiple of 64, with 256 bytes
    /// of scratch memory behind them.
    /// </summary>
    public byte* LiteralTables => (byte*)(((nuint)Marshal.UnsafeAddrOfPinnedArrayElement(_tables, 0) + 63) & ~(nuint)63);

    /// <summary>For each symbol: its code, first bit lowest, and from bit 16 on its length.</summary>
    public uint* Entries => (uint*)(LiteralTables + LiteralTablesLength + 256);

    /// <summary>The symbol of a match length, 3 to 258.</summary>
    public static int MatchSymbol(int length) => 257 + MatchClasses[length - 3];

    /// <summary>The bits that follow the symbol of a match length: how many, and their value.</summary>
    public static (int Count, uint Value) MatchExtra(int length)
    {
        int symbol = MatchClasses[length - 3];
        int count = symbol is < 8 or 28 ? 0 : (symbol >> 2) - 1;
        return (count, (uint)(length - 3) & ((1u << count) - 1));
    }

    /// <summary>Makes the code from <see cref="Counts"/>.</summary>
    public void Build()
    {
        SortByCount();
        Span<int> ofLength = stackalloc int[LongestCode + 1];
        ofLength.Clear();
        MeasureDepths(ofLength);
        Limit(ofLength);

        // The rarest symbols come first in the order and get the longest codes.
        int symbol = 0;
        for (int length = LongestCode; length > 0; length--)
        {
            for (int i = 0; i < ofLength[length]; i++)
            {
                _lengths[(int)(_order[symbol++] & 0x1FF)] = (byte)length;
            }
        }

        AssignCodes(ofLength);
    }

    /// <summary>Writes the head of the last block of a stream: its kind and this code.</summary>
    public void WriteHead(ref DeflateWriter writer)
    {
        const int AlphabetCount = 19;
        writer.Put(0b101, 3);                                    // last block, dynamic codes
        writer.Put((SymbolCount - 257) | ((2 - 1) << 5) | ((AlphabetCount - 4) << 10), 14);

        // The code for the code lengths, in the order 16 17 18 0 8 7 ...: the three that repeat are absent, the lengths 0 to 15 have 4
        // bits each.
        for (int i = 0; i < AlphabetCount; i++)
        {
            writer.Put(i < 3 ? 0u : 4u, 3);
        }

        foreach (byte length in _lengths)
        {
            writer.Put(Reverse(length, 4), 4);
        }

        // Two distances of one bit each make a complete code: 0 is distance 1, the only one used.
        writer.Put(Reverse(1, 4), 4);
        writer.Put(Reverse(1, 4), 4);
    }

    void SortByCount()
    {
        for (int i = 0; i < SymbolCount; i++)
        {
            _order[i] = ((((ulong)_counts[i] * SampleWeight) + 1) << 9) | (uint)i;
        }

        _order.AsSpan().Sort();
    }

    /// <summary>
    /// The depths of the leaves of a Huffman tree over the sorted counts, in place (Moffat and Katajainen, "In-place calculation of
    /// minimum-redundancy codes", 1995). Deeper ones than allowed count as deepest.
    /// </summary>
    void MeasureDepths(Span<int> ofLength)
    {
        uint[] tree = _tree;
        for (int i = 0; i < SymbolCount; i++)
        {
            tree[i] = (uint)Math.Min(_order[i] >> 9, uint.MaxValue / (2 * SymbolCount));
        }

        // Join the two lightest, of leaves and earlier joins: joins take the place of leaves that are done, and then point at their parent.
        int leaf = 2, root = 0;
        tree[0] += tree[1];
        for (int next = 1; next < SymbolCount - 1; next++)
        {
            tree[next] = TakeLightest(next);
            tree[next] += TakeLightest(next);
        }

        // From the root down: depths of the joins, then how many leaves each depth leaves over.
        tree[SymbolCount - 2] = 0;
        for (int next = SymbolCount - 3; next >= 0; next--)
        {
            tree[next] = tree[tree[next]] + 1;
        }

        int available = 1, join = SymbolCount - 2;
        for (int depth = 0; available > 0; depth++)
        {
            int used = 0;
            while (join >= 0 && tree[join] == depth)
            {
                used++;
                join--;
            }

            ofLength[Math.Min(depth, LongestCode)] += available - used;
            available = 2 * used;
        }

        uint TakeLightest(int next)
        {
            if (leaf >= SymbolCount || (root < next && tree[root] < tree[leaf]))
            {
                uint weight = tree[root];
                tree[root++] = (uint)next;
                return weight;
            }

            return tree[leaf++];
        }
    }

    /// <summary>
    /// Mends a code whose too deep leaves were raised: until the sum of 2^-length is 1 again, a leaf above moves down and takes one of
    /// the deepest beside it.
    /// </summary>
    static void Limit(Span<int> ofLength)
    {
        int sum = 0;
        for (int length = 1; length <= LongestCode; length++)
        {
            sum += ofLength[length] << (LongestCode - length);
        }

        for (; sum > 1 << LongestCode; sum--)
        {
            int length = LongestCode - 1;
            while (ofLength[length] == 0)
            {
                length--;
            }

            ofLength[length]--;
            ofLength[length + 1] += 2;
            ofLength[LongestCode]--;
        }
    }

    void AssignCodes(ReadOnlySpan<int> ofLength)
    {
        Span<uint> next = stackalloc uint[LongestCode + 1];
        next.Clear();
        for (int length = 2; length <= LongestCode; length++)
        {
            next[length] = (next[length - 1] + (uint)ofLength[length - 1]) << 1;
        }

        uint* entries = Entries;
        byte* literals = LiteralTables;
        for (int i = 0; i < SymbolCount; i++)
        {
            int length = _lengths[i];
            uint code = Reverse(next[length]++, length);
            entries[i] = code | ((uint)length << 16);
            if (i < 256)
            {
                literals[i] = (byte)code;
                literals[256 + i] = (byte)(code >> 8);
                literals[512 + i] = (byte)(16 - length);
            }
        }
    }

    /// <summary>
    /// The lowest <paramref name="length"/> bits in reverse: deflate sends codes from their highest bit on, all else from the lowest.
    /// </summary>
    static uint Reverse(uint bits, int length)
    {
        bits = ((bits & 0x5555) << 1) | ((bits >> 1) & 0x5555);
        bits = ((bits & 0x3333) << 2) | ((bits >> 2) & 0x3333);
        bits = ((bits & 0x0F0F) << 4) | ((bits >> 4) & 0x0F0F);
        return (uint)BinaryPrimitives.ReverseEndianness((ushort)bits) >> (16 - length);
    }

    static byte[] MatchClasses { get; } = MakeMatchClasses();

    /// <summary>RFC 1951, 3.2.5: lengths 3 to 10 have a symbol each; then every four symbols a bit more follows; 258 has its own.</summary>
    static byte[] MakeMatchClasses()
    {
        var classes = new byte[LongestMatch - 2];
        for (int i = 0; i < classes.Length; i++)
        {
            int extra = Math.Max(0, int.Log2(i | 1) - 2);
            classes[i] = (byte)((extra << 2) + (i >> extra));
        }

        classes[^1] = 28;
        return classes;
    }
}
