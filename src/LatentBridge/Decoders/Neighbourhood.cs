using LatentBridge.Latents;
using LatentBridge.Networks;
using LatentBridge.Simd;
using LatentBridge.Weights;

namespace LatentBridge.Decoders;

/// <summary>
/// Lets the mathematics of one cell look at that cell, or at the 3 x 3 cells around it, whose C channels become 9 C numbers of the middle one
/// in the order of a convolution's weights [C, 3, 3]. Beyond the border the nearest cell counts.
/// </summary>
/// <remarks>
/// A part of the latent at a time is copied with a frame of one cell, so that everything a cell looks at lies at the same distances from
/// it wherever it is, and close together: the planes of a latent are often a power of two apart, by which all channels of a cell would fall
/// upon the same few lines of the cache. Decoding runs over the right border into the next row; what comes of the frame is left out.
/// Belongs to one decode at a time.
/// </remarks>
sealed class Neighbourhood
{
    /// <summary>Cells of a side, for one that looks around.</summary>
    public const int Side = 3;

    /// <summary>Cells of a channel that are copied at a time, frame included: 16 rows of 128 and the frame.</summary>
    const int PartLength = 16 * 130;

    /// <summary>Cells of a row that are copied at a time, at most, with a frame.</summary>
    const int FramedWidth = 128;

    /// <summary>Cells are decoded by whole vectors, behind the last one too.</summary>
    const int Lanes = 16;

    readonly int _side;
    readonly float[] _part;
    readonly int[] _inputs;
    readonly byte[] _rgb = new byte[3 * (PartLength + Lanes) + 4];

    /// <summary>Makes one for so many channels that looks at <paramref name="side"/> x <paramref name="side"/> cells: 1 or <see cref="Side"/>.</summary>
    public Neighbourhood(int channels, int side)
    {
        _side = side;
        _part = new float[(channels * PartLength) + (2 * Lanes)];
        _inputs = new int[channels * side * side];
    }

    /// <summary>Memory it takes.</summary>
    public long ByteLength => (sizeof(float) * (long)_part.Length) + (sizeof(int) * (long)_inputs.Length) + _rgb.Length;

    /// <summary>For weights whose first layer, [outputs, C, 3, 3], looks at neighbours, or, [outputs, C], at single cells.</summary>
    public static Neighbourhood Of(FoundWeights weights, string firstLayer) => new(weights.Channels, IsIn(weights, firstLayer) ? Side : 1);

    /// <summary>Whether the weights' first layer looks at neighbours.</summary>
    public static bool IsIn(FoundWeights weights, string firstLayer) => weights.Layout.Tensors.First(tensor => tensor.Name == firstLayer).Dimensions.Length == 4;

    /// <summary>Decodes all cells into RGB24.</summary>
    public void Decode<TOperator>(TOperator pixel, in LatentPlanes latent, Span<byte> destination, KernelWidth kernel, CancellationToken cancellation)
        where TOperator : struct, IPixelOperator
    {
        LatentPlanes planes = _side > 1 ? latent : new(latent.Values, latent.Channels, 1, latent.PlaneLength);
        int frame = _side - 1;
        int width = Share(planes.Width, _side > 1 ? FramedWidth : PartLength), stride = width + frame;
        int height = Share(planes.Height, (PartLength / stride) - frame);
        for (int i = 0; i < _inputs.Length; i++)
        {
            _inputs[i] = (i / (_side * _side) * PartLength) + (i / _side % _side * stride) + (i % _side);
        }

        for (int top = 0; top < planes.Height; top += height)
        {
            for (int left = 0; left < planes.Width; left += width)
            {
                cancellation.ThrowIfCancellationRequested();
                int rows = Math.Min(height, planes.Height - top), columns = Math.Min(width, planes.Width - left);
                Copy(planes, left, top, stride, rows + frame);
                PixelKernel.Decode(pixel, in _part[0], _inputs, ((rows * stride) + Lanes - 1) / Lanes * Lanes, _rgb, kernel);
                for (int row = 0; row < rows; row++)
                {
                    _rgb.AsSpan(3 * row * stride, 3 * columns).CopyTo(destination[(3 * (((top + row) * planes.Width) + left))..]);
                }
            }
        }
    }

    /// <summary>A length in the fewest equal parts of at most so much.</summary>
    static int Share(int length, int most)
    {
        int parts = (length + most - 1) / most;
        return (length + parts - 1) / parts;
    }

    /// <summary>Copies rows of cells, the frame's included, of which the first inner one is <paramref name="left"/>, <paramref name="top"/>.</summary>
    void Copy(in LatentPlanes planes, int left, int top, int stride, int rows)
    {
        int reach = _side / 2;
        int from = Math.Max(left - reach, 0), to = Math.Min(left - reach + stride, planes.Width);
        for (int channel = 0; channel < planes.Channels; channel++)
        {
            ReadOnlySpan<float> plane = planes.Plane(channel);
            for (int row = 0; row < rows; row++)
            {
                ReadOnlySpan<float> source = plane.Slice(Math.Clamp(top - reach + row, 0, planes.Height - 1) * planes.Width, planes.Width)[from..to];
                Span<float> destination = _part.AsSpan((channel * PartLength) + (row * stride), stride);
                destination[0] = source[0];
                source.CopyTo(destination[(from - left + reach)..]);
                destination[(to - left + reach)..].Fill(source[^1]);
            }
        }
    }
}
