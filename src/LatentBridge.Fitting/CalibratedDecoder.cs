using LatentBridge.Decoders;
using LatentBridge.Latents;

namespace LatentBridge.Fitting;

/// <summary>A map that was learned from one model's own pictures, under its own name. See <see cref="Calibration"/>.</summary>
sealed class CalibratedDecoder(ILatentDecoder map, DecoderDescription description) : ILatentDecoder
{
    public DecoderDescription Description => description;

    public long WorkingBytes(int latentHeight, int latentWidth) => map.WorkingBytes(latentHeight, latentWidth);

    public void Decode(in LatentPlanes latent, Span<byte> destination, int threads, CancellationToken cancellation) => map.Decode(latent, destination, threads, cancellation);

    public void Dispose() => map.Dispose();
}
