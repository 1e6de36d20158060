using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using LatentBridge.Latents;
using LatentBridge.Simd;

namespace LatentBridge.Decoders.Estimated;

/// <summary>Mean and covariance of a run's channels over the cells, followed smoothly from step to step.</summary>
/// <remarks>
/// A large latent is sampled: blocks of 128 cells, evenly spread, as many as keep the work within some ten million
/// multiply-adds. Beyond 512 channels only the first 512 count.
/// </remarks>
sealed class ChannelMoments
{
    const int MaximumChannels = 512;
    const int BlockLength = 128;
    const int LeastCells = 1024;
    const int MostCells = 1 << 16;
    const int ProductsWanted = 1 << 25;

    /// <summary>How much of a new step's moments enters; the rest is the past's.</summary>
    const double Weight = 0.3;

    /// <summary>A total variance this many times larger or smaller than the past's is a break: the past is forgotten.</summary>
    const double Break = 16;

    static readonly float[] Ones = [.. Enumerable.Repeat(1f, BlockLength)];

    readonly double[] _mean;
    readonly double[] _covariance;
    readonly double[] _newMean;
    readonly double[] _newCovariance;
    long _count;
    bool _hasPast;

    public ChannelMoments(int channels)
    {
        Channels = Math.Min(channels, MaximumChannels);
        _mean = new double[Channels];
        _newMean = new double[Channels];
        _covariance = new double[Channels * Channels];
        _newCovariance = new double[Channels * Channels];
    }

    /// <summary>Channels that count.</summary>
    public int Channels { get; }

    /// <summary>Mean of each channel.</summary>
    public ReadOnlySpan<double> Mean => _mean;

    /// <summary>Covariance, row by row, symmetric.</summary>
    public ReadOnlySpan<double> Covariance => _covariance;

    /// <summary>Standard deviations up to this are rounding, not content.</summary>
    public double Negligible
    {
        get
        {
            double square = 0;
            foreach (double mean in _mean)
            {
                square += mean * mean;
            }

            return 1e-6 + (1e-3 * Math.Sqrt(square));
        }
    }

    /// <summary>Adds a picture of the step to come.</summary>
    public void Add(in LatentPlanes latent, KernelWidth width, CancellationToken cancellation)
    {
        int cells = latent.PlaneLength;
        int wanted = Math.Clamp(ProductsWanted / (Channels * Channels), LeastCells, MostCells);
        int blocks = (int)((Math.Min(cells, wanted) + BlockLength - 1L) / BlockLength);
        for (int block = 0; block < blocks; block++)
        {
            cancellation.ThrowIfCancellationRequested();
            int start = (int)((long)block * cells / blocks);
            int length = Math.Min(BlockLength, (int)((block + 1L) * cells / blocks) - start);
            _count += length;
            for (int i = 0; i < Channels; i++)
            {
                ReadOnlySpan<float> row = latent.Plane(i).Slice(start, length);
                _newMean[i] += Dot(row, Ones.AsSpan(0, length), width);
                for (int j = 0; j <= i; j++)
                {
                    _newCovariance[(i * Channels) + j] += Dot(row, latent.Plane(j).Slice(start, length), width);
                }
            }
        }
    }

    /// <summary>Lets the pictures added since the last step enter.</summary>
    public void Step()
    {
        for (int i = 0; i < Channels; i++)
        {
            _newMean[i] /= _count;
            for (int j = 0; j <= i; j++)
            {
                double covariance = (_newCovariance[(i * Channels) + j] / _count) - (_newMean[i] * _newMean[j]);
                _newCovariance[(i * Channels) + j] = covariance;
                _newCovariance[(j * Channels) + i] = covariance;
            }
        }

        double weight = _hasPast && !IsBreak(Trace(_covariance), Trace(_newCovariance)) ? Weight : 1;
        Blend(_mean, _newMean, weight);
        Blend(_covariance, _newCovariance, weight);
        _hasPast = true;
        Clear();
    }

    /// <summary>Forgets the pictures added since the last step.</summary>
    public void Clear()
    {
        Array.Clear(_newMean);
        Array.Clear(_newCovariance);
        _count = 0;
    }

    static bool IsBreak(double past, double now) => now > past * Break || past > now * Break;

    double Trace(double[] covariance)
    {
        double sum = 0;
        for (int i = 0; i < Channels; i++)
        {
            sum += covariance[(i * Channels) + i];
        }

        return sum;
    }

    static void Blend(double[] past, double[] now, double weight)
    {
        for (int i = 0; i < past.Length; i++)
        {
            past[i] += weight * (now[i] - past[i]);
        }
    }

    static double Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b, KernelWidth width) => width switch
    {
        KernelWidth.Vector512 => Dot<Lanes512, Vector512<float>>(a, b),
        KernelWidth.Vector256 => Dot<Lanes256, Vector256<float>>(a, b),
        KernelWidth.Vector128 => Dot<Lanes128, Vector128<float>>(a, b),
        _ => Dot<LanesScalar, float>(a, b),
    };

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static double Dot<TLanes, TVector>(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
        where TLanes : struct, IPixelLanes<TVector>
        where TVector : struct
    {
        ref float first = ref MemoryMarshal.GetReference(a);
        ref float second = ref MemoryMarshal.GetReference(b);
        TVector sums = TLanes.Broadcast(0);
        int at = 0;
        for (; at <= a.Length - TLanes.Count; at += TLanes.Count)
        {
            sums = TLanes.MultiplyAdd(TLanes.Load(ref Unsafe.Add(ref first, at)), TLanes.Load(ref Unsafe.Add(ref second, at)), sums);
        }

        Span<float> lanes = stackalloc float[TLanes.Count];
        TLanes.Store(sums, ref MemoryMarshal.GetReference(lanes));
        double total = 0;
        foreach (float lane in lanes)
        {
            total += lane;
        }

        for (; at < a.Length; at++)
        {
            total += a[at] * b[at];
        }

        return total;
    }
}
