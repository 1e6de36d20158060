namespace LatentBridge.Imaging.Scaling;

/// <summary>
/// For each pixel of the new axis the old pixels it is made of and their weights, which sum to 1. Shrinking: the area each
/// old pixel covers. Enlarging: Catmull-Rom over four, the border repeated. Reuses its memory.
/// </summary>
sealed class ResamplingAxis
{
    int _from;
    int _to;
    int[] _starts = [];
    float[] _weights = [];

    /// <summary>Old pixels that each new one is made of, at most; further ones have weight 0.</summary>
    public int TapCount { get; private set; }

    /// <summary>The first old pixel of a new one; all its taps lie within the old axis.</summary>
    public int Start(int pixel) => _starts[pixel];

    /// <summary>The weights of a new pixel, <see cref="TapCount"/> of them.</summary>
    public ReadOnlySpan<float> Weights(int pixel) => _weights.AsSpan(pixel * TapCount, TapCount);

    /// <summary>Computes the taps from a length to another; does nothing when they are the last ones.</summary>
    public void Prepare(int from, int to)
    {
        if (_from == from && _to == to)
        {
            return;
        }

        (_from, _to) = (from, to);
        double ratio = (double)from / to;
        TapCount = Math.Min(from, to < from ? (int)Math.Ceiling(ratio) + 1 : 4);
        if (_starts.Length < to)
        {
            _starts = new int[to];
        }

        if (_weights.Length < to * TapCount)
        {
            _weights = new float[to * TapCount];
        }

        for (int pixel = 0; pixel < to; pixel++)
        {
            Span<float> weights = _weights.AsSpan(pixel * TapCount, TapCount);
            weights.Clear();
            _starts[pixel] = to < from ? Area(pixel, ratio, weights) : CatmullRom(pixel, ratio, weights);
        }
    }

    int Area(int pixel, double ratio, Span<float> weights)
    {
        double left = pixel * ratio;
        double right = Math.Min(left + ratio, _from);
        int start = Math.Min((int)left, _from - weights.Length);
        for (int tap = 0; tap < weights.Length; tap++)
        {
            double covered = Math.Min(right, start + tap + 1) - Math.Max(left, start + tap);
            weights[tap] = (float)(Math.Max(covered, 0) / (right - left));
        }

        return start;
    }

    // At distance t from the second of four points: weights of p0 .. p3, with a = -1/2.
    int CatmullRom(int pixel, double ratio, Span<float> weights)
    {
        double centre = ((pixel + 0.5) * ratio) - 0.5;
        int second = (int)Math.Floor(centre);
        double t = centre - second;
        ReadOnlySpan<double> cubic =
        [
            t * (-0.5 + (t * (1.0 - (0.5 * t)))),
            1.0 + (t * t * (-2.5 + (1.5 * t))),
            t * (0.5 + (t * (2.0 - (1.5 * t)))),
            t * t * (-0.5 + (0.5 * t)),
        ];
        int start = Math.Clamp(second - 1, 0, _from - weights.Length);
        for (int tap = 0; tap < 4; tap++)
        {
            int source = Math.Clamp(second - 1 + tap, 0, _from - 1);
            weights[source - start] += (float)cubic[tap];
        }

        return start;
    }
}
