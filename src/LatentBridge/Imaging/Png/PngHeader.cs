using System.Buffers.Binary;

namespace LatentBridge.Imaging.Png;

/// <summary>The content of IHDR, checked.</summary>
readonly record struct PngHeader(int Width, int Height, int Depth, PngColorType ColorType, bool Interlaced)
{
    /// <summary>More pixels than this are refused: 16384 x 16384.</summary>
    public const long MostPixels = 1 << 28;

    /// <summary>Samples a pixel as the file stores it.</summary>
    public int Samples => ColorType switch
    {
        PngColorType.Rgb => 3,
        PngColorType.GreyAlpha => 2,
        PngColorType.Rgba => 4,
        _ => 1,
    };

    public int BitsPerPixel => Samples * Depth;

    /// <summary>Bytes of a row of <paramref name="width"/> pixels, without its filter.</summary>
    public int RowLength(int width) => (int)((((long)width * BitsPerPixel) + 7) / 8);

    public static PngHeader Parse(ReadOnlySpan<byte> content)
    {
        if (content.Length != 13)
        {
            throw new LatentBridgeException($"The PNG file is damaged: IHDR has {content.Length} bytes, expected 13.");
        }

        uint width = BinaryPrimitives.ReadUInt32BigEndian(content), height = BinaryPrimitives.ReadUInt32BigEndian(content[4..]);
        if (width == 0 || height == 0 || width > int.MaxValue || height > int.MaxValue || (long)width * height > MostPixels)
        {
            throw new LatentBridgeException(
                $"The PNG file says it has {width}x{height} pixels; 1 to {MostPixels} pixels can be read. Make it smaller first.");
        }

        int depth = content[8], color = content[9];
        bool known = color switch
        {
            0 => depth is 1 or 2 or 4 or 8 or 16,
            3 => depth is 1 or 2 or 4 or 8,
            2 or 4 or 6 => depth is 8 or 16,
            _ => false,
        };
        if (!known || content[10] != 0 || content[11] != 0 || content[12] > 1)
        {
            throw new LatentBridgeException(
                $"The PNG file's IHDR has depth {depth}, colour type {color}, compression {content[10]}, filter {content[11]}, "
                + $"interlace {content[12]}; the PNG specification knows no such kind.");
        }

        return new PngHeader((int)width, (int)height, depth, (PngColorType)color, content[12] == 1);
    }
}

/// <summary>What the samples of a PNG file mean.</summary>
enum PngColorType
{
    Grey = 0,
    Rgb = 2,
    Palette = 3,
    GreyAlpha = 4,
    Rgba = 6,
}
