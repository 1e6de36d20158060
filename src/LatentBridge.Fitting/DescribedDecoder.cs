using LatentBridge.Decoders;
using LatentBridge.Latents;

namespace LatentBridge.Fitting;

/// <summary>A decoder under another name: one that was learned from pictures.</summary>
sealed class DescribedDecoder(ILatentDecoder map, DecoderDescription description) : ILatentDecoder
{
    public DecoderDescription Description => description;

    public long WorkingBytes(int latentHeight, int latentWidth) => map.WorkingBytes(latentHeight, latentWidth);

    public void Decode(in LatentPlanes latent, Span<byte> destination, int threads, CancellationToken cancellation) => map.Decode(latent, destination, threads, cancellation);

    public void Dispose() => map.Dispose();
}
