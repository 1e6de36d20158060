using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using LatentBridge.Latents;
using LatentBridge.Tensors;
using LatentBridge.Weights;

namespace LatentBridge.Decoders.ApproxNn;

/// <summary>
/// stable-diffusion-webui's "Approx NN" (VAE-approx): two pixels a cell and side. Nearest enlargement, zeros around it once,
/// then eight convolutions without padding, LeakyReLU after each, the last one too.
/// </summary>
public sealed class ApproxNnDecoder : ILatentDecoder
{
    /// <summary>What people type and status names.</summary>
    public const string Id = "approx-nn";

    readonly ApproxNnLayer[] _layers;
    readonly ApproxNnBand _band;
    readonly KernelWidth _width;

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
        _band = new(_layers);
        _width = width;
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
        var rows = new ByteRows(destination, _width);
        _band.Prepare(latent.Width);
        _band.Run(latent, 0, 2 * latent.Height, ref rows, _width, cancellation);
    }

    /// <summary>Decodes into three planes of -1..1 and beyond, for comparisons with other implementations.</summary>
    internal void DecodeUnclamped(in LatentPlanes latent, Span<float> planes)
    {
        var rows = new FloatRows(planes);
        _band.Prepare(latent.Width);
        _band.Run(latent, 0, 2 * latent.Height, ref rows, _width, CancellationToken.None);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }

    readonly ref struct ByteRows(Span<byte> picture, KernelWidth width) : IRowWriter
    {
        readonly Span<byte> _picture = picture;

        public void Write(int row, ReadOnlySpan<float> planes, int stride, int count) =>
            PixelKernel.Decode(new ColourPlanes(), ref MemoryMarshal.GetReference(planes), stride, _picture.Slice(3 * row * count, 3 * count), width);
    }

    readonly ref struct FloatRows(Span<float> picture) : IRowWriter
    {
        readonly Span<float> _picture = picture;

        public void Write(int row, ReadOnlySpan<float> planes, int stride, int count)
        {
            for (int colour = 0; colour < 3; colour++)
            {
                planes.Slice(colour * stride, count).CopyTo(_picture[(colour * (_picture.Length / 3) + row * count)..]);
            }
        }
    }

    /// <summary>Cells whose three channels are the colour already.</summary>
    readonly struct ColourPlanes : IPixelOperator
    {
        public void Invoke<TLanes, TVector>(ref readonly float cells, nint stride, out TVector red, out TVector green, out TVector blue)
            where TLanes : struct, ILanes<TVector>
            where TVector : struct
        {
            ref float c = ref Unsafe.AsRef(in cells);
            red = Byte<TLanes, TVector>(ref c);
            green = Byte<TLanes, TVector>(ref Unsafe.Add(ref c, stride));
            blue = Byte<TLanes, TVector>(ref Unsafe.Add(ref c, 2 * stride));
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static TVector Byte<TLanes, TVector>(ref readonly float value)
            where TLanes : struct, ILanes<TVector>
            where TVector : struct =>
            TLanes.MultiplyAdd(TLanes.Load(in value), TLanes.Broadcast(PixelKernel.Half), TLanes.Broadcast(PixelKernel.Rounded));
    }
}
