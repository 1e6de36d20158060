namespace LatentBridge.Imaging;

/// <summary>Puts pictures of one size side by side, row by row, without gaps.</summary>
static class ImageGrid
{
    /// <summary>Columns and rows for so many pictures, near a square: round(sqrt(count)) rows, as A1111 does; 2 lie beside each other.</summary>
    public static (int Columns, int Rows) Layout(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        int rows = (int)Math.Round(Math.Sqrt(count));
        return ((count + rows - 1) / rows, rows);
    }

    /// <summary>Copies an RGB24 picture into its place in the grid.</summary>
    /// <param name="tile">The picture, rows without padding.</param>
    /// <param name="width">Its width in pixels.</param>
    /// <param name="height">Its height in pixels.</param>
    /// <param name="grid">The whole grid, <paramref name="columns"/> x <paramref name="width"/> pixels wide.</param>
    /// <param name="columns">Pictures in a row.</param>
    /// <param name="index">Which place, 0-based, from the top left, row by row.</param>
    public static void Place(ReadOnlySpan<byte> tile, int width, int height, Span<byte> grid, int columns, int index)
    {
        int tileRow = 3 * width;
        int gridRow = tileRow * columns;
        int start = (index / columns * height * gridRow) + (index % columns * tileRow);
        for (int y = 0; y < height; y++)
        {
            tile.Slice(y * tileRow, tileRow).CopyTo(grid.Slice(start + (y * gridRow), tileRow));
        }
    }
}
