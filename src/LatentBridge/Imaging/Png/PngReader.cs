using System.IO.Compression;

namespace LatentBridge.Imaging.Png;

/// <summary>Reads PNG files: every depth, colour type and interlacing of the specification, reduced to 8 bits a channel.</summary>
/// <remarks>
/// Strict: every checksum counts, and what a file's data cannot hold is refused before memory is taken for it. Of an
/// animated PNG the still picture is read. Gamma and colour profiles are ignored.
/// </remarks>
static class PngReader
{
    /// <summary>Deflate makes nothing more than this many times longer.</summary>
    const long MostExpansion = 1032;

    /// <summary>Bytes of pixels that any file may become: one of few bits a pixel grows by more than deflate allows.</summary>
    const long MostOfSmallFile = 128 << 20;

    /// <summary>Reads a picture.</summary>
    /// <param name="file">The whole file.</param>
    /// <exception cref="LatentBridgeException">It is not a PNG file, is truncated or damaged, or has more than 2^28 pixels.</exception>
    public static PngImage Read(ReadOnlySpan<byte> file)
    {
        var chunks = new PngChunks(file);
        if (!chunks.Next() || !chunks.Type.SequenceEqual("IHDR"u8))
        {
            throw new LatentBridgeException("The PNG file is damaged: it does not begin with IHDR.");
        }

        PngHeader header = PngHeader.Parse(chunks.Content);
        byte[]? palette = null, transparency = null;
        using var data = new MemoryStream();
        bool ended = false;
        while (!ended && chunks.Next())
        {
            if (chunks.Type.SequenceEqual("IDAT"u8))
            {
                data.Write(chunks.Content);
            }
            else if (chunks.Type.SequenceEqual("PLTE"u8))
            {
                palette = chunks.Content.ToArray();
            }
            else if (chunks.Type.SequenceEqual("tRNS"u8))
            {
                transparency = chunks.Content.ToArray();
            }
            else if (chunks.Type.SequenceEqual("IEND"u8))
            {
                ended = true;
            }
            else if ((chunks.Type[0] & 0x20) == 0)
            {
                throw new LatentBridgeException(
                    $"The PNG file has a critical chunk {chunks.Name} that this reader does not know. Save it again as an ordinary PNG.");
            }
        }

        if (!ended || data.Length == 0)
        {
            throw new LatentBridgeException(
                $"The PNG file is truncated: it has no {(ended ? "IDAT" : "IEND")}. Copy or download it again.");
        }

        if (header.RowLength(header.Width) * (long)header.Height > (data.Length + 64) * MostExpansion)
        {
            throw new LatentBridgeException(
                $"The PNG file says it has {header.Width}x{header.Height} pixels, but its {data.Length} bytes of data cannot hold them.");
        }

        data.Position = 0;
        try
        {
            using var zlib = new ZLibStream(data, CompressionMode.Decompress);
            return ReadPixels(zlib, data.Length, header, new PngPixels(header, palette, transparency));
        }
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            throw new LatentBridgeException("The PNG file is damaged: its compressed data cannot be read. Copy or download it again.", e);
        }
    }

    static PngImage ReadPixels(ZLibStream zlib, long dataLength, PngHeader header, PngPixels pixels)
    {
        long length = header.Width * (long)header.Height * pixels.Channels;
        if (length > Math.Max(MostOfSmallFile, (dataLength + 64) * MostExpansion))
        {
            throw new LatentBridgeException(
                $"The PNG file has {dataLength} bytes of data and would take {length} as pixels; at most {MostOfSmallFile} are accepted of so small a file. Save it with 8 bits a channel.");
        }

        var picture = new byte[length];
        ReadOnlySpan<(int X, int Y, int StepX, int StepY)> passes = header.Interlaced
            ? [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
            : [(0, 0, 1, 1)];
        foreach ((int left, int top, int stepX, int stepY) in passes)
        {
            int width = (header.Width - left + stepX - 1) / stepX;
            if (width > 0)
            {
                ReadPass(zlib, header, pixels, picture, width, left, top, stepX, stepY);
            }
        }

        // The checksum is verified when the end is reached; data behind the pixels is nobody's.
        _ = zlib.ReadByte();
        return new PngImage(header.Width, header.Height, pixels.Channels, picture);
    }

    static void ReadPass(
        ZLibStream zlib, PngHeader header, PngPixels pixels, byte[] picture, int width, int left, int top, int stepX, int stepY)
    {
        int rowLength = header.RowLength(width);
        int pixel = Math.Max(1, header.BitsPerPixel / 8);
        byte[] current = new byte[1 + rowLength], prior = new byte[1 + rowLength];
        for (int y = top; y < header.Height; y += stepY)
        {
            if (zlib.ReadAtLeast(current, current.Length, throwOnEndOfStream: false) < current.Length)
            {
                throw new LatentBridgeException(
                    $"The PNG file is truncated: its data ends at row {y} of {header.Height}. Copy or download it again.");
            }

            Unfilter(current[0], current.AsSpan(1), prior.AsSpan(1), pixel);
            long row = (long)y * header.Width;
            pixels.Expand(current.AsSpan(1), width, picture.AsSpan(), (int)((row + left) * pixels.Channels), stepX * pixels.Channels);
            (current, prior) = (prior, current);
        }
    }

    static void Unfilter(byte kind, Span<byte> row, ReadOnlySpan<byte> prior, int pixel)
    {
        if (kind > (byte)PngFilterKind.Paeth)
        {
            throw new LatentBridgeException($"The PNG file is damaged: a row has filter {kind}, the specification knows 0 to 4.");
        }

        for (int i = 0; kind != 0 && i < row.Length; i++)
        {
            byte a = i < pixel ? (byte)0 : row[i - pixel], c = i < pixel ? (byte)0 : prior[i - pixel];
            row[i] += PngFilter.Predict((PngFilterKind)kind, a, prior[i], c);
        }
    }
}
