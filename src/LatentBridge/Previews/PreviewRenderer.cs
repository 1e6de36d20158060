using LatentBridge.Decoders;
using LatentBridge.Formats;
using LatentBridge.Latents;

namespace LatentBridge.Previews;

/// <summary>Turns the latents of one stream into encoded pictures: <see cref="Stage"/>, then <see cref="Render"/> as often as wanted.</summary>
/// <remarks>One thread at a time. Owns its scratch memory; after the first latent of a size it allocates nothing managed.</remarks>
public sealed class PreviewRenderer : IDisposable
{
    /// <summary>Makes one for latents of a format.</summary>
    public PreviewRenderer(LatentFormat format) => Format = format;

    /// <summary>The format it was made for.</summary>
    public LatentFormat Format { get; }

    /// <summary>Pictures staged: 1, or the batch for a grid; 0 before the first <see cref="Stage"/>.</summary>
    public int ItemCount { get; }

    /// <summary>Cells from top to bottom of each staged picture, unpacked.</summary>
    public int PlaneHeight { get; }

    /// <summary>Cells from left to right of each staged picture, unpacked.</summary>
    public int PlaneWidth { get; }

    /// <summary>Values of the staged latent that were NaN or infinite and were replaced.</summary>
    public int NonFiniteCount { get; }

    /// <summary>
    /// Takes over what of a latent is to be shown: the wanted batch item or all, the wanted frame, as F32 in the sampler's
    /// scale, unpacked and finite. Afterwards the caller's memory is free.
    /// </summary>
    /// <exception cref="LatentBridgeException">The latent does not fit the format; the message names both.</exception>
    public void Stage(in Latent latent, PreviewOptions options) => throw new NotSupportedException($"Staging {latent.Shape} comes next.");

    /// <summary>Decodes, composes, scales and encodes what was staged last.</summary>
    /// <param name="decoder">One whose <see cref="DecoderDescription.Channels"/> are the format's <see cref="LatentFormat.PlaneChannels"/>.</param>
    /// <param name="options">Those given to <see cref="Stage"/>.</param>
    /// <param name="destination">Where the bytes go; when there is too little room, nothing is decoded and the result says how much is needed.</param>
    /// <param name="cancellation">Stops within 20 ms.</param>
    /// <exception cref="InvalidOperationException">Nothing was staged.</exception>
    /// <exception cref="OperationCanceledException">Stopped; the destination holds nothing of use.</exception>
    public PreviewResult Render(ILatentDecoder decoder, PreviewOptions options, Span<byte> destination, CancellationToken cancellation) =>
        throw new NotSupportedException($"Rendering {decoder.Description.Id} comes next.");

    /// <summary>Gives the scratch memory back.</summary>
    public void Dispose()
    {
    }
}
