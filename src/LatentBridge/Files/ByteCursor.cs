using System.Buffers.Binary;
using System.Text;

namespace LatentBridge.Files;

/// <summary>Reads a range of <see cref="TensorBytes"/> from front to back; past its end is an error, never a guess.</summary>
sealed class ByteCursor(TensorBytes bytes, long position, long end)
{
    readonly byte[] _buffer = new byte[(int)Math.Clamp(end - position, 16, 1 << 12)];
    long _bufferStart = position;
    int _bufferCount;

    /// <summary>Where messages come from.</summary>
    public TensorBytes Bytes => bytes;

    /// <summary>Offset of the next byte in <see cref="Bytes"/>.</summary>
    public long Position { get; private set; } = position;

    /// <summary>Bytes left.</summary>
    public long Remaining => end - Position;

    /// <summary>The next byte.</summary>
    public byte ReadByte() => Take(1)[0];

    /// <summary>The next two bytes, little-endian.</summary>
    public ushort ReadUInt16() => BinaryPrimitives.ReadUInt16LittleEndian(Take(2));

    /// <summary>The next four bytes, little-endian.</summary>
    public uint ReadUInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Take(4));

    /// <summary>The next eight bytes, little-endian.</summary>
    public long ReadInt64() => BinaryPrimitives.ReadInt64LittleEndian(Take(8));

    /// <summary>The next eight bytes, big-endian, as a binary64.</summary>
    public double ReadDoubleBigEndian() => BinaryPrimitives.ReadDoubleBigEndian(Take(8));

    /// <summary>The next bytes as a new array; checked against what is left before anything is allocated.</summary>
    public byte[] ReadBytes(long count)
    {
        if (Checked(count) <= _buffer.Length)
        {
            return Take((int)count).ToArray();
        }

        byte[] array = bytes.ReadArray(Position, count, long.MaxValue, "a part");
        Position += count;
        return array;
    }

    /// <summary>The next bytes as UTF-8 text.</summary>
    public string ReadText(long count) => Encoding.UTF8.GetString(ReadBytes(count));

    /// <summary>The bytes up to the next line feed, which is consumed and not part of the text.</summary>
    public string ReadLine(int maximumLength)
    {
        var line = new StringBuilder();
        for (byte next = ReadByte(); next != '\n'; next = ReadByte())
        {
            if (line.Length == maximumLength)
            {
                throw bytes.Bad($"a line of more than {maximumLength} characters at {Position}. The file is damaged or not what it seems");
            }

            line.Append((char)next);
        }

        return line.ToString();
    }

    /// <summary>Passes over bytes.</summary>
    public void Skip(long count) => Position += Checked(count);

    long Checked(long count) => count >= 0 && count <= Remaining
        ? count
        : throw bytes.Bad($"ends too early: {count} bytes wanted at {Position}, found {Remaining}. The file is cut off or damaged; copy or download it again");

    ReadOnlySpan<byte> Take(int count)
    {
        Checked(count);
        if (Position < _bufferStart || Position + count > _bufferStart + _bufferCount)
        {
            _bufferStart = Position;
            _bufferCount = (int)Math.Min(_buffer.Length, Remaining);
            bytes.Read(Position, _buffer.AsSpan(0, _bufferCount));
        }

        ReadOnlySpan<byte> taken = _buffer.AsSpan((int)(Position - _bufferStart), count);
        Position += count;
        return taken;
    }
}
