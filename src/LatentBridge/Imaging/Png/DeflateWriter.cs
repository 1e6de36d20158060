using System.Runtime.CompilerServices;
using LatentBridge.Simd;

namespace LatentBridge.Imaging.Png;

/// <summary>Appends bits to memory, the first lowest. Writes up to 16 bytes behind the last bit; the caller provides the room.</summary>
unsafe struct DeflateWriter : IRunSink
{
    readonly uint* _entries;
    readonly byte* _literalTables;
    readonly bool _wide;
    byte* _position;

    /// <summary>The bits that do not fill a byte yet, and how many: 0 to 7.</summary>
    ulong _bits;
    int _count;

    public DeflateWriter(DeflateCode code, KernelWidth width, byte* position)
    {
        _entries = code.Entries;
        _literalTables = code.LiteralTables;
        _wide = width == KernelWidth.Vector512 && LiteralPacker512.IsSupported;
        _position = position;
    }

    /// <summary>Where the next byte goes.</summary>
    public readonly byte* Position => _position;

    /// <summary>Appends up to 56 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Put(ulong bits, int count)
    {
        _bits |= bits << _count;
        _count += count;
        *(ulong*)_position = _bits;
        _position += _count >> 3;
        _bits >>= _count & ~7;
        _count &= 7;
    }

    public void Symbol(int symbol)
    {
        uint entry = _entries[symbol];
        Put((ushort)entry, (int)(entry >> 16));
    }

    public void Literals(byte* bytes, int count)
    {
        if (_wide && count >= 64)
        {
            int blocks = count >> 6;
            ulong* scratch = (ulong*)(_literalTables + DeflateCode.LiteralTablesLength);
            LiteralPacker512.Pack(_literalTables, scratch, bytes, blocks, ref _position, ref _bits, ref _count);
            bytes += blocks << 6;
            count &= 63;
        }

        LiteralsScalar(bytes, count);
    }

    public void Match(int length)
    {
        uint entry = _entries[DeflateCode.MatchSymbol(length)];
        (int extraCount, uint extra) = DeflateCode.MatchExtra(length);
        int count = (int)(entry >> 16);

        // The distance, 1, is one zero bit.
        Put((ushort)entry | (extra << count), count + extraCount + 1);
    }

    /// <summary>Fills the last byte with zero bits.</summary>
    public void Align()
    {
        Put(0, (8 - _count) & 7);
    }

    /// <summary>Four literals at a time: at most 56 bits.</summary>
    void LiteralsScalar(byte* bytes, int count)
    {
        uint* entries = _entries;
        byte* position = _position;
        ulong bits = _bits;
        int filled = _count;
        byte* end = bytes + count;
        for (; bytes + 4 <= end; bytes += 4)
        {
            uint four = *(uint*)bytes;
            uint e0 = entries[(byte)four], e1 = entries[(byte)(four >> 8)], e2 = entries[(byte)(four >> 16)], e3 = entries[four >> 24];
            int n0 = (int)(e0 >> 16), n1 = (int)(e1 >> 16), n2 = (int)(e2 >> 16), n3 = (int)(e3 >> 16);
            uint low = (ushort)e0 | ((e1 & 0xFFFF) << n0);
            uint high = (ushort)e2 | ((e3 & 0xFFFF) << n2);
            bits |= (low | ((ulong)high << (n0 + n1))) << filled;
            filled += n0 + n1 + n2 + n3;
            *(ulong*)position = bits;
            position += filled >> 3;
            bits >>= filled & ~7;
            filled &= 7;
        }

        _position = position;
        _bits = bits;
        _count = filled;
        for (; bytes < end; bytes++)
        {
            Symbol(*bytes);
        }
    }
}
