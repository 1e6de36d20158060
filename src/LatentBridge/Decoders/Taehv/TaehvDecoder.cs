using LatentBridge.Formats;
using LatentBridge.Latents;
using LatentBridge.Networks;
using LatentBridge.Simd;
using LatentBridge.Weights;

namespace LatentBridge.Decoders.Taehv;

/// <summary>
/// The decoders of the TAEHV family (id <c>taehv</c>): the last picture that a latent frame stands for, exactly as the network makes it
/// of that frame and those just before; or a quick look at a smaller one (<c>taehv-half</c>, <c>taehv-cells</c>).
/// </summary>
/// <remarks>
/// Memory outside the managed heap: the weights, and some rows of every layer and frame for the last size decoded, whatever its height.
/// A further decode of that size with as many frames before allocates nothing managed.
/// </remarks>
sealed unsafe class TaehvDecoder : IClipDecoder
{
    /// <summary>What people type and status names.</summary>
    public const string Id = "taehv";

    /// <summary>The same for half the side.</summary>
    public const string HalfId = "taehv-half";

    /// <summary>The same for a pixel (or a patch of pixels) for each cell.</summary>
    public const string CellsId = "taehv-cells";

    /// <summary>
    /// Frames before the wanted one that a single picture is made of; what they miss of the frames before those is little:
    /// see docs/decoders.md.
    /// </summary>
    public const int FramesBefore = 2;

    /// <summary>Side of the squares of the checkerboard behind a picture with an alpha channel, and its two shades of grey.</summary>
    const int Square = 16;
    const int Light = 204, Dark = 153;

    readonly Network _network;
    readonly FrameEngine _engine;
    readonly string? _variant;
    readonly (float Scale, float Offset)[]? _scale;
    readonly int[][] _wanted;
    readonly int[] _all;
    float[] _scaled = [];
    byte[] _rgba = [];

    /// <summary>Takes the weights; the tensors are not needed afterwards.</summary>
    /// <param name="weights">A decoder of the family.</param>
    /// <param name="format">What its latents are.</param>
    /// <param name="size">How much of the picture is made.</param>
    /// <exception cref="LatentBridgeException">A weight is NaN or infinite.</exception>
    public TaehvDecoder(NetworkTensors weights, LatentFormat format, TaehvSize size = TaehvSize.Full)
        : this(weights, format, size, Kernel.Width)
    {
    }

    internal TaehvDecoder(NetworkTensors weights, LatentFormat format, TaehvSize size, KernelWidth width, int? stripeWidth = null)
    {
        Description = Describe(weights.Found, size);
        _network = Network(weights.Found, size);
        _variant = weights.Found.Variant;
        _scale = ScaleOf(weights.Found, format);
        bool isLeaky = TaehvVariants.IsLeaky(weights.Found.Variant);
        _engine = new FrameEngine(_network, name => isLeaky && name.StartsWith("22.", StringComparison.Ordinal) ? Halved(weights.Take(name)) : weights.Take(name), width, stripeWidth);
        _all = [.. Enumerable.Range(0, _network.FramesPerFrame)];
        _wanted = [.. Enumerable.Range(1, FramesBefore + 1).Select(frames => new[] { (frames * _network.FramesPerFrame) - 1 })];
    }

    /// <inheritdoc/>
    public DecoderDescription Description { get; }

    /// <inheritdoc/>
    public int PicturesPerFrame => _all.Length;

    /// <inheritdoc/>
    public IEnumerable<int> ShownPictures(int frames) => TaehvFrames.Kept(_variant, PicturesPerFrame, frames);

    /// <inheritdoc/>
    public long ClipBytes(int latentHeight, int latentWidth) => _engine.WorkingBytes(latentHeight, latentWidth, threads: 1, FrameMemory.GoesOn, _all);

    bool HasAlpha => _network.OutputChannels == 4;

    /// <summary>What a decoder of these weights is, known without reading them.</summary>
    internal static DecoderDescription Describe(FoundWeights weights, TaehvSize size)
    {
        (string id, int quality) = size switch { TaehvSize.Full => (Id, weights.Architecture == TaehvNetworks.Architecture.Id ? 80 : 81), TaehvSize.Half => (HalfId, 70), _ => (CellsId, 55) };
        Network network = Network(weights, size);
        double cost = NeededFrames.MultiplyAddsPerPixel(network, [network.FramesPerFrame - 1]);
        return new(id, weights.FileName, network.InputChannels, network.Enlargement, (long)cost, quality);
    }

    /// <inheritdoc/>
    public long WorkingBytes(int latentHeight, int latentWidth) =>
        _engine.WorkingBytes(latentHeight, latentWidth, threads: 1, FrameMemory.None, _wanted[^1]);

