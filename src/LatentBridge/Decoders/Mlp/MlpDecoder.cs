using LatentBridge.Latents;
using LatentBridge.Networks;
using LatentBridge.Simd;
using LatentBridge.Weights;

namespace LatentBridge.Decoders.Mlp;

/// <summary>
/// Birch-san's approx_vae: a small multilayer perceptron from one cell's channels to one pixel, 4-12-12-3 as published; any hidden width
/// and any number of hidden layers. One whose first layer is [H, C, 3, 3] looks at the 3 x 3 cells around each.
/// </summary>
sealed class MlpDecoder : ILatentDecoder
{
    const string FirstLayer = "in_proj.weight";

    /// <summary>Birch-san's multilayer perceptron, latent to colour: any hidden width, any number of hidden layers.</summary>
    internal static readonly NetworkArchitecture Architecture = new("mlp-decoder", "per-cell MLP decoder", "in_proj.weight", "in_proj.weight", t =>
        t["in_proj.weight"] is not [> 0 and <= 1024, > 0 and <= 1024] || t["out_proj.weight"] is not [3, _] ? null : Perceptron(t, t["in_proj.weight"]![1]));

    /// <summary>LatentBridge's own: the same behind a 3 x 3 convolution.</summary>
    internal static readonly NetworkArchitecture Architecture3x3 = new("mlp-3x3", "MLP decoder of 3 x 3 cells", "in_proj.weight", "in_proj.weight", t =>
        t["in_proj.weight"] is not [> 0 and <= 1024, > 0 and <= 1024, 3, 3] || t["out_proj.weight"] is not [3, _] ? null : Perceptron(t, t["in_proj.weight"]![1]));

    /// <summary>Birch-san's multilayer perceptron, colour to latent.</summary>
    internal static readonly NetworkArchitecture EncoderArchitecture = new("mlp-encoder", "per-cell MLP encoder", "in_proj.weight", "in_proj.weight", t =>
        t["in_proj.weight"] is not [> 0 and <= 1024, 3] || t["out_proj.weight"] is not [(> 3 and <= 128) and var latent, _] ? null : Perceptron(t, latent))
    {
        NotSupported = "it turns pictures into latents; previews go the other way",
    };

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
            .. HiddenLayers(weights.Has).Select(name => Layer(name)),
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

    static NetworkLayout Perceptron(TensorShapes t, long latentChannels)
    {
        long[] input = t["in_proj.weight"]!;
        long width = t["in_proj.weight"]![0];
        long output = t["out_proj.weight"]![0];
        return new((int)latentChannels,
        [
            new("in_proj.weight", input),
            new("in_proj.bias", [width]),
            .. HiddenLayers(name => t[name] is not null).SelectMany(name => Linear(name, width, width)),
            .. Linear("out_proj", width, output),
        ]);
    }

    /// <summary>Names of the hidden layers, in their order; numbers may be left out (an activation between takes one).</summary>
    static IEnumerable<string> HiddenLayers(Func<string, bool> has) =>
        Enumerable.Range(0, 64).Select(i => $"hidden_layers.{i}").Where(name => has(name + ".weight"));

    static ExpectedTensor[] Linear(string name, long input, long output) => [new(name + ".weight", [output, input]), new(name + ".bias", [output])];
}
