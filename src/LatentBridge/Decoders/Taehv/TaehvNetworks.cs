using LatentBridge.Networks;
using LatentBridge.Weights;

namespace LatentBridge.Decoders.Taehv;

/// <summary>
/// The tiny video decoders of the TAEHV family, layer by layer as in their source (github.com/madebyollin/taehv, MIT); the numbers
/// are the tensors' keys. Pictures are 0..1. A memory block also reads its own input of the frame before.
/// </summary>
static class TaehvNetworks
{
    /// <summary>The decoders of one shape but for latent channels, pixel shuffle and frames per latent frame.</summary>
    internal static readonly NetworkArchitecture Architecture = new("taehv", "TAEHV video decoder", "22.weight", "1.weight", t =>
        TaehvShape.Of(t, ("1.weight", 256, 3), (7, 256), (13, 128), (19, 64)) is { } shape ? NetworkLayout.Of(shape.Channels, Decoder(shape, TaehvSize.Full, isLeaky: false)) : null)
    {
        Variants = TaehvVariants.All,
    };

    /// <summary>The same with wider, grouped blocks.</summary>
    internal static readonly NetworkArchitecture WideArchitecture = new("taehv-wide", "TAEHV wide video decoder", "22.weight", "1.weight", t =>
        TaehvShape.Of(t, ("1.weight", 1024, 3), (7, 1024), (13, 512), (19, 256)) is { } shape ? NetworkLayout.Of(shape.Channels, Wide(shape, TaehvSize.Full)) : null)
    {
        Variants = [new("taeltx2_3_wide", 128, ["LTXAV"], [])],
    };

    /// <summary>The same with 7x7 convolutions of each channel by itself.</summary>
    internal static readonly NetworkArchitecture SuperArchitecture = new("taehv-super", "TAEHV super video decoder", "22.weight", "0.weight", t =>
        TaehvShape.Of(t, ("0.weight", 512, 1), (7, 256), (14, 128), (21, 64)) is { } shape ? NetworkLayout.Of(shape.Channels, Super(shape)) : null)
    {
        Variants = [new("taew2_2_super", 48, ["Wan22"], []), new("taehv1_5_super", 32, ["HunyuanVideo15"], [])],
    };

    /// <summary>The decoder of Qwen-Image 2.1 in the spelling of diffusers, which leaves the clamp out of the count: RGBA.</summary>
    internal static readonly NetworkArchitecture QwenImageArchitecture = new("taeqi", "TAEQI picture decoder", "20.weight", "1.weight", t =>
        t["1.weight"] is [256, (> 0 and <= 1024) and var latent, 3, 3] && t["20.weight"] is [16, 64, 3, 3]
            ? NetworkLayout.Of(latent, QwenImage((int)latent))
            : null)
    {
        IndexShift = -1,
        Variants = [new("taeqi2_1", 64, ["QwenImage21"], [])],
    };

    /// <summary>KJNodes' decoder of single pictures for MiniMax H3.</summary>
    internal static readonly NetworkArchitecture H3PictureArchitecture = new("taeh3-picture", "TAEH3 picture decoder", "23.weight", "1.weight", t =>
        t["1.weight"] is [96, (> 0 and <= 1024) and var latent, 3, 3] && t["23.weight"] is [3, 64, 3, 3]
            ? NetworkLayout.Of(latent, H3Picture((int)latent))
            : null)
    {
        Variants = [new("taeh3-picture", 24, ["MiniMaxH3Video", "MiniMaxH3AV"], [])],
    };

