namespace LatentBridge.Host.Sheets;

/// <summary>RGB24 pixels, rows from top to bottom without padding.</summary>
/// <param name="Pixels">Exactly 3 x width x height bytes.</param>
/// <param name="Width">Pixels from left to right.</param>
/// <param name="Height">Rows.</param>
sealed record Picture(byte[] Pixels, int Width, int Height)
{
    /// <summary>The middle of it, at most so wide and so high.</summary>
    internal Picture Middle(int width, int height)
    {
        (width, height) = (Math.Min(width, Width), Math.Min(height, Height));
        (int left, int top) = ((Width - width) / 2, (Height - height) / 2);
        byte[] middle = new byte[3 * width * height];
        for (int y = 0; y < height; y++)
        {
            Pixels.AsSpan(3 * (((top + y) * Width) + left), 3 * width).CopyTo(middle.AsSpan(3 * y * width));
        }

        return new(middle, width, height);
    }
}