    /// <inheritdoc/>
    public void Decode(in LatentPlanes latent, Span<byte> destination, int threads, CancellationToken cancellation)
    {
        DecoderArguments.Check(Description, latent, destination.Length);
        if (!HasAlpha)
        {
            fixed (byte* pixels = destination)
            {
                Run(latent, pixels, isBytes: true, threads, cancellation);
            }

            return;
        }

        int length = destination.Length / 3 * 4;
        _rgba = _rgba.Length < length ? GC.AllocateUninitializedArray<byte>(length) : _rgba;
        fixed (byte* pixels = _rgba)
        {
            Run(latent, pixels, isBytes: true, threads, cancellation);
        }

        OverCheckerboard(_rgba.AsSpan(0, length), latent.Width * Description.PixelsPerCell, destination);
    }

    /// <inheritdoc/>
    public void DecodeNext(in LatentPlanes latent, bool isFirst, Span<byte> destination, int threads, CancellationToken cancellation)
    {
        DecoderArguments.Check(Description, latent, destination.Length / PicturesPerFrame);
        fixed (float* planes = _scale is null ? latent.Values : Scaled(latent.Values, latent.PlaneLength))
        fixed (byte* pixels = destination)
        {
            _engine.Run(latent.Height, latent.Width, planes, isFirst ? FrameMemory.Begins : FrameMemory.GoesOn, _all, pixels, isBytes: true, threads, cancellation);
        }
    }

    /// <summary>The network's own output, 0..1 but for overshoots, as planes [channel][height][width].</summary>
    internal void DecodeUnclamped(in LatentPlanes latent, Span<float> destination, int threads, CancellationToken cancellation)
    {
        fixed (float* output = destination)
        {
            Run(latent, output, isBytes: false, threads, cancellation);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _engine.Dispose();

    static Network Network(FoundWeights weights, TaehvSize size)
    {
        Network network = weights.Layout.Network!;
        return weights.Architecture == TaehvNetworks.Architecture.Id ? TaehvNetworks.Decoder(TaehvShape.Of(network), size, TaehvVariants.IsLeaky(weights.Variant))
            : weights.Architecture == TaehvNetworks.WideArchitecture.Id ? TaehvNetworks.Wide(TaehvShape.Of(network), size)
            : network;
    }

    // From the sampler's scale to the VAE's, for the files that want it; CogVideoX 1.5 differs from the latents that taecvx knows by its factor.
    static (float Scale, float Offset)[]? ScaleOf(FoundWeights weights, LatentFormat format)
    {
        if (!TaehvVariants.ReadsVaeScale(weights.Variant) && format.Id != "CogVideoX1_5")
        {
            return null;
        }

        return [.. Enumerable.Range(0, weights.Channels).Select(channel =>
        {
            (float scale, float offset) = format.ToSampler(channel);
            return (1 / scale, -offset / scale);
        })];
    }

    static float[] Halved(float[] values) => [.. values.Select(value => value / 2)];

    static void OverCheckerboard(ReadOnlySpan<byte> rgba, int width, Span<byte> rgb)
    {
        for (int i = 0; i < rgba.Length / 4; i++)
        {
            int behind = (((i % width / Square) + (i / width / Square)) & 1) == 0 ? Light : Dark, alpha = rgba[(4 * i) + 3];
            for (int colour = 0; colour < 3; colour++)
            {
                rgb[(3 * i) + colour] = (byte)(((rgba[(4 * i) + colour] * alpha) + (behind * (255 - alpha)) + 127) / 255);
            }
        }
    }

    void Run(in LatentPlanes latent, void* output, bool isBytes, int threads, CancellationToken cancellation)
    {
        int before = Description.Id == Id && PicturesPerFrame > 1 ? Math.Min(latent.FramesBefore, FramesBefore) : 0;
        ReadOnlySpan<float> values = latent.WithFramesBefore(before);
        fixed (float* planes = _scale is null ? values : Scaled(values, latent.PlaneLength))
        {
            _engine.Run(latent.Height, latent.Width, planes, FrameMemory.None, _wanted[before], output, isBytes, threads, cancellation);
        }
    }

    ReadOnlySpan<float> Scaled(ReadOnlySpan<float> values, int plane)
    {
        _scaled = _scaled.Length < values.Length ? GC.AllocateUninitializedArray<float>(values.Length) : _scaled;
        for (int i = 0; i < values.Length; i += plane)
        {
            (float scale, float offset) = _scale![i / plane % _scale.Length];
            for (int cell = i; cell < i + plane; cell++)
            {
                _scaled[cell] = (values[cell] * scale) + offset;
            }
        }

        return _scaled.AsSpan(0, values.Length);
    }
}