    /// <summary>taehv, taew2_1, taew2_2, taehv1_5, taecvx, taeos1_3, taeh3, taeltx_2, taeltx2_3 and LightX2V's three.</summary>
    public static Network Decoder(TaehvShape shape, TaehvSize size, bool isLeaky) => new Network(shape.Channels) { Leak = isLeaky ? 0.2f : 0 }
        .Clamp()                                                                                                            // 0
        .Convolution("1", 256).Relu().MemoryBlocks(3, 3)                                                                    // 1 to 5
        .Double(size < TaehvSize.Cells).Grow("7", shape.Strides.First, size).Convolution("8", 128, bias: false).MemoryBlocks(9, 3)      // 6 to 11
        .Double(size < TaehvSize.Cells).Grow("13", shape.Strides.Second, size).Convolution("14", 64, bias: false).MemoryBlocks(15, 3)   // 12 to 17
        .Double(size < TaehvSize.Half).Grow("19", shape.Strides.Third, size).Convolution("20", 64, bias: false).Relu()                  // 18 to 21
        .Convolution("22", 3 * shape.Patch * shape.Patch).PixelShuffle(shape.Patch).Add(isLeaky ? 0.5f : 0);                // 22

    /// <summary>taeltx2_3_wide. Its 1x1 convolutions stay by themselves where folding them would take seconds; before the doubling they cost next to nothing.</summary>
    public static Network Wide(TaehvShape shape, TaehvSize size) => new Network(shape.Channels)
        .Clamp()                                                                                                            // 0
        .Convolution("1", 1024).Relu().WideBlocks(3)                                                                        // 1 to 5
        .GrowAlone("7", shape.Strides.First, size).Double(size < TaehvSize.Cells).Convolution("8", 512, bias: false).WideBlocks(9)       // 6 to 11
        .GrowAlone("13", shape.Strides.Second, size).Double(size < TaehvSize.Cells).Convolution("14", 256, bias: false).WideBlocks(15)   // 12 to 17
        .Double(size < TaehvSize.Half).Grow("19", shape.Strides.Third, size).Convolution("20", 64, bias: false).Relu()      // 18 to 21
        .Convolution("22", 3 * shape.Patch * shape.Patch).PixelShuffle(shape.Patch);                                        // 22

    /// <summary>taew2_2_super and taehv1_5_super.</summary>
    public static Network Super(TaehvShape shape) => new Network(shape.Channels)
        .Pointwise("0", 512, bias: false).SuperBlocks(1)                                        // 0 to 3
        .Unfold("4", 256).GrowAlone("7", shape.Strides.First).SuperBlocks(8)                    // 4 to 10
        .Unfold("11", 128).GrowAlone("14", shape.Strides.Second).SuperBlocks(15)                // 11 to 17
        .Unfold("18", 64).Grow("21", shape.Strides.Third)                                       // 18 to 21
        .Convolution("22", 3 * shape.Patch * shape.Patch).PixelShuffle(shape.Patch);            // 22

    /// <summary>taeqi2_1: 16 pixels per cell, four channels.</summary>
    public static Network QwenImage(int latentChannels) => new Network(latentChannels)
        .Clamp()                                                            // 0
        .Convolution("1", 256).Relu().Blocks(3, 3)                          // 1 to 5
        .Double().Convolution("7", 128, bias: false).Blocks(8, 3)           // 6 to 10
        .Double().Convolution("12", 64, bias: false).Blocks(13, 3)          // 11 to 15
        .Double().Convolution("17", 64, bias: false).Blocks(18, 1)          // 16 to 18
        .Convolution("20", 16).PixelShuffle(2);

    /// <summary>The picture decoder of MiniMax H3: 16 pixels per cell.</summary>
    public static Network H3Picture(int latentChannels) => new Network(latentChannels)
        .Clamp()                                                            // 0
        .Convolution("1", 96).Relu().Blocks(3, 3)                           // 1 to 5
        .Double().Convolution("7", 96, bias: false).Blocks(8, 3)            // 6 to 10
        .Double().Convolution("12", 96, bias: false)                        // 11, 12
        .Block(64, "13.skip", "13.conv.0", "13.conv.2", "13.conv.4").Blocks(14, 2) // 13 to 15
        .Double().Convolution("17", 64, bias: false).Blocks(18, 2)          // 16 to 19
        .Double().Convolution("21", 64, bias: false).Blocks(22, 1)          // 20 to 22
        .Convolution("23", 3);                                              // 23

