using System.Diagnostics;
using LatentBridge.Decoders;
using LatentBridge.Decoders.Estimated;
using LatentBridge.Decoders.Sound;
using LatentBridge.Formats;
using LatentBridge.Imaging;
using LatentBridge.Imaging.Png;
using LatentBridge.Imaging.Scaling;
using LatentBridge.Latents;
using LatentBridge.Simd;

namespace LatentBridge.Previews;

/// <summary>Turns the latents of one stream into encoded pictures: <see cref="Stage"/>, then <see cref="Render"/> as often as wanted.</summary>
/// <remarks>One thread at a time. Owns its scratch memory; after the first latent of a size it allocates nothing managed.</remarks>
public sealed class PreviewRenderer : IDisposable
{
    readonly LatentStaging _staging;
    readonly ImageScaler _scaler = new();
    readonly PngEncoder _png = new();
    readonly SoundStrip _strip = new();
    readonly IPictureEncoder[] _encoders;
    long[] _axes = [];
    AxisReading? _reading;
    byte[] _arranged = [];
    byte[] _decoded = [];
    byte[] _tile = [];
    byte[] _picture = [];
    (int Width, int Height)? _drawn;

    /// <summary>Longest side in pixels of a strip of sound where nobody names one.</summary>
    internal const int UsualStripSide = SoundStrip.UsualSide;

    /// <summary>Makes one for latents of a format.</summary>
    /// <param name="format">The format.</param>
    /// <param name="encoders">For the encodings that are not built in; null: none.</param>
    public PreviewRenderer(LatentFormat format, IReadOnlyList<IPictureEncoder>? encoders = null)
    {
        Format = format;
        _encoders = [.. encoders ?? []];
        _staging = new LatentStaging(format);
    }

    /// <summary>The format it was made for.</summary>
    public LatentFormat Format { get; }

    /// <summary>Pictures staged: 1, or the batch for a grid; 0 before the first <see cref="Stage"/>.</summary>
    public int ItemCount => _staging.ItemCount;

    /// <summary>Cells from top to bottom of each staged picture, unpacked.</summary>
    public int PlaneHeight => _staging.Height;

    /// <summary>Cells from left to right of each staged picture, unpacked.</summary>
    public int PlaneWidth => _staging.Width;

    /// <summary>Values of the staged latent that were NaN or infinite and were replaced.</summary>
    public int NonFiniteCount => _staging.NonFiniteCount;

    /// <summary>What a decoder gets of a staged picture; valid until the next <see cref="Stage"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such picture.</exception>
    public LatentPlanes Planes(int item) => _staging.Planes(item);

    /// <summary>
    /// Takes over what of a latent is to be shown: the wanted batch item or all, the wanted frame, as F32 in the sampler's
    /// scale, unpacked and finite. Afterwards the caller's memory is free.
    /// </summary>
    /// <remarks>
    /// NaN becomes 0; values beyond 65504, infinities too, become 65504 with their sign. A one-dimensional latent of N cells
    /// becomes rows of ceil(sqrt(N)) cells, read like text; the last row is filled up with the last cell.
    /// </remarks>
    /// <exception cref="LatentBridgeException">The latent does not fit the format; the message names both.</exception>
    public void Stage(in Latent latent, PreviewOptions options) => _staging.Take(latent, options, Kernel.Width, TakesAllFrames);

    /// <summary>Whether <see cref="Stage"/> takes over all frames of one item of a video, of which <see cref="ShowFrame"/> then chooses.</summary>
    internal bool TakesAllFrames { get; init; }

    /// <summary>Frames staged: more than one where <see cref="TakesAllFrames"/>, or where the frames before the wanted one were there.</summary>
    internal int FrameCount => ItemCount == 0 ? 0 : _staging.FramesBefore + 1;

    /// <summary>Whether pictures can be encoded as this.</summary>
    internal bool Encodes(PreviewEncoding encoding) => encoding is PreviewEncoding.Png or PreviewEncoding.Rgb24 || Array.Exists(_encoders, encoder => encoder.Encoding == encoding);

    /// <summary>Chooses which of the staged frames is shown.</summary>
    internal void ShowFrame(int frame) => _staging.Shown = frame;

