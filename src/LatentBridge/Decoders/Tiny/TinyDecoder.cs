using LatentBridge.Networks;
using LatentBridge.Simd;
using LatentBridge.Weights;

namespace LatentBridge.Decoders.Tiny;

/// <summary>
/// LatentBridge's own small network: four pixels per cell and side (half the full picture's side) for about 2 % of TAESD's
/// work. Its weights come with the project, in <c>models/tiny</c>. Those that <c>train</c> makes may give 1, 2, 8 or 16 pixels as well.
/// </summary>
sealed class TinyDecoder : NetworkDecoder
{
    /// <summary>What people type and status names.</summary>
    public const string Id = "tiny";

    /// <summary>Pixels per cell and side that there can be.</summary>
    internal static readonly int[] Sides = [1, 2, 4, 8, 16];

    /// <summary>LatentBridge's own tiny decoder.</summary>
    internal static readonly NetworkArchitecture Architecture = new("latentbridge-tiny", "LatentBridge tiny decoder", "blocks.0.0.weight", "conv_in.weight", t =>
        t["conv_in.weight"] is [64, (> 0 and <= 1024) and var latent, 3, 3] && t["conv_out.weight"] is [var outputs, 64, 3, 3] && Sides.FirstOrDefault(side => 3 * side * side == outputs) is var side and > 0
            ? NetworkLayout.Of(latent, Network((int)latent, side))
            : null);

    /// <summary>Takes the weights; the tensors are not needed afterwards.</summary>
    /// <exception cref="LatentBridgeException">A weight is NaN or infinite.</exception>
    public TinyDecoder(NetworkTensors weights)
        : this(weights, Kernel.Width)
    {
    }

    internal TinyDecoder(NetworkTensors weights, KernelWidth width)
        : base(Describe(weights.Found), weights.Found.Layout.Network!, weights, width)
    {
    }

    /// <summary>The network, layer by layer.</summary>
    /// <param name="latentChannels">Channels of the latent.</param>
    /// <param name="side">Pixels per cell and side, one of <see cref="Sides"/>.</param>
    internal static Network Network(int latentChannels, int side = 4) => new Network(latentChannels)
        .Clamp()
        .Convolution("conv_in", 64).Relu()
        .Block("blocks.0.0", "blocks.0.1")
        .Block("blocks.1.0", "blocks.1.1")
        .Block("blocks.2.0", "blocks.2.1")
        .Block("blocks.3.0", "blocks.3.1")
        .Convolution("conv_out", 3 * side * side)
        .PixelShuffle(side)
        .Add(0.5f);

    /// <summary>What a decoder of these weights is, known without reading them.</summary>
    internal static DecoderDescription Describe(FoundWeights weights) => Describe(Id, weights, weights.Layout.Network!, 60);
}
