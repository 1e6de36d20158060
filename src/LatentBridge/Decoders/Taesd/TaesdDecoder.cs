using LatentBridge.Networks;
using LatentBridge.Simd;
using LatentBridge.Weights;

namespace LatentBridge.Decoders.Taesd;

/// <summary>
/// The decoders of the TAESD family, for the full picture (id <c>taesd</c>) or, at 58 % of the work, half its side
/// (<c>taesd-half</c>: the last doubling left out, every convolution kept).
/// </summary>
sealed class TaesdDecoder : NetworkDecoder
{
    /// <summary>What people type and status names.</summary>
    public const string Id = "taesd";

    /// <summary>The same for half the side.</summary>
    public const string HalfId = "taesd-half";

    /// <summary>Takes the weights; the tensors are not needed afterwards.</summary>
    /// <param name="weights">A decoder of the family.</param>
    /// <param name="half">Half the picture's side.</param>
    /// <exception cref="LatentBridgeException">A weight is NaN or infinite.</exception>
    public TaesdDecoder(NetworkTensors weights, bool half = false)
        : this(weights, half, Kernel.Width)
    {
    }

    internal TaesdDecoder(NetworkTensors weights, bool half, KernelWidth width)
        : base(Describe(weights.Found, half), Network(weights.Found, half), weights, width)
    {
    }

    /// <summary>What a decoder of these weights is, known without reading them.</summary>
    internal static DecoderDescription Describe(FoundWeights weights, bool half) =>
        half ? Describe(HalfId, weights, Network(weights, half), 70) : Describe(Id, weights, Network(weights, half), 80);

    static Network Network(FoundWeights weights, bool half) =>
        !half ? weights.Layout.Network!
        : weights.Architecture == TaesdNetworks.SanaDecoderArchitecture.Id ? TaesdNetworks.SanaDecoder(weights.Channels, half)
        : TaesdNetworks.Decoder(weights.Channels, weights.Has("3.pool.0.weight"), half);
}
