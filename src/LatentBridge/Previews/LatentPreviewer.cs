using System.Runtime.InteropServices;
using LatentBridge.Decoders;
using LatentBridge.Formats;
using LatentBridge.Latents;

namespace LatentBridge.Previews;

/// <summary>Turns the latents of one format into pictures, one after the other: the steps of a run, for example.</summary>
/// <remarks>
/// One thread at a time. It keeps its decoder and memory, so each picture after the first costs only its decode. A caller who wants to allocate nothing
/// at all uses <see cref="PreviewRenderer"/>.
/// </remarks>
public sealed class LatentPreviewer : IDisposable
{
    readonly PreviewRenderer _renderer;
    readonly PreviewOptions _options;
    readonly DecoderEntry _entry;
    readonly ILatentDecoder _decoder;
    byte[] _png = [];

    /// <summary>Makes one for a format, with the decoder that the options name.</summary>
    /// <param name="formatId">Id of the latent format, such as <c>SD15</c>, <c>SDXL</c> or <c>Flux</c>, in any case.</param>
    /// <param name="options">What pictures are wanted; null: the defaults. The decoder <c>auto</c> is the best there is.</param>
    /// <exception cref="LatentBridgeException">The format or the decoder is not known; the message names those there are.</exception>
    public LatentPreviewer(string formatId, PreviewOptions? options = null)
        : this(LatentFormats.Get(formatId), options)
    {
    }

    /// <summary>Makes one for a format, with the decoder that the options name.</summary>
    /// <inheritdoc cref="LatentPreviewer(string, PreviewOptions?)"/>
    public LatentPreviewer(LatentFormat format, PreviewOptions? options = null)
    {
        _options = options ?? PreviewOptions.Default;
        _entry = LatentDecoders.Choose(format, LatentDecoders.WeightsOfThisMachine(), _options.Decoder);
        _renderer = new PreviewRenderer(format);
        _decoder = _entry.Load();
    }

    /// <summary>Decodes one latent.</summary>
    /// <exception cref="LatentBridgeException">The latent does not fit the format.</exception>
    public LatentPreview Preview(in Latent latent)
    {
        PreviewOptions options = _options with { Encoding = PreviewEncoding.Rgb24 };
        byte[] rgb = [];
        PreviewResult result = Render(latent, options, ref rgb);
        return new(rgb, result.Width, result.Height, _renderer.Format.Id, _entry.Description.Id);
    }

    /// <summary>Decodes one latent to a PNG file's bytes.</summary>
    /// <exception cref="LatentBridgeException">The latent does not fit the format.</exception>
    public byte[] ToPng(in Latent latent)
    {
        PreviewResult result = Render(latent, _options with { Encoding = PreviewEncoding.Png }, ref _png);
        return _png[..result.ByteLength];
    }

    /// <summary>Decodes one latent of F32 values in the sampler's scale to a PNG file's bytes.</summary>
    /// <param name="latent">Channels x height x width values, channel by channel, row by row.</param>
    /// <param name="height">Cells from top to bottom.</param>
    /// <param name="width">Cells from left to right.</param>
    /// <exception cref="LatentBridgeException">The number of values does not fit the size and the format.</exception>
    public byte[] ToPng(ReadOnlySpan<float> latent, int height, int width) => ToPng(MemoryMarshal.AsBytes(latent), LatentElementType.F32, height, width);

    /// <summary>Decodes one latent of F16 values in the sampler's scale to a PNG file's bytes.</summary>
    /// <inheritdoc cref="ToPng(ReadOnlySpan{float}, int, int)"/>
    public byte[] ToPng(ReadOnlySpan<Half> latent, int height, int width) => ToPng(MemoryMarshal.AsBytes(latent), LatentElementType.F16, height, width);

    /// <inheritdoc/>
    public void Dispose()
    {
        _decoder.Dispose();
        _renderer.Dispose();
    }

    byte[] ToPng(ReadOnlySpan<byte> bytes, LatentElementType type, int height, int width)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        int channels = _renderer.Format.StreamChannels;
        long values = bytes.Length / type.ByteLength();
        return values == (long)channels * height * width
            ? ToPng(new Latent(bytes, type, new(1, channels, 1, height, width)))
            : throw new LatentBridgeException(
                $"{values} values given; a latent of {_renderer.Format.Id} of {height} x {width} cells has {channels} x {height} x {width} = {(long)channels * height * width}. "
                + "Give the size in latent cells, not in pixels.");
    }

    PreviewResult Render(in Latent latent, PreviewOptions options, ref byte[] destination)
    {
        _renderer.Stage(latent, options);
        PreviewResult result = _renderer.Render(_decoder, options, destination, CancellationToken.None);
        if (!result.Fits)
        {
            destination = new byte[result.ByteLength];
            result = _renderer.Render(_decoder, options, destination, CancellationToken.None);
        }

        return result;
    }
}