    static Network Double(this Network network, bool really) => really ? network.Double() : network;

    // A smaller picture is a quick look: of the frames that a latent frame stands for, only the last is made at any rate.
    static Network Grow(this Network network, string key, int frames, TaehvSize size) => network.Grow(key, frames, onlyLast: size != TaehvSize.Full);

    static Network GrowAlone(this Network network, string key, int frames, TaehvSize size) => network.GrowAlone(key, frames, onlyLast: size != TaehvSize.Full);

    static Network MemoryBlocks(this Network network, int first, int count)
    {
        for (int i = first; i < first + count; i++)
        {
            network.MemoryBlock($"{i}.conv.0", $"{i}.conv.2", $"{i}.conv.4");
        }

        return network;
    }

    static Network WideBlocks(this Network network, int first) =>
        network.GroupedMemoryBlock($"{first}", 64).GroupedMemoryBlock($"{first + 1}", 64).GroupedMemoryBlock($"{first + 2}", 64);

    static Network SuperBlocks(this Network network, int first) =>
        network.DepthwiseMemoryBlock($"{first}").DepthwiseMemoryBlock($"{first + 1}").DepthwiseMemoryBlock($"{first + 2}");

    static Network Blocks(this Network network, int first, int count)
    {
        for (int i = first; i < first + count; i++)
        {
            network.Block($"{i}.conv.0", $"{i}.conv.2", $"{i}.conv.4");
        }

        return network;
    }
}

/// <summary>How much of the picture is made.</summary>
enum TaehvSize
{
    /// <summary>All of it, exactly.</summary>
    Full,

    /// <summary>Half its side: the last doubling is left out.</summary>
    Half,

    /// <summary>An eighth of its side, a pixel (or a patch of pixels) for each cell: all doublings are left out.</summary>
    Cells,
}

/// <summary>What the files of one architecture differ in.</summary>
/// <param name="Channels">Latent channels.</param>
/// <param name="Patch">Side of the square of pixels that the network's last pixel becomes.</param>
/// <param name="Strides">Frames that a frame becomes, three times.</param>
sealed record TaehvShape(int Channels, int Patch, (int First, int Second, int Third) Strides)
{
    /// <summary>As a network of this architecture has it.</summary>
    public static TaehvShape Of(Network network)
    {
        int[] strides = [.. network.Layers.OfType<ConvolutionLayer>().Where(layer => layer.Growth is not null).Select(layer => layer.Growth!.Stored)];
        return new(network.InputChannels, network.Shuffle, (strides[0], strides[1], strides[2]));
    }

    /// <summary>As the tensors' shapes say; null where they are those of another network.</summary>
    /// <param name="t">The shapes.</param>
    /// <param name="first">The first convolution.</param>
    /// <param name="grows">Where frames become several, and of how many channels.</param>
    public static TaehvShape? Of(TensorShapes t, (string Key, int Outputs, int Side) first, params ReadOnlySpan<(int Key, int Channels)> grows)
    {
        if (t[first.Key] is not [var outputs, (> 0 and <= 1024) and var latent, var side, _] || outputs != first.Outputs || side != first.Side
            || t["22.weight"] is not [(3 or 12 or 48) and var colours, 64, 3, 3])
        {
            return null;
        }

        (int, int, int)? strides = (Stride(grows[0]), Stride(grows[1]), Stride(grows[2])) is ({ } one, { } two, { } three) ? (one, two, three) : null;
        return strides is null ? null : new((int)latent, (int)Math.Sqrt(colours / 3), strides.Value);

        int? Stride((int Key, int Channels) grow) =>
            t[$"{grow.Key}.conv.weight"] is [var rows, var columns, 1, 1] && columns == grow.Channels && (rows == columns || rows == 2 * columns) ? (int)(rows / columns) : null;
    }
}
