using LatentBridge.Latents;
using LatentBridge.Tensors;
using LatentBridge.Weights;

namespace LatentBridge.Decoders;

/// <summary>
/// Lets the mathematics of one cell look at the cells around it: the 3 x 3 cells of C channels become 9 C channels of the middle one,
/// in the order of a convolution's weights [C, 3, 3]. Beyond the border the nearest cell counts.
/// </summary>
/// <remarks>What a 1 x 1 layer makes of them is what a 3 x 3 convolution makes of the latent. Belongs to one decode at a time.</remarks>
sealed class Neighbourhood(int channels)
{
    /// <summary>Cells of a side.</summary>
    public const int Side = 3;

    /// <summary>Cells whose neighbours are laid out at a time: for 32 channels 313 KB.</summary>
    const int BlockLength = 256;

    /// <summary>Not a power of two, by which the rows' columns would all fall upon the same few lines of the cache.</summary>
    const int Stride = BlockLength + 16;

    readonly float[] _block = new float[Side * Side * channels * Stride];

    /// <summary>Memory it takes.</summary>
    public long ByteLength => sizeof(float) * (long)_block.Length;

    /// <summary>One for weights whose first layer, [outputs, C, 3, 3], looks at neighbours; null for one of single cells, [outputs, C].</summary>
    public static Neighbourhood? Of(FoundWeights weights, string firstLayer) => IsIn(weights, firstLayer) ? new(weights.Channels) : null;

    /// <summary>Whether the weights' first layer looks at neighbours.</summary>
    public static bool IsIn(FoundWeights weights, string firstLayer) => weights.Tensors.First(tensor => tensor.Name == firstLayer).Dimensions.Length == 4;

    /// <summary>Decodes all cells into RGB24.</summary>
    public void Decode<TOperator>(TOperator pixel, in LatentPlanes latent, Span<byte> destination, KernelWidth width, CancellationToken cancellation)
        where TOperator : struct, IPixelOperator
    {
        for (int start = 0; start < latent.PlaneLength; start += BlockLength)
        {
            cancellation.ThrowIfCancellationRequested();
            int count = Math.Min(BlockLength, latent.PlaneLength - start);
            Expand(latent, start, count, _block, Stride);
            PixelKernel.Decode(pixel, ref _block[0], Stride, destination.Slice(3 * start, 3 * count), width);
        }
    }

    /// <summary>Lays out the neighbours of <paramref name="count"/> cells from <paramref name="start"/> on: 9 C rows, <paramref name="stride"/> apart.</summary>
    public static void Expand(in LatentPlanes latent, int start, int count, Span<float> rows, int stride)
    {
        int width = latent.Width;
        for (int cell = start; cell < start + count;)
        {
            (int y, int from) = (cell / width, cell % width);
            int length = Math.Min(width - from, start + count - cell);
            int to = cell - start;
            for (int channel = 0; channel < latent.Channels; channel++)
            {
                ReadOnlySpan<float> plane = latent.Plane(channel);
                for (int down = -1; down <= 1; down++, to += Side * stride)
                {
                    ReadOnlySpan<float> source = plane.Slice(Math.Clamp(y + down, 0, latent.Height - 1) * width, width);
                    Span<float> left = rows.Slice(to, length), middle = rows.Slice(to + stride, length), right = rows.Slice(to + (2 * stride), length);
                    source.Slice(from, length).CopyTo(middle);
                    middle[..^1].CopyTo(left[1..]);
                    left[0] = source[Math.Max(0, from - 1)];
                    middle[1..].CopyTo(right);
                    right[^1] = source[Math.Min(width - 1, from + length)];
                }
            }

            cell += length;
        }
    }
}
