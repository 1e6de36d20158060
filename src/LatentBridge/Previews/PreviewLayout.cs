using LatentBridge.Decoders;
using LatentBridge.Imaging;

namespace LatentBridge.Previews;

/// <summary>The sizes on the way from a decoder's picture to the one that is shown.</summary>
readonly record struct PreviewLayout(int DecodedWidth, int DecodedHeight, int TileWidth, int TileHeight, int Columns, int Rows)
{
    public int Width => TileWidth * Columns;

    public int Height => TileHeight * Rows;

    public int ByteLength => 3 * Width * Height;

    public bool IsScaled => TileWidth != DecodedWidth || TileHeight != DecodedHeight;

    /// <exception cref="LatentBridgeException">A picture would be too large.</exception>
    public static PreviewLayout Of(DecoderDescription decoder, int planeHeight, int planeWidth, int items, PreviewOptions options)
    {
        Limit(decoder.PixelsPerCell * (long)planeWidth, decoder.PixelsPerCell * (long)planeHeight, decoder.Id);
        (int width, int height) = decoder.OutputSize(planeHeight, planeWidth);
        (int columns, int rows) = ImageGrid.Layout(items);
        (int tileWidth, int tileHeight) = (width, height);
        if (options.Size > 0)
        {
            int longest = Math.Min(options.Size, PreviewOptions.MaximumSize);
            int widest = Math.Max(1, longest / columns);
            int highest = Math.Max(1, longest / rows);
            (tileWidth, tileHeight) = (long)width * highest > (long)height * widest
                ? (widest, InProportion(height, width, widest))
                : (InProportion(width, height, highest), highest);
        }

        Limit((long)tileWidth * columns, (long)tileHeight * rows, decoder.Id);
        return new PreviewLayout(width, height, tileWidth, tileHeight, columns, rows);
    }

    /// <summary>The same for strips of sound, which are drawn in the size that is shown.</summary>
    public static PreviewLayout OfStrips(int items, PreviewOptions options)
    {
        int longest = options.Size > 0 ? Math.Min(options.Size, PreviewOptions.MaximumSize) : SoundStrip.UsualSide;
        (int columns, int rows) = ImageGrid.Layout(items);
        int width = Math.Max(1, longest / columns);
        int height = Math.Min(SoundStrip.HeightOf(width), Math.Max(1, longest / rows));
        return new PreviewLayout(width, height, width, height, columns, rows);
    }

    /// <summary>The sides of a picture whose longer side is to be at most <paramref name="longest"/>; 0: as it is.</summary>
    public static (int Width, int Height) Within(int width, int height, int longest) =>
        longest == 0 || Math.Max(width, height) <= longest ? (width, height)
        : width >= height ? (longest, InProportion(height, width, longest))
        : (InProportion(width, height, longest), longest);

    static int InProportion(int side, int other, int newOther) => Math.Max(1, (int)(((2L * side * newOther) + other) / (2L * other)));

    static void Limit(long width, long height, string decoder)
    {
        if (width > Array.MaxLength / 3 || height > Array.MaxLength / 3 || 3 * width * height > Array.MaxLength)
        {
            throw new LatentBridgeException($"A picture of {width} x {height} pixels by the decoder {decoder} is too large; at most 2 GB are supported. Show one item instead of a grid, or name a size.");
        }
    }
}
