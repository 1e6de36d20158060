using LatentBridge.Latents;
using LatentBridge.Tensors;
using LatentBridge.Weights;

namespace LatentBridge.Decoders.Mlp;

/// <summary>
/// Birch-san's approx_vae: a small multilayer perceptron from one cell's channels to one pixel, 4-12-12-3 as published; any hidden width
/// and any number of hidden layers. One whose first layer is [H, C, 3, 3] looks at the 3 x 3 cells around each.
/// </summary>
public sealed class MlpDecoder : ILatentDecoder
{
    const string FirstLayer = "in_proj.weight";

    readonly MlpLayer[] _layers;
    readonly MlpOperator _operator;
    readonly KernelWidth _width;
    readonly Neighbourhood _neighbourhood;
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
        _operator = new(_layers);
        _width = width;
        _neighbourhood = Neighbourhood.Of(weights.Found, FirstLayer);
        _bytes = (sizeof(float) * (_operator.ScratchLength + _layers.Sum(layer => (long)layer.Packed.Length))) + _neighbourhood.ByteLength;
        Description = Describe(weights.Found);

        MlpLayer Layer(string name, float scale = 1, float offset = 0) => new(weights.Take(name + ".weight"), weights.Take(name + ".bias"), scale, offset);
    }

    /// <inheritdoc/>
    public DecoderDescription Description { get; }

    /// <summary>What a decoder of these weights is, known without reading them.</summary>
    /// <remarks>The published ones come out below our linear map (<c>docs/quality.md</c>), so they stand behind it; our own has no file's name in its id.</remarks>
    internal static DecoderDescription Describe(FoundWeights weights)
    {
        bool isOurs = weights.Known is { Bundled: true };
        int quality = weights.Known is not null && !isOurs ? 18 : Neighbourhood.IsIn(weights, FirstLayer) ? 45 : 40;
        return new(isOurs ? "mlp" : $"mlp:{weights.Stem}", weights.FileName, weights.Channels, 1, weights.WeightCount, quality);
    }

    /// <inheritdoc/>
    public long WorkingBytes(int latentHeight, int latentWidth) => _bytes;

    /// <inheritdoc/>
    public void Decode(in LatentPlanes latent, Span<byte> destination, int threads, CancellationToken cancellation)
    {
        DecoderArguments.Check(Description, latent, destination);
        _neighbourhood.Decode(_operator, latent, destination, _width, cancellation);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
