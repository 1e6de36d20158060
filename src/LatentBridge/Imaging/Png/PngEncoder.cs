using System.Buffers.Binary;
using System.Runtime.InteropServices;
using LatentBridge.Simd;

namespace LatentBridge.Imaging.Png;

/// <summary>Turns 8-bit grey or RGB pixels into PNG bytes that every decoder reads.</summary>
/// <remarks>
/// An instance owns its scratch memory, some rows: reuse it, one thread at a time. After the first picture of a size nothing is allocated.
/// The bytes are the same on every processor.
/// <para>
/// Design notes. A preview's bytes are made once and read once, on one machine: speed counts before size. Each row is filtered by the
/// cheapest of four predictors (<see cref="PngFilter"/>), runs of zeros become matches (<see cref="ZeroRuns"/>), and all is written as
/// one deflate block whose Huffman code comes from a sample of the picture (<see cref="DeflateCode"/>), so that rows go from pixels to
/// bits while they are in the first-level cache. What does not get smaller, noise and pictures of a few pixels, is stored.
/// </para>
/// </remarks>
public sealed unsafe class PngEncoder
{
    const int HeaderLength = 13, ChunkFrame = 12, ZlibFrame = 6, StoredFrame = 5, LongestStored = 65535;

    /// <summary>Where the zlib stream begins: signature, IHDR, length and type of IDAT.</summary>
    const int DataOffset = PngChunks.SignatureLength + ChunkFrame + HeaderLength + 8;

    /// <summary>Checksum of IDAT, and IEND.</summary>
    const int EndLength = 4 + ChunkFrame;

    /// <summary>
    /// Bytes that a row may need at most beside two for each of its own: the head of the block, a word behind the last bit.
    /// </summary>
    const int Slack = 1024;

    /// <summary>
    /// The Huffman code is made from an eighth of the picture, but no fewer and no more bytes than this, in pieces of rows.
    /// </summary>
    const int ShortestSample = 4096, LongestSample = 16384, PieceLength = 512;

    readonly KernelWidth _width;
    readonly DeflateCode _code = new();
    byte[] _rows = [];
    byte[] _file = [];

    /// <summary>Makes an encoder; it has no settings.</summary>
    public PngEncoder()
        : this(Kernel.Width)
    {
    }

    internal PngEncoder(KernelWidth width) => _width = width;

    /// <summary>The most bytes a picture of this size can take; a destination this long is always enough, and the fastest.</summary>
    /// <param name="width">Pixels, 1 or more.</param>
    /// <param name="height">Rows, 1 or more.</param>
    /// <param name="channels">1 for grey, 3 for RGB.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is not positive, channels are not 1 or 3, or the picture would not fit 2
    /// GiB.</exception>
    public static int MaximumLength(int width, int height, int channels)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        if (channels is not (1 or 3))
        {
            throw new ArgumentOutOfRangeException(nameof(channels), channels, "PNG pictures here have 1 channel (grey) or 3 (RGB).");
        }

        long row = 1 + ((long)width * channels);
        if (row > int.MaxValue || DataOffset + StoredLength(row * height) + EndLength + (2 * row) + Slack > Array.MaxLength)
        {
            throw new ArgumentOutOfRangeException(
                nameof(width),
                $"{width}x{height} with {channels} channels is more than the 2 GiB that a PNG may take here.");
        }

