using LatentBridge.Networks;
using LatentBridge.Simd;
using LatentBridge.Weights;

namespace LatentBridge.Decoders.Taesd;

/// <summary>The encoders of the TAESD family: a picture to the latent a sampler would hold, in its scale; FLUX.2's unpacked, 32 channels.</summary>
/// <remarks>One encode at a time per instance. After the first of a size, a further one of that size allocates nothing managed.</remarks>
sealed unsafe class TaesdEncoder : IDisposable
{
    /// <summary>The id of its network, as <see cref="FoundWeights.Architecture"/>.</summary>
    public const string Architecture = "taesd-encoder";

    readonly NetworkEngine _engine;
    readonly int _halvings;

    /// <summary>Takes the weights; the tensors are not needed afterwards.</summary>
    /// <exception cref="LatentBridgeException">A weight is NaN or infinite.</exception>
    public TaesdEncoder(NetworkTensors weights)
        : this(weights, Kernel.Width)
    {
    }

    internal TaesdEncoder(NetworkTensors weights, KernelWidth width)
    {
        Network network = weights.Found.Layout.Network!;
        _engine = new NetworkEngine(network, weights.Take, width);
        _halvings = int.Log2(network.Reduction);
        Channels = weights.LatentChannels;
    }

    /// <summary>Channels of the latents.</summary>
    public int Channels { get; }

    /// <summary>Cells of the latent of a picture: an eighth of its side (Sana: a thirty-second), rounded up.</summary>
    public (int Width, int Height) LatentSize(int width, int height)
    {
        int round = (1 << _halvings) - 1;
        return ((width + round) >> _halvings, (height + round) >> _halvings);
    }

    /// <summary>Encodes RGB24 pixels, rows from top to bottom without padding, into planes [C,H,W].</summary>
    /// <param name="pixels">3 x width x height bytes.</param>
    /// <param name="width">Pixels from left to right.</param>
    /// <param name="height">Rows.</param>
    /// <param name="latent"><see cref="Channels"/> planes of <see cref="LatentSize"/>.</param>
    /// <param name="threads">Threads it may use, the caller's included; at least 1.</param>
    /// <param name="cancellation">Looked at often enough to stop within 20 ms.</param>
    /// <exception cref="ArgumentException">A length does not fit the size.</exception>
    /// <exception cref="OperationCanceledException">Stopped; the latent holds nothing of use.</exception>
    public void Encode(ReadOnlySpan<byte> pixels, int width, int height, Span<float> latent, int threads, CancellationToken cancellation)
    {
        if (width < 1 || height < 1 || pixels.Length != 3L * width * height)
        {
            throw new ArgumentException($"{pixels.Length} bytes given; a picture of {width} x {height} has {3L * width * height}.", nameof(pixels));
        }

        (int cellsAcross, int cellsDown) = LatentSize(width, height);
        if (latent.Length != (long)Channels * cellsAcross * cellsDown)
        {
            throw new ArgumentException($"The latent has {latent.Length} values; {Channels} planes of {cellsDown} x {cellsAcross} have {(long)Channels * cellsAcross * cellsDown}.", nameof(latent));
        }

        fixed (byte* from = pixels)
        fixed (float* to = latent)
        {
            _engine.Run(height, width, null, from, to, null, threads, cancellation);
        }
    }

    /// <summary>The same from planes [3][height][width] of 0..1, for comparisons with other implementations.</summary>
    internal void Encode(ReadOnlySpan<float> planes, int width, int height, Span<float> latent)
    {
        fixed (float* from = planes)
        fixed (float* to = latent)
        {
            _engine.Run(height, width, from, null, to, null, 1, CancellationToken.None);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _engine.Dispose();
}
