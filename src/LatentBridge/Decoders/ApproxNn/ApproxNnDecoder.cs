using LatentBridge.Latents;
using LatentBridge.Tensors;
using LatentBridge.Weights;

namespace LatentBridge.Decoders.ApproxNn;

/// <summary>
/// stable-diffusion-webui's "Approx NN" (VAE-approx): two pixels a cell and side. Nearest enlargement, zeros around it once,
/// then eight convolutions without padding, LeakyReLU after each, the last one too.
/// </summary>
public sealed unsafe class ApproxNnDecoder : ILatentDecoder
{
    /// <summary>What people type and status names.</summary>
    public const string Id = "approx-nn";

    readonly ApproxNnLayer[] _layers;
    readonly ApproxNnPicture _picture;
    readonly NetworkThreads _threads = new();

    /// <summary>Takes the weights; the tensors are not needed afterwards.</summary>
    /// <exception cref="LatentBridgeException">A weight is NaN or infinite.</exception>
    public ApproxNnDecoder(NetworkTensors weights)
        : this(weights, Kernel.Width)
    {
    }

    internal ApproxNnDecoder(NetworkTensors weights, KernelWidth width)
    {
        _layers =
        [
            Layer("conv1", 7), // channels -> 8
            Layer("conv2", 5), // 8 -> 16
            Layer("conv3", 3), // 16 -> 32
            Layer("conv4", 3), // 32 -> 64
            Layer("conv5", 3), // 64 -> 32
            Layer("conv6", 3), // 32 -> 16
            Layer("conv7", 3), // 16 -> 8
            Layer("conv8", 3), // 8 -> 3
        ];
        _picture = new(_layers, width);
        Description = Describe(weights.Found);

        ApproxNnLayer Layer(string name, int kernel) => new(kernel, weights.Take(name + ".weight"), weights.Take(name + ".bias"));
    }

    /// <inheritdoc/>
    public DecoderDescription Description { get; }

    /// <summary>What a decoder of these weights is, known without reading them.</summary>
    internal static DecoderDescription Describe(FoundWeights weights) => new(Id, weights.FileName, weights.Channels, 2, 4 * weights.WeightCount, 50);

    /// <inheritdoc/>
    public long WorkingBytes(int latentHeight, int latentWidth) =>
        sizeof(float) * (_layers.Sum(layer => (long)layer.PackedLength) + ApproxNnBand.ScratchLength(_layers, latentWidth));

    /// <inheritdoc/>
    public void Decode(in LatentPlanes latent, Span<byte> destination, int threads, CancellationToken cancellation)
    {
        DecoderArguments.Check(Description, latent, destination);
        fixed (float* values = latent.Values)
        fixed (byte* pixels = destination)
        {
            Run(values, latent.Height, latent.Width, pixels, null, threads, cancellation);
        }
    }

    /// <summary>Decodes into three planes of -1..1 and beyond, for comparisons with other implementations.</summary>
    internal void DecodeUnclamped(in LatentPlanes latent, Span<float> planes)
    {
        fixed (float* values = latent.Values)
        fixed (float* output = planes)
        {
            Run(values, latent.Height, latent.Width, null, output, 1, CancellationToken.None);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _threads.Dispose();

    void Run(float* values, int height, int width, byte* pixels, float* planes, int threads, CancellationToken cancellation)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        cancellation.ThrowIfCancellationRequested();
        int bands = _picture.Prepare(values, height, width, pixels, planes, threads);
        _threads.Prepare(bands, 0, 0);
        _threads.Run(_picture, bands, cancellation);
    }
}
