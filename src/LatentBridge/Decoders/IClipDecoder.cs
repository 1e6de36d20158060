using LatentBridge.Latents;

namespace LatentBridge.Decoders;

/// <summary>A decoder that remembers: it makes all pictures of a clip, latent frame after latent frame.</summary>
interface IClipDecoder : ILatentDecoder
{
    /// <summary>Pictures that one latent frame makes.</summary>
    int PicturesPerFrame { get; }

    /// <summary>Which of the pictures that so many latent frames make are part of the clip, counted from 0, in order.</summary>
    IEnumerable<int> ShownPictures(int frames);

    /// <summary>Peak bytes of memory that <see cref="DecodeNext"/> takes for frames of this many cells.</summary>
    long ClipBytes(int latentHeight, int latentWidth);

    /// <summary>Makes the pictures of the clip's next latent frame.</summary>
    /// <param name="latent">Planes of that frame.</param>
    /// <param name="isFirst">It is the clip's first one: nothing is remembered.</param>
    /// <param name="destination">Room for <see cref="PicturesPerFrame"/> pictures, one behind the other.</param>
    /// <param name="threads">Threads it may use, the caller's included; at least 1.</param>
    /// <param name="cancellation">Looked at often enough to stop within 20 ms; the clip must then begin anew.</param>
    /// <exception cref="ArgumentException">Channels or destination do not fit; the message says what was expected.</exception>
    void DecodeNext(in LatentPlanes latent, bool isFirst, Span<byte> destination, int threads, CancellationToken cancellation);
}