    /// <summary>The same for an array of any axes, which <see cref="LatentAxes"/> reads.</summary>
    /// <param name="elements">The array's bytes, row-major and little-endian.</param>
    /// <param name="elementType">What an element is.</param>
    /// <param name="axes">The array's axes, outermost first.</param>
    /// <param name="space">Which scale the values are in.</param>
    /// <param name="options">What is wanted.</param>
    /// <exception cref="LatentBridgeException">The axes do not fit the format; the message names both.</exception>
    public void StageArray(ReadOnlySpan<byte> elements, LatentElementType elementType, ReadOnlySpan<long> axes, LatentSpace space, PreviewOptions options)
    {
        if (_reading is null || !axes.SequenceEqual(_axes))
        {
            _reading = LatentAxes.Read(axes, Format, default, out string? fault, out _) ?? throw new LatentBridgeException($"{fault}.");
            _axes = axes.ToArray();
        }

        if (!_reading.IsInPlace)
        {
            Span<byte> arranged = Reserve(ref _arranged, elements.Length);
            _reading.Arrange(elements, elementType.ByteLength(), arranged);
            elements = arranged;
        }

        Stage(new Latent(elements, elementType, _reading.Shape, space), options);
    }

    /// <summary>Decodes, scales, composes and encodes what was staged last.</summary>
    /// <remarks>The pictures of a grid are scaled one by one, so that its longer side is at most <see cref="PreviewOptions.Size"/>.</remarks>
    /// <param name="decoder">One whose <see cref="DecoderDescription.Channels"/> are the format's <see cref="LatentFormat.PlaneChannels"/>.</param>
    /// <param name="options">Those given to <see cref="Stage"/>.</param>
    /// <param name="destination">
    /// Where the bytes go. With less room than the encoding can take at worst (PNG: <see cref="PngEncoder.MaximumLength"/>; JPEG and WebP have
    /// no such bound, and the same is asked for) nothing is decoded and the result says how much is needed.
    /// </param>
    /// <param name="cancellation">Stops within 20 ms.</param>
    /// <exception cref="InvalidOperationException">Nothing was staged.</exception>
    /// <exception cref="ArgumentException">The decoder reads another number of channels.</exception>
    /// <exception cref="LatentBridgeException">The picture would be too large, or the encoding is not to be had here.</exception>
    /// <exception cref="OperationCanceledException">Stopped; the destination holds nothing of use.</exception>
    public PreviewResult Render(ILatentDecoder decoder, PreviewOptions options, Span<byte> destination, CancellationToken cancellation)
    {
        if (ItemCount == 0)
        {
            throw new InvalidOperationException("Nothing was staged: call Stage first.");
        }

        PreviewLayout layout = DrawsStrips(decoder) ? PreviewLayout.OfStrips(ItemCount, options) : PreviewLayout.Of(decoder.Description, PlaneHeight, PlaneWidth, ItemCount, options);
        IPictureEncoder? encoder = FindEncoder(options.Encoding);
        int needed = NeededLength(options.Encoding, layout.Width, layout.Height);
        if (destination.Length < needed)
        {
            return new PreviewResult(needed, layout.Width, layout.Height, options.Encoding, 0, 0, NonFiniteCount, Fits: false);
        }

        long start = Stopwatch.GetTimestamp();
        Span<byte> picture = Reserve(ref _picture, layout.ByteLength);
        _drawn = null;
        Draw(decoder, layout, options, picture, cancellation);
        _drawn = (layout.Width, layout.Height);
        long drawn = Stopwatch.GetTimestamp();
        int length = Encode(encoder, picture, layout.Width, layout.Height, options, destination);
        return new PreviewResult(
            length,
            layout.Width,
            layout.Height,
            options.Encoding,
            Stopwatch.GetElapsedTime(start, drawn).TotalMilliseconds,
            Stopwatch.GetElapsedTime(drawn).TotalMilliseconds,
            NonFiniteCount,
            Fits: length <= destination.Length);
    }

    /// <summary>Gives the scratch memory back.</summary>
    public void Dispose() => (_arranged, _decoded, _tile, _picture, _drawn) = ([], [], [], [], null);

