using LatentBridge.Latents;
using LatentBridge.Tensors;
using LatentBridge.Weights;

namespace LatentBridge.Decoders.Mlp;

/// <summary>
/// Birch-san's approx_vae: a small multilayer perceptron from one cell's channels to one pixel, 4-12-12-3 as published; any hidden width
/// and any number of hidden layers.
/// </summary>
public sealed class MlpDecoder : ILatentDecoder
{
    readonly MlpLayer[] _layers;
    readonly MlpOperator _operator;
    readonly KernelWidth _width;
    readonly long _bytes;

    /// <summary>Takes the weights; the tensors are not needed afterwards.</summary>
    /// <exception cref="LatentBridgeException">A weight is NaN or infinite.</exception>
    public MlpDecoder(NetworkTensors weights)
        : this(weights, Kernel.Width)
    {
    }

    internal MlpDecoder(NetworkTensors weights, KernelWidth width)
    {
        _layers =
        [
            Layer("in_proj"),
            .. NetworkArchitectures.HiddenLayers(weights.Has).Select(name => Layer(name)),
            Layer("out_proj", PixelKernel.Half, PixelKernel.Rounded),
        ];
        int widest = _layers.Max(layer => Math.Max(layer.Inputs, layer.Outputs + MlpLayer.Group));
        var scratch = new float[2 * 16 * widest];
        _operator = new(_layers, scratch);
        _width = width;
        _bytes = sizeof(float) * (scratch.Length + _layers.Sum(layer => (long)layer.Packed.Length));
        Description = Describe(weights.Found);

        MlpLayer Layer(string name, float scale = 1, float offset = 0) => new(weights.Take(name + ".weight"), weights.Take(name + ".bias"), scale, offset);
    }

    /// <inheritdoc/>
    public DecoderDescription Description { get; }

    /// <summary>What a decoder of these weights is, known without reading them.</summary>
    /// <remarks>The published ones come out below our linear map (<c>docs/quality.md</c>), so they stand behind it.</remarks>
    internal static DecoderDescription Describe(FoundWeights weights) =>
        new($"mlp:{weights.Stem}", weights.FileName, weights.Channels, 1, weights.WeightCount, weights.Known is null ? 40 : 18);

    /// <inheritdoc/>
    public long WorkingBytes(int latentHeight, int latentWidth) => _bytes;

    /// <inheritdoc/>
    public void Decode(in LatentPlanes latent, Span<byte> destination, int threads, CancellationToken cancellation)
    {
        DecoderArguments.Check(Description, latent, destination);
        PixelKernel.Decode(_operator, latent, destination, _width, cancellation);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
