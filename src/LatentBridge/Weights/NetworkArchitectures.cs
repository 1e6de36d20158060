using LatentBridge.Decoders.Taesd;
using LatentBridge.Decoders.Tiny;
using LatentBridge.Tensors;

namespace LatentBridge.Weights;

/// <summary>Every network the program knows, with every tensor it has. <c>docs/decoders.md</c> has the layers in words.</summary>
static class NetworkArchitectures
{
    /// <summary>LatentBridge's own tiny decoder.</summary>
    public static readonly NetworkArchitecture Tiny = new("latentbridge-tiny", "LatentBridge tiny decoder", "blocks.0.0.weight", "conv_in.weight", t =>
        t["conv_in.weight"] is [64, (> 0 and <= 1024) and var latent, 3, 3] && t["conv_out.weight"] is [48, 64, 3, 3]
            ? Layout((int)latent, TinyDecoder.Network((int)latent))
            : null);

    /// <summary>The decoder of TAESD and its sisters (taesdxl, taesd3, taef1; taef2 with group norm).</summary>
    public static readonly NetworkArchitecture TaesdDecoder = new("taesd-decoder", "TAESD decoder", "19.weight", "1.weight", t =>
        t["1.weight"] is [64, (> 0 and <= 1024) and var latent, 3, 3] && t["19.weight"] is [3, 64, 3, 3]
            ? Layout((int)latent, TaesdNetworks.Decoder((int)latent, groupNorm: t["3.pool.0.weight"] is not null, half: false))
            : null);

    /// <summary>The decoder of Sana's tiny autoencoder: 32 pixels a cell.</summary>
    public static readonly NetworkArchitecture SanaDecoder = new("taesana-decoder", "TAESANA decoder", "29.weight", "1.weight", t =>
        t["1.weight"] is [256, (> 0 and <= 1024) and var latent, 3, 3] && t["29.weight"] is [3, 64, 3, 3]
            ? Layout((int)latent, TaesdNetworks.SanaDecoder((int)latent, half: false))
            : null);

    /// <summary>The encoder of TAESD and its sisters.</summary>
    public static readonly NetworkArchitecture TaesdEncoder = new("taesd-encoder", "TAESD encoder", "14.weight", "0.weight", t =>
        t["0.weight"] is [64, 3, 3, 3] && t["14.weight"] is [(> 0 and <= 1024) and var latent, 64, 3, 3]
            ? Layout((int)latent, TaesdNetworks.Encoder((int)latent, groupNorm: t["11.pool.0.weight"] is not null))
            : null);

    /// <summary>The encoder of Sana's tiny autoencoder: 32 pixels a cell.</summary>
    public static readonly NetworkArchitecture SanaEncoder = new("taesana-encoder", "TAESANA encoder", "17.weight", "0.weight", t =>
        t["0.weight"] is [32, 3, 3, 3] && t["17.weight"] is [(> 0 and <= 1024) and var latent, 64, 3, 3]
            ? Layout((int)latent, TaesdNetworks.SanaEncoder((int)latent))
            : null);

    /// <summary>stable-diffusion-webui's "Approx NN".</summary>
    public static readonly NetworkArchitecture ApproxNn = new("approx-nn", "VAE-approx (\"Approx NN\")", "conv8.weight", "conv1.weight", t =>
        t["conv1.weight"] is not [8, (> 0 and <= 1024) and var latent, 7, 7] || t["conv8.weight"] is not [3, 8, 3, 3] ? null : new((int)latent,
        [
            .. Convolution("conv1", latent, 8, kernel: 7),
            .. Convolution("conv2", 8, 16, kernel: 5),
            .. Convolution("conv3", 16, 32),
            .. Convolution("conv4", 32, 64),
            .. Convolution("conv5", 64, 32),
            .. Convolution("conv6", 32, 16),
            .. Convolution("conv7", 16, 8),
            .. Convolution("conv8", 8, 3),
        ]));

    /// <summary>Birch-san's multilayer perceptron, latent to colour: any hidden width, any number of hidden layers.</summary>
    public static readonly NetworkArchitecture MlpDecoder = new("mlp-decoder", "per-cell MLP decoder", "in_proj.weight", "in_proj.weight", t =>
        t["in_proj.weight"] is not [> 0 and <= 1024, > 0 and <= 1024] || t["out_proj.weight"] is not [3, _] ? null : Perceptron(t, t["in_proj.weight"]![1]));