    /// <summary>Encodes the picture that <see cref="Render"/> drew last once more, smaller or as something else. Nothing is decoded.</summary>
    /// <param name="options">Of these the size (at most the picture's own; 0: that), scaling, encoding and quality.</param>
    /// <param name="destination">Where the bytes go, with room as for <see cref="Render"/>.</param>
    /// <returns>Null when nothing was drawn, or the last picture was stopped half-way.</returns>
    /// <exception cref="LatentBridgeException">The encoding is not to be had here.</exception>
    internal PreviewResult? EncodeAgain(PreviewOptions options, Span<byte> destination)
    {
        if (_drawn is not { } drawn)
        {
            return null;
        }

        (int width, int height) = PreviewLayout.Within(drawn.Width, drawn.Height, options.Size);
        IPictureEncoder? encoder = FindEncoder(options.Encoding);
        int needed = NeededLength(options.Encoding, width, height);
        if (destination.Length < needed)
        {
            return new PreviewResult(needed, width, height, options.Encoding, 0, 0, NonFiniteCount, Fits: false);
        }

        long start = Stopwatch.GetTimestamp();
        Span<byte> picture = _picture.AsSpan(0, 3 * drawn.Width * drawn.Height);
        if (width != drawn.Width || height != drawn.Height)
        {
            Span<byte> scaled = Reserve(ref _tile, 3 * width * height);
            _scaler.Scale(picture, drawn.Width, drawn.Height, scaled, width, height, options.Scaling);
            picture = scaled;
        }

        int length = Encode(encoder, picture, width, height, options, destination);
        return new PreviewResult(length, width, height, options.Encoding, 0, Stopwatch.GetElapsedTime(start).TotalMilliseconds, NonFiniteCount, Fits: length <= destination.Length);
    }

    int Encode(IPictureEncoder? encoder, ReadOnlySpan<byte> picture, int width, int height, PreviewOptions options, Span<byte> destination)
    {
        if (options.Encoding == PreviewEncoding.Rgb24)
        {
            picture.CopyTo(destination);
            return picture.Length;
        }

        return encoder?.Encode(picture, width, height, options.Quality, destination) ?? _png.Encode(picture, width, height, 3, destination);
    }

    static int NeededLength(PreviewEncoding encoding, int width, int height) =>
        encoding == PreviewEncoding.Rgb24 ? 3 * width * height : PngEncoder.MaximumLength(width, height, 3);

    /// <returns>Null for what is built in.</returns>
    IPictureEncoder? FindEncoder(PreviewEncoding encoding)
    {
        if (encoding is PreviewEncoding.Rgb24 or PreviewEncoding.Png)
        {
            return null;
        }

        foreach (IPictureEncoder encoder in _encoders)
        {
            if (encoder.Encoding == encoding)
            {
                return encoder;
            }
        }

        throw new LatentBridgeException($"The encoding {encoding} has no encoder here. Choose png or rgb24, or give the renderer one (LatentBridge.ImageSharp has JPEG and WebP).");
    }

    void Draw(ILatentDecoder decoder, PreviewLayout layout, PreviewOptions options, Span<byte> picture, CancellationToken cancellation)
    {
        int threads = options.Threads > 0 ? options.Threads : Math.Max(1, Environment.ProcessorCount / 2);
        if (ItemCount > 1)
        {
            picture.Clear();
            if (decoder is EstimatedDecoder estimated)
            {
                ObserveAll(estimated, cancellation);
            }
        }

        for (int item = 0; item < ItemCount; item++)
        {
            Span<byte> tile = ItemCount == 1 ? picture : Reserve(ref _tile, 3 * layout.TileWidth * layout.TileHeight);
            Span<byte> decoded = layout.IsScaled ? Reserve(ref _decoded, 3 * layout.DecodedWidth * layout.DecodedHeight) : tile;
            if (DrawsStrips(decoder))
            {
                (int rows, int stride, int cells) = _staging.Rows;
                _strip.Draw(_staging.Planes(item).Values, rows, stride, cells, Format.CellsPerSecond, layout.TileWidth, layout.TileHeight, decoded, cancellation);
            }
            else
            {
                decoder.Decode(_staging.Planes(item), decoded, threads, cancellation);
            }

            if (layout.IsScaled)
            {
                _scaler.Scale(decoded, layout.DecodedWidth, layout.DecodedHeight, tile, layout.TileWidth, layout.TileHeight, options.Scaling);
            }

            if (ItemCount > 1)
            {
                ImageGrid.Place(tile, layout.TileWidth, layout.TileHeight, picture, layout.Columns, item);
            }
        }
    }

    bool DrawsStrips(ILatentDecoder decoder) => Format.CellsPerSecond > 0 && decoder is SoundDecoder;

    void ObserveAll(EstimatedDecoder decoder, CancellationToken cancellation)
    {
        for (int item = 0; item < ItemCount; item++)
        {
            decoder.Observe(_staging.Planes(item), cancellation);
        }
    }

    static Span<byte> Reserve(ref byte[] buffer, int length)
    {
        if (buffer.Length < length)
        {
            buffer = GC.AllocateUninitializedArray<byte>(length);
        }

        return buffer.AsSpan(0, length);
    }
}
