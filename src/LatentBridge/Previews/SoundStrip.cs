namespace LatentBridge.Previews;

/// <summary>Draws a latent of sound: channels from top to bottom, seconds from left to right, and an axis with the time below.</summary>
/// <remarks>
/// Black is 0, orange above it, blue below; three times the root mean square of what is drawn is the full colour, the same for all channels.
/// Where there are more cells than pixels, a pixel has their mean. Reuses its memory.
/// </remarks>
sealed class SoundStrip
{
    /// <summary>Longest side where nobody names one.</summary>
    public const int UsualSide = 512;

    const double Reach = 3;

    /// <summary>Pixels of the picture's height below which there is no axis.</summary>
    const int LeastHeight = 40;

    const int GlyphWidth = 3, GlyphHeight = 5, Margin = 3, Colon = 10, MostGlyphs = 7;
    const byte Background = 24, Ink = 200;

    /// <summary>Seconds between two marks; those of them with room for their label.</summary>
    static readonly int[] Steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 3600];

    /// <summary>0 to 9 and the colon, a row of three pixels in each digit.</summary>
    static readonly string[] Glyphs = ["75557", "26227", "71747", "71717", "55711", "74717", "74757", "71222", "75757", "75717", "02020"];

    float[] _means = [];

    /// <summary>Height of a strip of this width.</summary>
    public static int HeightOf(int width) => Math.Max(1, width * 3 / 8);

    /// <param name="values">Rows of cells, one after the other.</param>
    /// <param name="rows">How many there are.</param>
    /// <param name="stride">Values from one row to the next.</param>
    /// <param name="cells">Cells of a row.</param>
    /// <param name="cellsPerSecond">How many of them are a second.</param>
    /// <param name="width">Of the picture in pixels.</param>
    /// <param name="height">The same.</param>
    /// <param name="picture">RGB24.</param>
    /// <param name="cancellation">Looked at for each row.</param>
    public void Draw(
        ReadOnlySpan<float> values, int rows, int stride, int cells, double cellsPerSecond, int width, int height, Span<byte> picture, CancellationToken cancellation)
    {
        int size = width >= UsualSide / 2 ? 2 : 1;
        int axis = height >= LeastHeight ? (GlyphHeight * size) + (2 * Margin) : 0;
        DrawCells(values, rows, stride, cells, width, height - axis, picture, cancellation);
        if (axis > 0)
        {
            DrawAxis(cells / cellsPerSecond, width, size, picture[(3 * width * (height - axis))..]);
        }
    }

    void DrawCells(ReadOnlySpan<float> values, int rows, int stride, int cells, int width, int height, Span<byte> picture, CancellationToken cancellation)
    {
        int bands = Math.Min(rows, height);
        if (_means.Length < bands * width)
        {
            _means = GC.AllocateUninitializedArray<float>(bands * width);
        }

        double squares = 0;
        for (int band = 0; band < bands; band++)
        {
            cancellation.ThrowIfCancellationRequested();
            (int top, int bottom) = Part(band, bands, rows);
            for (int x = 0; x < width; x++)
            {
                (int from, int to) = Part(x, width, cells);
                double sum = 0;
                for (int row = top; row < bottom; row++)
                {
                    foreach (float value in values.Slice((row * stride) + from, to - from))
                    {
                        sum += value;
                    }
                }

                double mean = sum / ((bottom - top) * (to - from));
                _means[(band * width) + x] = (float)mean;
                squares += mean * mean;
            }
        }

        double full = Reach * Math.Sqrt(squares / (bands * width));
        for (int y = 0; y < height; y++)
        {
            cancellation.ThrowIfCancellationRequested();
            ReadOnlySpan<float> means = _means.AsSpan((int)((long)y * bands / height) * width, width);
            for (int x = 0; x < width; x++)
            {
                double share = full > 0 ? Math.Clamp(means[x] / full, -1, 1) : 0;
                Span<byte> pixel = picture.Slice(3 * ((y * width) + x), 3);
                (pixel[0], pixel[1], pixel[2]) = share >= 0 ? (Byte(255 * share), Byte(160 * share), Byte(40 * share)) : (Byte(-40 * share), Byte(-150 * share), Byte(-255 * share));
            }
        }
    }

    /// <summary>The part of so many cells that a pixel shows; at least one.</summary>
    static (int From, int To) Part(int pixel, int pixels, int cells)
    {
        int from = (int)((long)pixel * cells / pixels);
        return (from, Math.Max(from + 1, (int)((pixel + 1L) * cells / pixels)));
    }

    static byte Byte(double value) => (byte)(value + 0.5);

    static void DrawAxis(double seconds, int width, int size, Span<byte> picture)
    {
        picture.Fill(Background);
        int step = Array.Find(Steps, step => step * width / seconds >= LabelWidth(seconds, size) + (4 * Margin));
        for (int second = 0; second < seconds; second += step)
        {
            int x = (int)(second * width / seconds);
            for (int y = 0; y < (GlyphHeight * size) + Margin; y++)
            {
                picture.Slice(3 * ((y * width) + x), 3).Fill(Ink);
            }

            if (x + Margin + LabelWidth(second, size) <= width)
            {
                DrawLabel(second, x + Margin, width, size, picture);
            }

            if (step == 0)
            {
                return; // too narrow for more than the first
            }
        }
    }

    static int LabelWidth(double seconds, int size) => Label((int)seconds, stackalloc int[MostGlyphs]) * (GlyphWidth + 1) * size;

    static void DrawLabel(int second, int left, int width, int size, Span<byte> picture)
    {
        Span<int> glyphs = stackalloc int[MostGlyphs];
        int count = Label(second, glyphs);
        for (int i = 0; i < count; i++)
        {
            string glyph = Glyphs[glyphs[i]];
            for (int y = 0; y < GlyphHeight * size; y++)
            {
                for (int x = 0; x < GlyphWidth * size; x++)
                {
                    if ((((glyph[y / size] - '0') >> (GlyphWidth - 1 - (x / size))) & 1) != 0)
                    {
                        picture.Slice(3 * (((y + Margin) * width) + left + (i * (GlyphWidth + 1) * size) + x), 3).Fill(Ink);
                    }
                }
            }
        }
    }

    /// <summary>Minutes and seconds, as 1:05.</summary>
    static int Label(int second, Span<int> glyphs)
    {
        int count = 0;
        for (int unit = 1000; unit > 0; unit /= 10)
        {
            int digit = second / 60 / unit % 10;
            if (digit > 0 || count > 0 || unit == 1)
            {
                glyphs[count++] = digit;
            }
        }

        glyphs[count++] = Colon;
        glyphs[count++] = second % 60 / 10;
        glyphs[count++] = second % 10;
        return count;
    }
}
