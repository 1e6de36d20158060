using System.Buffers.Binary;

namespace LatentBridge.Imaging.Png;

/// <summary>How a picture is to be turned before it is shown, as EXIF says: 1 as it is, 2 to 8 mirrored and turned.</summary>
static class PngOrientation
{
    const int OrientationTag = 0x0112;

    /// <summary>The orientation in the <c>eXIf</c> chunk of a PNG file; 1 when there is none.</summary>
    /// <exception cref="LatentBridgeException">It is not a PNG file, or damaged.</exception>
    public static int Of(ReadOnlySpan<byte> file)
    {
        var chunks = new PngChunks(file);
        while (chunks.Next())
        {
            if (chunks.Type.SequenceEqual("eXIf"u8))
            {
                return OfExif(chunks.Content);
            }
        }

        return 1;
    }

    /// <summary>The picture, turned.</summary>
    public static PngImage Turn(PngImage image, int orientation)
    {
        if (orientation is < 2 or > 8)
        {
            return image;
        }

        bool swaps = orientation >= 5;
        (int width, int height, int channels) = (swaps ? image.Height : image.Width, swaps ? image.Width : image.Height, image.Channels);
        byte[] turned = new byte[image.Pixels.Length];
        for (int y = 0; y < height; y++)
        {
            for (int x = 0; x < width; x++)
            {
                (int fromX, int fromY) = swaps ? (y, x) : (x, y);
                if (orientation is 2 or 3 or 7 or 8)
                {
                    fromX = image.Width - 1 - fromX;
                }

                if (orientation is 3 or 4 or 6 or 7)
                {
                    fromY = image.Height - 1 - fromY;
                }

                image.Pixels.AsSpan(((fromY * image.Width) + fromX) * channels, channels).CopyTo(turned.AsSpan(((y * width) + x) * channels));
            }
        }

        return new(width, height, channels, turned);
    }

    // A TIFF head, then the first directory: entries of tag, type, count and value, 12 bytes each.
    static int OfExif(ReadOnlySpan<byte> exif)
    {
        bool big = exif.StartsWith("MM"u8);
        if (exif.Length < 8 || (!big && !exif.StartsWith("II"u8)))
        {
            return 1;
        }

        uint offset = big ? BinaryPrimitives.ReadUInt32BigEndian(exif[4..]) : BinaryPrimitives.ReadUInt32LittleEndian(exif[4..]);
        if (offset > exif.Length - 2)
        {
            return 1;
        }

        int count = Word(exif[(int)offset..]);
        for (int i = 0; i < count && offset + 14 + (12L * i) <= exif.Length; i++)
        {
            ReadOnlySpan<byte> entry = exif[((int)offset + 2 + (12 * i))..];
            if (Word(entry) == OrientationTag)
            {
                return Word(entry[8..]) is >= 1 and <= 8 and var found ? found : 1;
            }
        }

        return 1;

        int Word(ReadOnlySpan<byte> at) => big ? BinaryPrimitives.ReadUInt16BigEndian(at) : BinaryPrimitives.ReadUInt16LittleEndian(at);
    }
}