        return (int)(DataOffset + StoredLength(row * height) + EndLength + (2 * row) + Slack);
    }

    /// <summary>Encodes a picture and returns the length of the file in bytes.</summary>
    /// <param name="pixels">Rows from top to bottom without padding, channels interleaved; exactly width x height x channels bytes.</param>
    /// <param name="width">Pixels, 1 or more.</param>
    /// <param name="height">Rows, 1 or more.</param>
    /// <param name="channels">1 for grey, 3 for RGB.</param>
    /// <param name="destination">Where the file goes. Bytes behind the returned length may be overwritten.</param>
    /// <returns>The length of the file. When that is more than the destination holds, the destination is left as it was
    /// and this is the length that is needed.</returns> <remarks>A destination shorter than <see cref="MaximumLength"/> is filled by
    /// way of the encoder's own memory.</remarks>
    /// <exception cref="ArgumentException">The sizes are not as described.</exception>
    public int Encode(ReadOnlySpan<byte> pixels, int width, int height, int channels, Span<byte> destination)
    {
        int most = MaximumLength(width, height, channels);
        int rowLength = width * channels;
        if (pixels.Length != (long)rowLength * height)
        {
            throw new ArgumentException(
                $"{width}x{height} with {channels} channels is {(long)rowLength * height} bytes, not {pixels.Length}.",
                nameof(pixels));
        }

        if (destination.Length < most)
        {
            if (_file.Length < most)
            {
                _file = GC.AllocateUninitializedArray<byte>(most);
            }

            int length = EncodeInto(pixels, width, height, channels, _file);
            if (length <= destination.Length)
            {
                _file.AsSpan(0, length).CopyTo(destination);
            }

            return length;
        }

        return EncodeInto(pixels, width, height, channels, destination);
    }

    int EncodeInto(ReadOnlySpan<byte> pixels, int width, int height, int channels, Span<byte> file)
    {
        int rowLength = width * channels;
        PngChunks.Signature.CopyTo(file);
        Span<byte> header = file[(PngChunks.SignatureLength + 8)..];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header[4..], height);
        header[8] = 8;                                          // bits a channel
        header[9] = (byte)(channels == 1 ? 0 : 2);              // grey, RGB
        header.Slice(10, 3).Clear();                            // deflate, the five filters, not interlaced
        PngChunks.Close(file[PngChunks.SignatureLength..], "IHDR"u8, HeaderLength);

        Span<byte> chunk = file[(DataOffset - 8)..];
        Span<byte> data = chunk[8..];
        int stored = (int)StoredLength((1 + (long)rowLength) * height);
        int length = Deflate(pixels, rowLength, height, channels, data, stored);
        if (length >= stored)
        {
            length = Store(pixels, rowLength, data);
        }

        int end = PngChunks.Close(chunk, "IDAT"u8, length);
        PngChunks.Close(chunk[end..], "IEND"u8, 0);
        return DataOffset + length + EndLength;
    }

    /// <summary>
    /// The zlib stream in one Huffman-coded block; gives up, with a length of <paramref name="limit"/> or more, when it does not stay
    /// below that.
    /// </summary>
    int Deflate(ReadOnlySpan<byte> pixels, int rowLength, int height, int pixel, Span<byte> destination, int limit)
    {
        int stride = PngFilter.RoundUp(rowLength) + PngFilter.Margin;
        byte* prior = Rows(stride), current = prior + stride, filtered = current + stride;
        ClearRows(stride);
        Sample(pixels, rowLength, height, pixel, prior, current, filtered);
        _code.Build();

        ClearRows(stride);
        fixed (byte* start = destination)
        {
            byte* giveUp = start + limit;
            WriteZlibHead(destination);
            var writer = new DeflateWriter(_code, _width, start + 2);
            _code.WriteHead(ref writer);
            uint adler = Adler32.Start;
            for (int y = 0; y < height && writer.Position < giveUp; y++)
            {
                pixels.Slice(y * rowLength, rowLength).CopyTo(new Span<byte>(current, rowLength));
                PngFilterKind kind = PngFilter.Choose(_width, current, prior, pixel, rowLength);
                PngFilter.Apply(_width, kind, current, prior, filtered, pixel, rowLength);
                adler = Adler32.Append(_width, Adler32.Append(adler, (byte)kind), filtered, rowLength);
                writer.Symbol((int)kind);
                ZeroRuns.Split(_width, filtered, rowLength, ref writer);
                byte* swap = prior;
                prior = current;
                current = swap;
            }

            writer.Symbol(DeflateCode.EndOfBlock);
            writer.Align();
            int length = (int)(writer.Position - start);
            BinaryPrimitives.WriteUInt32BigEndian(destination[length..], adler);
            return length + 4;
        }
    }

    /// <summary>Counts the symbols of pieces spread over the picture: every so many rows one, each time farther right.</summary>
    void Sample(ReadOnlySpan<byte> pixels, int rowLength, int height, int pixel, byte* prior, byte* current, byte* filtered)
    {
        _code.Counts.Clear();
        var counter = new SymbolCounter(_code.Counts);
        int piece = Math.Min(rowLength, PieceLength);
        int pieces = Math.Clamp(Math.Clamp(pixels.Length / 8, ShortestSample, LongestSample) / piece, 1, height);
        for (int i = 0; i < pieces; i++)
        {
            int y = (int)((((2L * i) + 1) * height) / (2 * pieces));
            int x = (int)((i * 0x9E3779B1L) % (rowLength - piece + 1)) / pixel * pixel;
            CopyPiece(pixels, rowLength, y, x, piece, pixel, current);
            CopyPiece(pixels, rowLength, y - 1, x, piece, pixel, prior);
            PngFilterKind kind = PngFilter.Choose(_width, current, prior, pixel, piece);
            PngFilter.Apply(_width, kind, current, prior, filtered, pixel, piece);
            counter.Symbol((int)kind);
            ZeroRuns.Split(_width, filtered, piece, ref counter);
        }

        counter.Symbol(DeflateCode.EndOfBlock);
    }

    /// <summary>Copies a piece of a row with the pixel before it; zeros stand for what lies outside the picture.</summary>
    static void CopyPiece(ReadOnlySpan<byte> pixels, int rowLength, int y, int x, int piece, int pixel, byte* row)
    {
        new Span<byte>(row - pixel, pixel + PngFilter.RoundUp(piece)).Clear();
        if (y >= 0)
        {
            int before = Math.Min(pixel, x);
            pixels.Slice((y * rowLength) + x - before, before + piece).CopyTo(new Span<byte>(row - before, before + piece));
        }
    }

    /// <summary>The zlib stream in stored blocks, unfiltered.</summary>
    static int Store(ReadOnlySpan<byte> pixels, int rowLength, Span<byte> destination)
    {
        WriteZlibHead(destination);
        int raw = pixels.Length + (pixels.Length / rowLength);
        int at = 2, column = 0;
        uint adler = Adler32.Start;
        ReadOnlySpan<byte> left = pixels;
        while (raw > 0)
        {
            int block = Math.Min(raw, LongestStored);
            raw -= block;
            destination[at] = (byte)(raw == 0 ? 1 : 0);
            BinaryPrimitives.WriteUInt16LittleEndian(destination[(at + 1)..], (ushort)block);
            BinaryPrimitives.WriteUInt16LittleEndian(destination[(at + 3)..], (ushort)~block);
            at += StoredFrame;
            while (block > 0)
            {
                if (column == 0)
                {
                    destination[at++] = (byte)PngFilterKind.None;
                    adler = Adler32.Append(adler, (byte)PngFilterKind.None);
                    block--;
                    column = rowLength;
                }

                int count = Math.Min(block, column);
                left[..count].CopyTo(destination[at..]);
                adler = Adler32.AppendScalar(adler, left[..count]);
                left = left[count..];
                at += count;
                block -= count;
                column -= count;
            }
        }

        BinaryPrimitives.WriteUInt32BigEndian(destination[at..], adler);
        return at + 4;
    }

    static long StoredLength(long raw) => ZlibFrame + raw + (StoredFrame * ((raw + LongestStored - 1) / LongestStored));

    /// <summary>Deflate with a window of 32 KiB, fastest level; a multiple of 31.</summary>
    static void WriteZlibHead(Span<byte> destination)
    {
        destination[0] = 0x78;
        destination[1] = 0x01;
    }

    /// <summary>Three rows, each with a margin before it and one behind the last; aligned to vectors.</summary>
    byte* Rows(int stride)
    {
        int length = (3 * stride) + (3 * PngFilter.Margin);
        if (_rows.Length < length)
        {
            _rows = GC.AllocateUninitializedArray<byte>(length, pinned: true);
        }

        nuint address = (nuint)Marshal.UnsafeAddrOfPinnedArrayElement(_rows, 0);
        return (byte*)(((address + PngFilter.Margin - 1) & ~(nuint)(PngFilter.Margin - 1)) + PngFilter.Margin);
    }

    /// <summary>Zeros above the picture, left of it, and behind the rows.</summary>
    void ClearRows(int stride) => _rows.AsSpan(0, (3 * stride) + (3 * PngFilter.Margin)).Clear();
}
