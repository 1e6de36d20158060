using LatentBridge.Simd;

namespace LatentBridge.Imaging.Scaling;

/// <summary>Brings RGB24 pictures to another size. Reuses its memory: after the first picture of a size it allocates nothing.</summary>
/// <remarks>
/// One thread at a time. Smooth scaling works in F32, one axis after the other, in whichever order is less work, a few rows at a
/// time; bytes are rounded half up.
/// </remarks>
sealed class ImageScaler
{
    readonly KernelWidth _width;
    readonly ResamplingAxis _across = new();
    readonly ResamplingAxis _down = new();
    int[] _columns = [];
    float[] _row = [];
    float[] _rows = [];

    /// <summary>Makes one.</summary>
    public ImageScaler()
        : this(Kernel.Width)
    {
    }

    internal ImageScaler(KernelWidth width) => _width = width;

    /// <summary>Scales a picture of RGB24 rows without padding.</summary>
    /// <exception cref="ArgumentException">The lengths are not those of the sizes.</exception>
    public void Scale(ReadOnlySpan<byte> source, int width, int height, Span<byte> destination, int newWidth, int newHeight, ImageScaling scaling)
    {
        CheckLength(source.Length, width, height, nameof(source));
        CheckLength(destination.Length, newWidth, newHeight, nameof(destination));
        if (width == newWidth && height == newHeight)
        {
            source.CopyTo(destination);
        }
        else if (scaling == ImageScaling.Nearest)
        {
            ScaleNearest(source, width, height, destination, newWidth, newHeight);
        }
        else
        {
            _across.Prepare(width, newWidth);
            _down.Prepare(height, newHeight);
            Reserve(ref _row, (3 * Math.Max(width, newWidth)) + ScalingKernel.RowPadding);
            if (newHeight > height)
            {
                ScaleAcrossThenDown(source, width, height, destination, newWidth, newHeight);
            }
            else
            {
                ScaleDownThenAcross(source, width, destination, newWidth, newHeight);
            }
        }
    }

    // The pixel whose area the new pixel's centre lies in: floor((x + 1/2) * old / new).
    void ScaleNearest(ReadOnlySpan<byte> source, int width, int height, Span<byte> destination, int newWidth, int newHeight)
    {
        Reserve(ref _columns, newWidth);
        for (int x = 0; x < newWidth; x++)
        {
            _columns[x] = 3 * (int)((((2L * x) + 1) * width) / (2L * newWidth));
        }

        int before = -1;
        for (int y = 0; y < newHeight; y++)
        {
            int from = (int)((((2L * y) + 1) * height) / (2L * newHeight));
            Span<byte> row = destination.Slice(3 * newWidth * y, 3 * newWidth);
            if (from == before)
            {
                destination.Slice(3 * newWidth * (y - 1), 3 * newWidth).CopyTo(row);
                continue;
            }

            before = from;
            ReadOnlySpan<byte> old = source.Slice(3 * width * from, 3 * width);
            int at = 0;
            foreach (int pixel in _columns.AsSpan(0, newWidth))
            {
                row[at] = old[pixel];
                row[at + 1] = old[pixel + 1];
                row[at + 2] = old[pixel + 2];
                at += 3;
            }
        }
    }

    /// <summary>For enlarging: the few old rows are resampled across, each once, into a ring of rows; new rows are sums of those.</summary>
    void ScaleAcrossThenDown(ReadOnlySpan<byte> source, int width, int height, Span<byte> destination, int newWidth, int newHeight)
    {
        int ringRows = _down.TapCount;
        int stride = (3 * newWidth) + ScalingKernel.RowPadding;
        Reserve(ref _rows, ringRows * stride);
        Span<float> weights = stackalloc float[ringRows];
        int ready = 0;
        for (int y = 0; y < newHeight; y++)
        {
            int start = _down.Start(y);
            for (; ready < Math.Min(start + ringRows, height); ready++)
            {
                Span<float> row = _row.AsSpan(0, 3 * width);
                row.Clear();
                ScalingKernel.AddRow(source.Slice(3 * width * ready, 3 * width), 1, row, _width);
                ScalingKernel.Across(_row, _across, _rows.AsSpan(ready % ringRows * stride, stride), newWidth);
            }

            for (int tap = 0; tap < ringRows; tap++)
            {
                weights[(start + tap) % ringRows] = _down.Weights(y)[tap];
            }

            ScalingKernel.CombineRows(_rows, stride, weights, destination.Slice(3 * newWidth * y, 3 * newWidth), _width);
        }
    }

    /// <summary>For shrinking: old rows are summed to one, which is then resampled across.</summary>
    void ScaleDownThenAcross(ReadOnlySpan<byte> source, int width, Span<byte> destination, int newWidth, int newHeight)
    {
        Reserve(ref _rows, (3 * newWidth) + ScalingKernel.RowPadding);
        for (int y = 0; y < newHeight; y++)
        {
            Span<float> row = _row.AsSpan(0, 3 * width);
            row.Clear();
            ReadOnlySpan<float> weights = _down.Weights(y);
            for (int tap = 0; tap < weights.Length; tap++)
            {
                if (weights[tap] != 0)
                {
                    ScalingKernel.AddRow(source.Slice(3 * width * (_down.Start(y) + tap), 3 * width), weights[tap], row, _width);
                }
            }

            ScalingKernel.Across(_row, _across, _rows, newWidth);
            ScalingKernel.ToBytes(_rows.AsSpan(0, 3 * newWidth), destination.Slice(3 * newWidth * y, 3 * newWidth), _width);
        }
    }

    static void Reserve<T>(ref T[] buffer, int length)
    {
        if (buffer.Length < length)
        {
            buffer = new T[length];
        }
    }

    static void CheckLength(int length, int width, int height, string name)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        if (length != 3L * width * height)
        {
            throw new ArgumentException($"{length} bytes given; a picture of {width} x {height} pixels has {3L * width * height}.", name);
        }
    }
}
