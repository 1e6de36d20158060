namespace LatentBridge.Fitting;

/// <summary>A sample of at most so many of the cells it was shown, each as likely as any other; the same for the same seed.</summary>
sealed class CellSample(int channels, int capacity, int seed)
{
    readonly Random _random = new(seed);
    readonly List<float[]> _cells = [];
    readonly List<(byte Red, byte Green, byte Blue)> _colours = [];
    long _seen;

    /// <summary>Cells in the sample.</summary>
    public int Count => _cells.Count;

    /// <summary>The channels of a cell.</summary>
    public ReadOnlySpan<float> Cell(int index) => _cells[index];

    /// <summary>Shows it cells: planes [C, cells] and their colours, RGB24.</summary>
    public void Add(ReadOnlySpan<float> planes, ReadOnlySpan<byte> rgb)
    {
        int count = rgb.Length / 3;
        for (int i = 0; i < count; i++, _seen++)
        {
            long place = _seen < capacity ? _seen : _random.NextInt64(_seen + 1);
            if (place >= capacity)
            {
                continue;
            }

            if (place == Count)
            {
                _cells.Add(new float[channels]);
                _colours.Add(default);
            }

            for (int channel = 0; channel < channels; channel++)
            {
                _cells[(int)place][channel] = planes[(channel * count) + i];
            }

            _colours[(int)place] = (rgb[3 * i], rgb[(3 * i) + 1], rgb[(3 * i) + 2]);
        }
    }

    /// <summary>The sample as planes [C, 1, <see cref="Count"/>].</summary>
    public float[] Planes()
    {
        var planes = new float[channels * Count];
        for (int i = 0; i < planes.Length; i++)
        {
            planes[i] = _cells[i % Count][i / Count];
        }

        return planes;
    }

    /// <summary>The colours as RGB24.</summary>
    public byte[] Rgb() => [.. _colours.SelectMany(colour => (byte[])[colour.Red, colour.Green, colour.Blue])];
}
