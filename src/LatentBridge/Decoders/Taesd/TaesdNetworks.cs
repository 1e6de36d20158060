using LatentBridge.Networks;
using LatentBridge.Weights;

namespace LatentBridge.Decoders.Taesd;

/// <summary>
/// The tiny autoencoders of the TAESD family, layer by layer as in their source (github.com/madebyollin/taesd, MIT); the
/// numbers are the tensors' keys. Pictures are 0..1, latents in the sampler's scale.
/// </summary>
static class TaesdNetworks
{
    /// <summary>How to recognise the decoder of TAESD and its sisters (taesdxl, taesd3, taef1; taef2 with group norm).</summary>
    internal static readonly NetworkArchitecture DecoderArchitecture = new("taesd-decoder", "TAESD decoder", "19.weight", "1.weight", t =>
        t["1.weight"] is [64, (> 0 and <= 1024) and var latent, 3, 3] && t["19.weight"] is [3, 64, 3, 3]
            ? NetworkLayout.Of(latent, Decoder((int)latent, groupNorm: t["3.pool.0.weight"] is not null, half: false))
            : null);

    /// <summary>The decoder of Sana's tiny autoencoder: 32 pixels per cell.</summary>
    internal static readonly NetworkArchitecture SanaDecoderArchitecture = new("taesana-decoder", "TAESANA decoder", "29.weight", "1.weight", t =>
        t["1.weight"] is [256, (> 0 and <= 1024) and var latent, 3, 3] && t["29.weight"] is [3, 64, 3, 3]
            ? NetworkLayout.Of(latent, SanaDecoder((int)latent, half: false))
            : null);

    /// <summary>The encoder of TAESD and its sisters.</summary>
    internal static readonly NetworkArchitecture EncoderArchitecture = new("taesd-encoder", "TAESD encoder", "14.weight", "0.weight", t =>
        t["0.weight"] is [64, 3, 3, 3] && t["14.weight"] is [(> 0 and <= 1024) and var latent, 64, 3, 3]
            ? NetworkLayout.Of(latent, Encoder((int)latent, groupNorm: t["11.pool.0.weight"] is not null))
            : null);

    /// <summary>The encoder of Sana's tiny autoencoder: 32 pixels per cell.</summary>
    internal static readonly NetworkArchitecture SanaEncoderArchitecture = new("taesana-encoder", "TAESANA encoder", "17.weight", "0.weight", t =>
        t["0.weight"] is [32, 3, 3, 3] && t["17.weight"] is [(> 0 and <= 1024) and var latent, 64, 3, 3]
            ? NetworkLayout.Of(latent, SanaEncoder((int)latent))
            : null);

    /// <summary>taesd, taesdxl (4 latent channels), taesd3, taef1 (16), taef2 (32, with GroupNorm). Half leaves out the last doubling.</summary>
    public static Network Decoder(int latentChannels, bool groupNorm, bool half) => new Network(latentChannels)
        .Clamp()                                                            // 0
        .Convolution("1", 64).Relu()                                        // 1, 2
        .Blocks(3, 3, groupNorm)                                            // 3, 4, 5
        .Double().Convolution("7", 64, bias: false).Blocks(8, 3)            // 6, 7, 8 to 10
        .Double().Convolution("12", 64, bias: false).Blocks(13, 3)          // 11, 12, 13 to 15
        .Double(!half).Convolution("17", 64, bias: false).Blocks(18, 1)     // 16, 17, 18
        .Convolution("19", 3);                                              // 19

    /// <summary>taesana (32 latent channels): 32 pixels per cell.</summary>
    public static Network SanaDecoder(int latentChannels, bool half) => new Network(latentChannels)
        .Clamp()                                                            // 0
        .Convolution("1", 256).Relu().Blocks(3, 3)                          // 1, 2, 3 to 5
        .Double().Convolution("7", 128, bias: false).Blocks(8, 3)           // 6, 7, 8 to 10
        .Double().Convolution("12", 64, bias: false).Blocks(13, 3)          // 11, 12, 13 to 15
        .Double().Convolution("17", 64, bias: false).Blocks(18, 3)          // 16, 17, 18 to 20
        .Double().Convolution("22", 64, bias: false).Blocks(23, 3)          // 21, 22, 23 to 25
        .Double(!half).Convolution("27", 64, bias: false).Blocks(28, 1)     // 26, 27, 28
        .Convolution("29", 3);                                              // 29

    /// <summary>The encoders of <see cref="Decoder"/>'s latents.</summary>
    public static Network Encoder(int latentChannels, bool groupNorm) => new Network(3)
        .Convolution("0", 64).Blocks(1, 1)                                  // 0, 1
        .Convolution("2", 64, bias: false, stride: 2).Blocks(3, 3)          // 2, 3 to 5
        .Convolution("6", 64, bias: false, stride: 2).Blocks(7, 3)          // 6, 7 to 9
        .Convolution("10", 64, bias: false, stride: 2).Blocks(11, 3, groupNorm) // 10, 11 to 13
        .Convolution("14", latentChannels);                                 // 14

    /// <summary>taesana's encoder.</summary>
    public static Network SanaEncoder(int latentChannels) => new Network(3)
        .Convolution("0", 32, stride: 2).Relu()                             // 0, 1
        .Convolution("2", 64, stride: 2).Relu().Blocks(4, 1)                // 2, 3, 4
        .Convolution("5", 64, bias: false, stride: 2).Blocks(6, 3)          // 5, 6 to 8
        .Convolution("9", 64, bias: false, stride: 2).Blocks(10, 3)         // 9, 10 to 12
        .Convolution("13", 64, bias: false, stride: 2).Blocks(14, 3)        // 13, 14 to 16
        .Convolution("17", latentChannels);                                 // 17

    static Network Double(this Network network, bool really) => really ? network.Double() : network;

    // Blocks: ReLU( x + conv3 ReLU conv3 ReLU conv3 x ), each with its pool before it where there is GroupNorm.
    static Network Blocks(this Network network, int first, int count, bool groupNorm = false)
    {
        for (int i = first; i < first + count; i++)
        {
            network = groupNorm ? network.GroupNormPool($"{i}.pool") : network;
            network.Block($"{i}.conv.0", $"{i}.conv.2", $"{i}.conv.4");
        }

        return network;
    }
}
