using LatentBridge.Latents;
using LatentBridge.Networks;
using LatentBridge.Simd;
using LatentBridge.Weights;

namespace LatentBridge.Decoders;

/// <summary>A decoder that is a convolutional network: <see cref="Tiny.TinyDecoder"/>, <see cref="Taesd.TaesdDecoder"/>.</summary>
/// <remarks>
/// Memory outside the managed heap: the weights, and some rows of every layer for the last size decoded (a few dozen times the
/// picture's width, whatever its height). A further decode of that size with the same threads allocates nothing managed.
/// </remarks>
abstract unsafe class NetworkDecoder : ILatentDecoder
{
    readonly NetworkEngine _engine;

    private protected NetworkDecoder(DecoderDescription description, Network network, NetworkTensors weights, KernelWidth width)
    {
        Description = description;
        _engine = new NetworkEngine(network, weights.Take, width);
    }

    /// <inheritdoc/>
    public DecoderDescription Description { get; }

    /// <inheritdoc/>
    public long WorkingBytes(int latentHeight, int latentWidth) => _engine.WorkingBytes(latentHeight, latentWidth, threads: 1);

    /// <inheritdoc/>
    public void Decode(in LatentPlanes latent, Span<byte> destination, int threads, CancellationToken cancellation)
    {
        DecoderArguments.Check(Description, latent, destination.Length);
        fixed (float* planes = latent.Values)
        fixed (byte* pixels = destination)
        {
            _engine.Run(latent.Height, latent.Width, planes, null, null, pixels, threads, cancellation);
        }
    }

    /// <summary>The network's own output, 0..1 but for overshoots, as planes [3][height][width].</summary>
    internal void DecodeUnclamped(in LatentPlanes latent, Span<float> destination, int threads, CancellationToken cancellation)
    {
        DecoderArguments.Check(Description, latent, destination.Length);
        fixed (float* planes = latent.Values)
        fixed (float* output = destination)
        {
            _engine.Run(latent.Height, latent.Width, planes, null, output, null, threads, cancellation);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _engine.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>What a network's decoder says of itself.</summary>
    private protected static DecoderDescription Describe(string id, FoundWeights weights, Network network, int quality) =>
        new(id, weights.FileName, network.InputChannels, network.Enlargement, (long)network.MultiplyAddsPerPixel, quality);
}
