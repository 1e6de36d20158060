using LatentBridge.Latents;

namespace LatentBridge.Decoders;

/// <summary>Turns one latent into one RGB picture. No encoding, no files, no scaling.</summary>
/// <remarks>
/// One decode at a time per instance (it owns its scratch memory); different instances are independent. After the first
/// decode of a size, a further one of that size allocates nothing managed.
/// </remarks>
public interface ILatentDecoder : IDisposable
{
    /// <summary>What it is, what it needs and what it costs.</summary>
    DecoderDescription Description { get; }

    /// <summary>Peak bytes of memory, weights and scratch, that a decode of this many cells takes.</summary>
    long WorkingBytes(int latentHeight, int latentWidth);

    /// <summary>Decodes into <paramref name="destination"/> (RGB24, rows top to bottom, no padding between rows).</summary>
    /// <param name="latent">Planes with <see cref="DecoderDescription.Channels"/> channels.</param>
    /// <param name="destination">Exactly 3 x width x height bytes of <see cref="DecoderDescription.OutputSize"/>.</param>
    /// <param name="threads">Threads it may use, the caller's included; at least 1.</param>
    /// <param name="cancellation">Looked at often enough to stop within 20 ms.</param>
    /// <exception cref="ArgumentException">Channels or destination do not fit; the message says what was expected.</exception>
    /// <exception cref="OperationCanceledException">Stopped; the destination holds nothing of use.</exception>
    void Decode(in LatentPlanes latent, Span<byte> destination, int threads, CancellationToken cancellation);
}