    /// <summary>LatentBridge's own: the same behind a 3 x 3 convolution.</summary>
    public static readonly NetworkArchitecture Mlp3x3Decoder = new("mlp-3x3", "MLP decoder of 3 x 3 cells", "in_proj.weight", "in_proj.weight", t =>
        t["in_proj.weight"] is not [> 0 and <= 1024, > 0 and <= 1024, 3, 3] || t["out_proj.weight"] is not [3, _] ? null : Perceptron(t, t["in_proj.weight"]![1]));

    /// <summary>Birch-san's multilayer perceptron, colour to latent.</summary>
    public static readonly NetworkArchitecture MlpEncoder = new("mlp-encoder", "per-cell MLP encoder", "in_proj.weight", "in_proj.weight", t =>
        t["in_proj.weight"] is not [> 0 and <= 1024, 3] || t["out_proj.weight"] is not [(> 3 and <= 128) and var latent, _] ? null : Perceptron(t, latent))
    {
        NotSupported = "it turns pictures into latents; previews go the other way",
    };

    /// <summary>Polynomial of degree 1, 2 or 3 in a cell's channels, or of degree 1 in those of 3 x 3 cells, as <c>fit</c> writes it; or of degree 2 with a full matrix of products.</summary>
    public static readonly NetworkArchitecture Polynomial = new("polynomial", "polynomial map", "polynomial.linear", "polynomial.linear", t =>
        t["polynomial.linear"] is [3, (> 0 and <= 1024) and var neighbours, 3, 3]
        ? new((int)neighbours, [new("polynomial.bias", [3]), new("polynomial.linear", [3, neighbours, 3, 3])])
        : t["polynomial.linear"] is not [3, (> 0 and <= 128) and var c] ? null : new((int)c,
        [
            new("polynomial.bias", [3]),
            new("polynomial.linear", [3, c]),
            .. (t["polynomial.quadratic"], t["polynomial.cubic"]) switch
            {
                (null, null) => Array.Empty<ExpectedTensor>(),
                ([_, _, _], null) => [new("polynomial.quadratic", [3, c, c])],
                _ => [new("polynomial.quadratic", [3, c * (c + 1) / 2])],
            },
            .. t["polynomial.cubic"] is null ? Array.Empty<ExpectedTensor>() : [new("polynomial.cubic", [3, c * (c + 1) * (c + 2) / 6])],
        ]));

    static readonly NetworkArchitecture Taehv = new("taehv", "TAEHV video decoder", "22.weight", "1.weight", t =>
        t["1.weight"] is [256, (> 0 and <= 1024) and var latent, 3, 3] && t["22.weight"] is [_, 64, 3, 3] ? new((int)latent, []) : null)
    {
        NotSupported = "video decoders are not built in yet",
    };

    /// <summary>All of them, in the order they are tried.</summary>
    public static readonly IReadOnlyList<NetworkArchitecture> All =
    [
        Tiny, TaesdDecoder, TaesdDecoder with { IndexShift = -1 }, TaesdEncoder, SanaEncoder, ApproxNn, MlpDecoder, Mlp3x3Decoder, MlpEncoder, Polynomial,
        SanaDecoder, SanaDecoder with { IndexShift = -1 }, Taehv,
    ];

    static NetworkLayout Layout(int latentChannels, Network network) => new(latentChannels, [.. network.Tensors]);

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

    /// <summary>Names of an MLP's hidden layers, in their order; numbers may be left out (an activation between takes one).</summary>
    internal static IEnumerable<string> HiddenLayers(Func<string, bool> has) =>
        Enumerable.Range(0, 64).Select(i => $"hidden_layers.{i}").Where(name => has(name + ".weight"));

    static ExpectedTensor[] Linear(string name, long input, long output) => [new(name + ".weight", [output, input]), new(name + ".bias", [output])];

    static ExpectedTensor[] Convolution(string name, long input, long output, int kernel = 3) =>
        [new(name + ".weight", [output, input, kernel, kernel]), new(name + ".bias", [output])];
}
