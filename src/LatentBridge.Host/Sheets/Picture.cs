using LatentBridge.Imaging.Scaling;

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
        return Crop((Width - width) / 2, (Height - height) / 2, width, height);
    }

    /// <summary>Scaled until it covers that size, then its middle.</summary>
    internal Picture Cover(int width, int height)
    {
        double factor = Math.Max((double)width / Width, (double)height / Height);
        return Scale(Math.Max(width, (int)Math.Round(Width * factor)), Math.Max(height, (int)Math.Round(Height * factor))).Middle(width, height);
    }

    /// <summary>A part of it, which must lie within; all of it is this picture itself.</summary>
    internal Picture Crop(int left, int top, int width, int height)
    {
        if ((width, height) == (Width, Height))
        {
            return this;
        }

        byte[] part = new byte[3 * width * height];
        for (int y = 0; y < height; y++)
        {
            Pixels.AsSpan(3 * (((top + y) * Width) + left), 3 * width).CopyTo(part.AsSpan(3 * y * width));
        }

        return new(part, width, height);
    }

    /// <summary>All of it, brought to another size as <see cref="ImageScaling.Smooth"/> does; itself where it has that size.</summary>
    internal Picture Scale(int width, int height)
    {
        if ((width, height) == (Width, Height))
        {
            return this;
        }

        byte[] scaled = new byte[3 * width * height];
        new ImageScaler().Scale(Pixels, Width, Height, scaled, width, height, ImageScaling.Smooth);
        return new(scaled, width, height);
    }
}
