using System.Buffers.Binary;
using System.Text;

namespace LatentBridge.Imaging.Png;

/// <summary>Goes through the chunks of a PNG file: length, type, content, checksum, each checked.</summary>
ref struct PngChunks
{
    public const int SignatureLength = 8;

    ReadOnlySpan<byte> _left;

    /// <summary>Starts behind the signature.</summary>
    /// <exception cref="LatentBridgeException">It is not a PNG file.</exception>
    public PngChunks(ReadOnlySpan<byte> file)
    {
        if (!file.StartsWith(Signature))
        {
            throw new LatentBridgeException(
                $"Not a PNG file: it begins with {Convert.ToHexString(file[..Math.Min(file.Length, 8)])}, "
                + $"expected {Convert.ToHexString(Signature)}.");
        }

        _left = file[SignatureLength..];
    }

    public static ReadOnlySpan<byte> Signature => [0x89, (byte)'P', (byte)'N', (byte)'G', (byte)'\r', (byte)'\n', 0x1A, (byte)'\n'];

    /// <summary>Four letters.</summary>
    public ReadOnlySpan<byte> Type { get; private set; }

    public ReadOnlySpan<byte> Content { get; private set; }

    /// <summary>Four letters for a message.</summary>
    public readonly string Name => Encoding.Latin1.GetString(Type);

    /// <summary>Goes to the next chunk; false behind the last.</summary>
    /// <exception cref="LatentBridgeException">The file ends within a chunk, or a checksum is wrong.</exception>
    public bool Next()
    {
        if (_left.IsEmpty)
        {
            return false;
        }

        uint length = _left.Length < 12 ? uint.MaxValue : BinaryPrimitives.ReadUInt32BigEndian(_left);
        if (length > _left.Length - 12)
        {
            throw new LatentBridgeException("The PNG file is truncated: it ends within a chunk. Copy or download it again.");
        }

        Type = _left.Slice(4, 4);
        Content = _left.Slice(8, (int)length);
        uint found = BinaryPrimitives.ReadUInt32BigEndian(_left[(8 + (int)length)..]);
        uint expected = Crc32.Append(0, _left.Slice(4, 4 + (int)length));
        if (found != expected)
        {
            throw new LatentBridgeException(
                $"The PNG file is damaged: chunk {Name} has checksum {found:X8}, its content gives {expected:X8}. "
                + $"Copy or download it again.");
        }

        _left = _left[(12 + (int)length)..];
        return true;
    }

    /// <summary>
    /// Writes a chunk's length, type and checksum around content that lies at <paramref name="chunk"/> + 8; returns the length of the
    /// whole.
    /// </summary>
    public static int Close(Span<byte> chunk, ReadOnlySpan<byte> type, int length)
    {
        BinaryPrimitives.WriteInt32BigEndian(chunk, length);
        type.CopyTo(chunk[4..]);
        BinaryPrimitives.WriteUInt32BigEndian(chunk[(8 + length)..], Crc32.Append(0, chunk.Slice(4, 4 + length)));
        return 12 + length;
    }
}
