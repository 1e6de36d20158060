using System.Buffers.Binary;
using System.IO.Compression;

namespace LatentBridge.Imaging;

/// <summary>Turns 8-bit grey or RGB pixels into PNG bytes that every decoder reads.</summary>
/// <remarks>An instance owns its scratch memory: reuse it, one thread at a time.</remarks>
public sealed class PngEncoder
{
    const int FixedLength = 8 + 12 + 13 + 12 + 12;

    byte[] _data = [];

    /// <summary>The most bytes a picture of this size can take; a destination this long is always enough.</summary>
    /// <param name="width">Pixels, 1 or more.</param>
    /// <param name="height">Rows, 1 or more.</param>
    /// <param name="channels">1 for grey, 3 for RGB.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is not positive, channels are not 1 or 3, or the picture would not fit 2 GiB.</exception>
    public static int MaximumLength(int width, int height, int channels)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        if (channels is not (1 or 3))
        {
            throw new ArgumentOutOfRangeException(nameof(channels), channels, "PNG pictures here have 1 channel (grey) or 3 (RGB).");
        }

        long row = 1 + ((long)width * channels);
        long raw = row * height;
        long stored = raw + (5 * ((raw / 65535) + 1)) + 6;
        long most = FixedLength + stored + (2 * row) + 1024;
        if (row > int.MaxValue / 4 || most > int.MaxValue)
        {
            throw new ArgumentOutOfRangeException(nameof(width), $"{width}x{height} with {channels} channels does not fit the 2 GiB a PNG may take here.");
        }

        return (int)most;
    }

    /// <summary>Encodes a picture and returns the length of the file in bytes.</summary>
    /// <param name="pixels">Rows from top to bottom without padding, channels interleaved; exactly width x height x channels bytes.</param>
    /// <param name="width">Pixels, 1 or more.</param>
    /// <param name="height">Rows, 1 or more.</param>
    /// <param name="channels">1 for grey, 3 for RGB.</param>
    /// <param name="destination">Where the file goes. Bytes behind the returned length may be overwritten.</param>
    /// <returns>The length of the file. When that is more than the destination holds, the destination's content is undefined
    /// and this is the length that is needed.</returns>
    /// <exception cref="ArgumentException">The sizes are not as described.</exception>
    public int Encode(ReadOnlySpan<byte> pixels, int width, int height, int channels, Span<byte> destination)
    {
        _ = MaximumLength(width, height, channels);
        int row = width * channels;
        if (pixels.Length != (long)row * height)
        {
            throw new ArgumentException($"{width}x{height} with {channels} channels is {(long)row * height} bytes, not {pixels.Length}.", nameof(pixels));
        }

        using var data = new MemoryStream();
        using (var zlib = new ZLibStream(data, CompressionLevel.Fastest, leaveOpen: true))
        {
            for (int y = 0; y < height; y++)
            {
                zlib.WriteByte(0);
                zlib.Write(pixels.Slice(y * row, row));
            }
        }

        using var file = new MemoryStream();
        file.Write([0x89, (byte)'P', (byte)'N', (byte)'G', 13, 10, 26, 10]);
        byte[] header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        header[8] = 8;
        header[9] = (byte)(channels == 1 ? 0 : 2);
        WriteChunk(file, "IHDR"u8, header);
        _data = data.ToArray();
        WriteChunk(file, "IDAT"u8, _data);
        WriteChunk(file, "IEND"u8, []);
        if (file.Length <= destination.Length)
        {
            file.ToArray().CopyTo(destination);
        }

        return (int)file.Length;
    }

    static void WriteChunk(MemoryStream file, ReadOnlySpan<byte> type, ReadOnlySpan<byte> content)
    {
        Span<byte> number = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, content.Length);
        file.Write(number);
        file.Write(type);
        file.Write(content);
        uint crc = Crc32.Append(Crc32.Append(0, type), content);
        BinaryPrimitives.WriteUInt32BigEndian(number, crc);
        file.Write(number);
    }
}
