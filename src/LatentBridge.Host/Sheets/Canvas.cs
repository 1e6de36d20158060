using LatentBridge.Imaging.Png;

namespace LatentBridge.Host.Sheets;

/// <summary>A picture being composed: pictures and short texts on a plain ground.</summary>
sealed class Canvas
{
    internal const int Ground = 0x16181D;
    internal const int Ink = 0xE6E8EB;
    internal const int PaleInk = 0x9AA0A9;

    readonly byte[] _pixels;

    /// <summary>Makes one, filled with <see cref="Ground"/>.</summary>
    internal Canvas(int width, int height)
    {
        (Width, Height) = (width, height);
        _pixels = new byte[3 * width * height];
        for (int i = 0; i < width * height; i++)
        {
            SetPixel(i, Ground);
        }
    }

    internal int Width { get; }

    internal int Height { get; }

    /// <summary>Draws a picture; what lies outside is cut off.</summary>
    internal void Draw(Picture picture, int left, int top)
    {
        int length = Math.Min(picture.Width, Width - left);
        for (int y = 0; y < picture.Height && top + y < Height && length > 0; y++)
        {
            picture.Pixels.AsSpan(3 * y * picture.Width, 3 * length).CopyTo(_pixels.AsSpan(3 * (((top + y) * Width) + left)));
        }
    }

    /// <summary>Writes a line of text, each dot of the font <paramref name="scale"/> pixels wide.</summary>
    internal void Write(string text, int left, int top, int scale, int colour) => PixelFont.Draw(text, (x, y) =>
    {
        for (int i = 0; i < scale * scale; i++)
        {
            int column = left + (x * scale) + (i % scale);
            int row = top + (y * scale) + (i / scale);
            if (column < Width && row < Height)
            {
                SetPixel((row * Width) + column, colour);
            }
        }
    });

    internal Picture ToPicture() => new(_pixels, Width, Height);

    /// <summary>The bytes of a PNG file.</summary>
    internal static byte[] ToPng(Picture picture)
    {
        byte[] file = new byte[PngEncoder.MaximumLength(picture.Width, picture.Height, 3)];
        return file[..new PngEncoder().Encode(picture.Pixels, picture.Width, picture.Height, 3, file)];
    }

    void SetPixel(int index, int colour)
    {
        _pixels[3 * index] = (byte)(colour >> 16);
        _pixels[(3 * index) + 1] = (byte)(colour >> 8);
        _pixels[(3 * index) + 2] = (byte)colour;
    }
}
