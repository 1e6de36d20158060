using LatentBridge.Formats;
using LatentBridge.Latents;
using LatentBridge.Simd;

namespace LatentBridge.Decoders.Linear;

/// <summary><c>latent2rgb</c>: one RGB pixel per cell, a linear map of the cell's channels.</summary>
/// <remarks>
/// rgb = sum over c of x[c] factors[c] + bias, in -1..1; clamped, brought to 0..255 and rounded half up. The widths of
/// <see cref="KernelWidth"/> give the same bytes. Later latent frames of a video, whose values are larger, are brought to the colours of the
/// first where the map says how. Threads are not used: it takes microseconds.
/// </remarks>
sealed class LinearDecoder : ILatentDecoder
{
    /// <summary>What people type and status names.</summary>
    public const string Id = "latent2rgb";

    const int CellsBetweenLooks = 1 << 18;

    readonly float[] _weights, _later;
    readonly KernelWidth _width;

    /// <summary>Makes one of a format's colour map.</summary>
    /// <param name="format">The format.</param>
    /// <param name="map">One of <see cref="LatentFormat.RgbMaps"/>; null: the default. Another than the default has its name in the id: <c>latent2rgb:comfyui</c>.</param>
    /// <exception cref="LatentBridgeException">The format has no colour map.</exception>
    public LinearDecoder(LatentFormat format, LatentRgbMap? map = null)
        : this(format, map, Kernel.Width)
    {
    }

    internal LinearDecoder(LatentFormat format, LatentRgbMap? map, KernelWidth width)
    {
        map ??= format.Rgb ?? throw new LatentBridgeException($"Format {format.Id} has no colour map. Use the decoder \"estimated\".");
        _width = width;
        _weights = new float[map.Factors.Length + 3];
        LinearKernel.Prepare(map.Factors, map.Bias, _weights);
        _later = _weights;
        if (map.Later is (var gain, var offset))
        {
            _later = new float[_weights.Length];
            LinearKernel.Prepare(
                [.. map.Factors.ToArray().Select((factor, i) => factor * gain[i % 3])], [.. map.Bias.ToArray().Select((bias, i) => (bias * gain[i]) + offset[i])], _later);
        }

        bool isDefault = ReferenceEquals(map, format.Rgb);
        Description = new DecoderDescription(isDefault ? Id : $"{Id}:{map.Name}", $"{format.Id} ({map.Name})", map.Channels, 1, 3L * map.Channels, isDefault ? 20 : 15);
    }

    /// <inheritdoc/>
    public DecoderDescription Description { get; }

    /// <inheritdoc/>
    public long WorkingBytes(int latentHeight, int latentWidth) => 2 * _weights.Length * sizeof(float);

    /// <inheritdoc/>
    public void Decode(in LatentPlanes latent, Span<byte> destination, int threads, CancellationToken cancellation)
    {
        DecoderArguments.Check(Description, latent, destination);
        float[] weights = latent.FramesBefore > 0 ? _later : _weights;
        for (int from = 0; from < latent.PlaneLength; from += CellsBetweenLooks)
        {
            cancellation.ThrowIfCancellationRequested();
            int to = Math.Min(from + CellsBetweenLooks, latent.PlaneLength);
            LinearKernel.Decode(latent, weights, destination, from, to, _width);
        }
    }

    /// <summary>Holds nothing that must be given back.</summary>
    public void Dispose()
    {
    }
}
