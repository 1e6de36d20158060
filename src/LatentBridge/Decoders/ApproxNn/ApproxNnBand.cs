using LatentBridge.Latents;
using LatentBridge.Tensors;

namespace LatentBridge.Decoders.ApproxNn;

/// <summary>
/// Computes a band of the picture's rows. Rows stream through the layers: each layer keeps only as many rows of its input
/// as its kernel is high, so the memory is that of some rows and every row is computed once.
/// </summary>
sealed class ApproxNnBand(ApproxNnLayer[] layers)
{
    /// <summary>Rows and columns of zeros around the enlarged latent: what the kernels 7, 5 and six times 3 eat away on a side.</summary>
    const int Margin = 3 + 2 + 6;

    readonly float[][] _rings = new float[layers.Length + 1][];
    readonly int[] _received = new int[layers.Length + 1];
    int _stride;

    /// <summary>Floats of scratch for a latent of this width.</summary>
    public static long ScratchLength(ApproxNnLayer[] layers, int latentWidth) =>
        layers.Sum(layer => (long)layer.Kernel * layer.Inputs * Stride(latentWidth)) + layers[^1].PaddedOutputs * Stride(latentWidth);

    /// <summary>Makes room for a latent of this width; allocates only when it is another than before.</summary>
    public void Prepare(int latentWidth)
    {
        int stride = Stride(latentWidth);
        if (stride == _stride)
        {
            return;
        }

        _stride = stride;
        for (int l = 0; l <= layers.Length; l++)
        {
            int planes = l < layers.Length ? layers[l].Kernel * layers[l].Inputs : layers[^1].PaddedOutputs;
            _rings[l] = new float[planes * stride];
        }
    }

    /// <summary>Computes rows of the picture, handing each to <paramref name="write"/> as three planes of -1..1.</summary>
    /// <param name="latent">The latent.</param>
    /// <param name="top">First row of the picture.</param>
    /// <param name="bottom">Behind the last row.</param>
    /// <param name="write">Takes a row.</param>
    /// <param name="width">Vectors to use.</param>
    /// <param name="cancellation">Looked at before every row of every layer.</param>
    public void Run<TWriter>(in LatentPlanes latent, int top, int bottom, TWriter write, KernelWidth width, CancellationToken cancellation)
        where TWriter : struct, IRowWriter
    {
        Array.Clear(_received);
        for (int padded = top; padded < bottom + 2 * Margin; padded++)
        {
            FillInput(latent, padded - Margin, _received[0] % layers[0].Kernel);
            _received[0]++;
            int columns = 2 * (latent.Width + Margin);
            for (int l = 0; l < layers.Length && _received[l] >= layers[l].Kernel; l++)
            {
                cancellation.ThrowIfCancellationRequested();
                ApproxNnLayer layer = layers[l];
                columns -= layer.Kernel - 1;
                int slot = l + 1 < layers.Length ? _received[l + 1] % layers[l + 1].Kernel : 0;
                int planes = layer.PaddedOutputs * _stride;
                layer.Row(_rings[l], _received[l] % layer.Kernel, _rings[l + 1].AsSpan(slot * planes, planes), _stride, columns, width);
                _received[l + 1]++;
            }

            if (_received[^1] > 0)
            {
                write.Write(top + _received[^1] - 1, _rings[^1], _stride, columns);
            }
        }
    }

    /// <summary>Writes one row of the latent, enlarged twice and framed by zeros, into the first ring.</summary>
    void FillInput(in LatentPlanes latent, int row, int slot)
    {
        Span<float> planes = _rings[0].AsSpan(slot * latent.Channels * _stride, latent.Channels * _stride);
        planes.Clear();
        if (row < 0 || row >= 2 * latent.Height)
        {
            return;
        }

        for (int c = 0; c < latent.Channels; c++)
        {
            ReadOnlySpan<float> cells = latent.Plane(c).Slice(row / 2 * latent.Width, latent.Width);
            Span<float> pixels = planes.Slice(c * _stride + Margin, 2 * cells.Length);
            for (int x = 0; x < cells.Length; x++)
            {
                pixels[2 * x] = cells[x];
                pixels[2 * x + 1] = cells[x];
            }
        }
    }

    /// <summary>Enough for the enlarged, framed row, and for the last two vectors to reach past its end.</summary>
    static int Stride(int latentWidth) => (2 * (latentWidth + Margin) + 32 + 15) / 16 * 16;
}

/// <summary>Takes the rows that a band computes.</summary>
interface IRowWriter
{
    /// <summary>Takes a row of red, green and blue, <paramref name="stride"/> floats apart, in -1..1.</summary>
    void Write(int row, ReadOnlySpan<float> planes, int stride, int count);
}
