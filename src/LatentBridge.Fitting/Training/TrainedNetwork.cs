using LatentBridge.Networks;
using LatentBridge.Simd;

namespace LatentBridge.Fitting.Training;

/// <summary>A network of 3x3 convolutions with ReLU and blocks that learns: what it gives for a batch of crops, and the gradient of a loss by all its weights.</summary>
/// <remarks>It reads the same list of layers as the engine that decodes with it. Pixel shuffle and offset are the loss's business.</remarks>
sealed class TrainedNetwork : IDisposable
{
    readonly PaddedBatch[] _values;
    readonly PaddedBatch[] _derivatives;

    public TrainedNetwork(Network network, int crops, int side, KernelWidth width, int threads)
    {
        Network = network;
        Layers = [.. network.Layers.Cast<ConvolutionLayer>().Select(layer => new TrainedConvolution(layer, width, threads))];
        _values = [new(crops, side, network.InputChannels), .. Layers.Select(layer => new PaddedBatch(crops, side, layer.Layer.Outputs))];
        _derivatives = [.. _values.Select(values => values.Channels).Distinct().SelectMany(channels => Enumerable.Range(0, 3).Select(_ => new PaddedBatch(crops, side, channels)))];
    }

    public Network Network { get; }

    public IReadOnlyList<TrainedConvolution> Layers { get; }

    /// <summary>The crops; between them stays zero.</summary>
    public PaddedBatch Input => _values[0];

    /// <summary>What the last layer gave.</summary>
    public PaddedBatch Output => _values[^1];

    /// <summary>Computes <see cref="Output"/>.</summary>
    /// <param name="cancellation">Looked at before each layer.</param>
    public void Forward(CancellationToken cancellation = default)
    {
        int block = 0;
        for (int i = 0; i < Layers.Count; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            ConvolutionLayer layer = Layers[i].Layer;
            PaddedBatch to = _values[i + 1];
            block = layer.StartsBlock ? i : block;
            Layers[i].Refresh();
            Layers[i].Forward(_values[i], to);
            if (layer.EndsBlock)
            {
                Elementwise.Add(_values[block].Values, to.Values);
            }

            if (layer.Relu)
            {
                Elementwise.Relu(to.Values);
            }

            to.ClearBorders();
        }
    }

    /// <summary>Computes each layer's gradient after <see cref="Forward"/>.</summary>
    /// <param name="loss">Writes the loss's derivatives by <see cref="Output"/>, zero between the crops.</param>
    /// <param name="cancellation">Looked at before each product.</param>
    public void Backward(Action<PaddedBatch> loss, CancellationToken cancellation = default)
    {
        PaddedBatch behind = Free(_values[^1].Channels);
        loss(behind);
        PaddedBatch? skipped = null; // what goes past the block to its input
        for (int i = Layers.Count - 1; i >= 0; i--)
        {
            ConvolutionLayer layer = Layers[i].Layer;
            if (layer.Relu)
            {
                Elementwise.MaskByRelu(behind.Values, _values[i + 1].Values); // and what lies between the crops, where ReLU gave 0
            }

            else if (i < Layers.Count - 1)
            {
                behind.ClearBorders();
            }

            skipped = layer.EndsBlock ? behind : skipped;
            cancellation.ThrowIfCancellationRequested();
            Layers[i].BackwardToWeights(_values[i], behind);
            cancellation.ThrowIfCancellationRequested();
            if (i == 0)
            {
                return;
            }

            PaddedBatch before = Free(_values[i].Channels, behind, skipped);
            Layers[i].BackwardToInput(behind, before);
            if (layer.StartsBlock)
            {
                Elementwise.Add(skipped!.Values, before.Values);
                skipped = null;
            }

            behind = before;
        }
    }

    public void Dispose()
    {
        Array.ForEach(_values, values => values.Dispose());
        Array.ForEach(_derivatives, derivatives => derivatives.Dispose());
        foreach (TrainedConvolution layer in Layers)
        {
            layer.Dispose();
        }
    }

    PaddedBatch Free(int channels, params ReadOnlySpan<PaddedBatch?> inUse)
    {
        foreach (PaddedBatch batch in _derivatives)
        {
            if (batch.Channels == channels && !inUse.Contains(batch))
            {
                return batch;
            }
        }

        throw new InvalidOperationException("A block within a block.");
    }
}
