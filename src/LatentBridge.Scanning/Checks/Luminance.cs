namespace LatentBridge.Scanning.Checks;

/// <summary>The brightness of a picture, 0..255, at its own size and as 32 x 32 means.</summary>
sealed class Luminance
{
    /// <summary>Means along each side of <see cref="Grid"/>.</summary>
    public const int GridSide = 32;

    const int Bits = 15;
    const int Red = 9798, Green = 19235, Blue = (1 << Bits) - Red - Green; // 0.299, 0.587, 0.114

    readonly float[] _grid = new float[GridSide * GridSide];
    readonly int[] _counts = new int[GridSide * GridSide];
    byte[] _values = [];

    /// <summary>Pixels from left to right.</summary>
    public int Width { get; private set; }

    /// <summary>Pixels from top to bottom.</summary>
    public int Height { get; private set; }

    /// <summary>One row of the picture.</summary>
    public ReadOnlySpan<byte> Row(int y) => _values.AsSpan(y * Width, Width);

    /// <summary>32 x 32 means, row by row; a smaller picture's pixels stand in several.</summary>
    public ReadOnlySpan<float> Grid => _grid;

    /// <summary>All pixels, row by row.</summary>
    public ReadOnlySpan<byte> Values => _values.AsSpan(0, Width * Height);

    /// <summary>Takes a picture of RGB24 rows without padding.</summary>
    public void Take(ReadOnlySpan<byte> rgb, int width, int height)
    {
        (Width, Height) = (width, height);
        if (_values.Length < width * height)
        {
            _values = new byte[width * height];
        }

        Span<byte> values = _values.AsSpan(0, width * height);
        for (int i = 0, at = 0; i < values.Length; i++, at += 3)
        {
            values[i] = (byte)(((rgb[at] * Red) + (rgb[at + 1] * Green) + (rgb[at + 2] * Blue) + (1 << (Bits - 1))) >> Bits);
        }

        FillGrid();
    }

    void FillGrid()
    {
        Array.Clear(_grid);
        Array.Clear(_counts);
        int across = Math.Max(Width, GridSide), down = Math.Max(Height, GridSide);
        for (int y = 0; y < down; y++)
        {
            ReadOnlySpan<byte> row = Row(Math.Min(y * Height / down, Height - 1));
            int first = y * GridSide / down * GridSide;
            for (int x = 0; x < across; x++)
            {
                int cell = first + (x * GridSide / across);
                _grid[cell] += row[x * Width / across];
                _counts[cell]++;
            }
        }

        for (int i = 0; i < _grid.Length; i++)
        {
            _grid[i] /= _counts[i];
        }
    }

    /// <summary>The correlation of two grids, -1..1; 0 where one of them is plain.</summary>
    public static double Correlation(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        double sumA = 0, sumB = 0, squaresA = 0, squaresB = 0, products = 0;
        for (int i = 0; i < a.Length; i++)
        {
            sumA += a[i];
            sumB += b[i];
            squaresA += (double)a[i] * a[i];
            squaresB += (double)b[i] * b[i];
            products += (double)a[i] * b[i];
        }

        double varianceA = squaresA - (sumA * sumA / a.Length), varianceB = squaresB - (sumB * sumB / a.Length);
        return varianceA < a.Length || varianceB < a.Length ? 0 : (products - (sumA * sumB / a.Length)) / Math.Sqrt(varianceA * varianceB);
    }
}
