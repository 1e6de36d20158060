using LatentBridge.Latents;
using LatentBridge.Simd;

namespace LatentBridge.Decoders.Estimated;

/// <summary><c>estimated</c>: a picture of any latent without a colour table, from its own three principal components.</summary>
/// <remarks>
/// The first component becomes brightness, the second red against green, the third yellow against blue; 2.5 standard deviations
/// reach black and white. The colours mean nothing by themselves. Mean, covariance and with them basis and range are
/// carried over from picture to picture (<see cref="ChannelMoments"/>), so that a run does not flicker: use one instance for a run.
/// One channel gives grey; a constant latent gives mid-grey.
/// </remarks>
sealed class EstimatedDecoder : ILatentDecoder
{
    /// <summary>What people type and status names.</summary>
    public const string Id = "estimated";

    /// <summary>Standard deviations from the mean to black and to white.</summary>
    const double Reach = 2.5;

    /// <summary>Colour is never enlarged beyond this part of the brightness's range: noise stays grey.</summary>
    const double LeastColourRange = 0.25;

    const int CellsBetweenLooks = 1 << 18;

    /// <summary>What each component adds to red, green and blue.</summary>
    static readonly double[][] ComponentColours = [[1, 1, 1], [0.5, -0.5, 0], [0.35, 0.35, -0.7]];

    readonly ChannelMoments _moments;
    readonly PrincipalComponents _components;
    readonly float[] _factors;
    readonly float[] _bias = new float[3];
    readonly float[] _weights;
    readonly KernelWidth _width;

    /// <summary>Pictures observed since the last step, and observed ones that are still to be decoded.</summary>
    int _observed;
    int _waiting;

    /// <summary>Makes one for latents of so many channels, 1 or more.</summary>
    public EstimatedDecoder(int channels)
        : this(channels, Kernel.Width)
    {
    }

    internal EstimatedDecoder(int channels, KernelWidth width)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(channels, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(channels, LatentShape.MaximumAxis);
        _moments = new ChannelMoments(channels);
        _components = new PrincipalComponents(_moments.Channels);
        _factors = new float[3 * channels];
        _weights = new float[(3 * channels) + 3];
        _width = width;
        long pairs = _moments.Channels * (_moments.Channels + 1L) / 2;
        Description = new DecoderDescription(Id, "the latent itself", channels, 1, (3L * channels) + pairs, 10);
    }

    /// <inheritdoc/>
    public DecoderDescription Description { get; }

    /// <inheritdoc/>
    public long WorkingBytes(int latentHeight, int latentWidth) =>
        (24L * Description.Channels) + (16L * _moments.Channels * _moments.Channels);

    /// <summary>
    /// Takes a picture of the step to come into account. A grid's pictures are all observed before the first is decoded, so that they
    /// share their colours; without that, <see cref="Decode"/> observes the one it is given.
    /// </summary>
    /// <exception cref="OperationCanceledException">Stopped; what was observed of this step is forgotten.</exception>
    public void Observe(in LatentPlanes latent, CancellationToken cancellation)
    {
        try
        {
            _moments.Add(latent, _width, cancellation);
            _observed++;
        }
        catch (OperationCanceledException)
        {
            _moments.Clear();
            _observed = 0;
            throw;
        }
    }

    /// <inheritdoc/>
    public void Decode(in LatentPlanes latent, Span<byte> destination, int threads, CancellationToken cancellation)
    {
        DecoderArguments.Check(Description, latent, destination);
        if (_observed == 0 && _waiting == 0)
        {
            Observe(latent, cancellation);
        }

        if (_observed > 0)
        {
            _moments.Step();
            _components.Follow(_moments.Covariance);
            FindMap();
            (_waiting, _observed) = (_observed, 0);
        }

        _waiting--;
        for (int from = 0; from < latent.PlaneLength; from += CellsBetweenLooks)
        {
            if (cancellation.IsCancellationRequested)
            {
                _waiting = 0;
                cancellation.ThrowIfCancellationRequested();
            }

            int to = Math.Min(from + CellsBetweenLooks, latent.PlaneLength);
            LinearKernel.Decode(latent, _weights, destination, from, to, _width);
        }
    }

    /// <summary>Holds nothing that must be given back.</summary>
    public void Dispose()
    {
    }

    void FindMap()
    {
        Span<double> bias = [0, 0, 0];
        Array.Clear(_factors);
        double brightness = _components.Deviation(0);
        for (int component = 0; component < _components.Count && brightness > _moments.Negligible; component++)
        {
            double scale = 1 / (Reach * Math.Max(_components.Deviation(component), LeastColourRange * brightness));
            ReadOnlySpan<double> vector = _components.Vector(component);
            for (int channel = 0; channel < vector.Length; channel++)
            {
                for (int r = 0; r < 3; r++)
                {
                    double factor = vector[channel] * scale * ComponentColours[component][r];
                    _factors[(3 * channel) + r] += (float)factor;
                    bias[r] -= factor * _moments.Mean[channel];
                }
            }
        }

        for (int r = 0; r < 3; r++)
        {
            _bias[r] = (float)bias[r];
        }

        LinearKernel.Prepare(_factors, _bias, _weights);
    }
}
