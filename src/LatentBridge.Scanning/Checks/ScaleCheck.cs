using System.Globalization;
using LatentBridge.Formats;
using LatentBridge.Latents;
using LatentBridge.Simd;

namespace LatentBridge.Scanning.Checks;

/// <summary>Whether a latent has the spread of its format in the scale that its file claims, or that of a factor left out or applied twice.</summary>
/// <remarks>
/// Let p be the format's way from the VAE's scale to the sampler's. What was staged as the sampler's scale is natural as it is, or was never brought there (natural
/// after p), or was brought there once too often (natural after the inverse of p). The reading whose <see cref="NaturalLatents.LogSpread"/> is nearest to 0 is taken.
/// </remarks>
sealed class ScaleCheck(LatentFormat format, KernelWidth width)
{
    const int MaximumCells = 4096;

    /// <summary>Another reading must be nearer to natural by so much.</summary>
    const double Margin = 0.35;

    /// <summary>A plain picture has little spread by itself, so no reading that makes values larger is believed where the format's factor is less than this, in variance.</summary>
    const double LeastRise = 1;

    /// <summary>The same for any reading, where the format's natural latents were not measured.</summary>
    const double LeastChangeUnmeasured = 2;

    /// <summary>Beyond this no picture is natural.</summary>
    const double Farthest = 3;

    readonly NaturalLatents _natural = NaturalLatents.Of(format);
    readonly double[] _mean = new double[format.PlaneChannels];
    readonly double[] _covariance = new double[format.PlaneChannels * format.PlaneChannels];
    float[] _cells = [];

    /// <summary>How far from natural, 0 being natural: the mean logarithm of the variance.</summary>
    public double LogSpread { get; private set; }

    /// <summary>Looks at one staged picture; returns what it looks like instead, or null.</summary>
    /// <param name="planes">The picture, in the sampler's scale as the file claims.</param>
    /// <param name="claimed">The scale that the file claims.</param>
    public string? Check(in LatentPlanes planes, LatentSpace claimed)
    {
        Measure(planes);
        LogSpread = _natural.LogSpread(_mean, _covariance, static _ => (1, 0));
        double never = _natural.LogSpread(_mean, _covariance, Onward);
        double twice = _natural.LogSpread(_mean, _covariance, Back);
        if (HasFactor && IsBetter(never) && (Math.Abs(never) <= Math.Abs(twice) || !IsBetter(twice)))
        {
            return claimed == LatentSpace.Vae ? $"looks like VAE scale divided by {Factor}" : $"looks like VAE scale: it was never multiplied by {Factor}";
        }

        if (HasFactor && IsBetter(twice))
        {
            return claimed == LatentSpace.Vae ? $"looks like VAE scale times {Factor}" : $"looks like VAE scale times {Factor} twice";
        }

        return Math.Abs(LogSpread) > Farthest
            ? string.Create(CultureInfo.InvariantCulture, $"spread {Math.Exp(LogSpread / 2):0.###} times that of natural {format.Id} latents")
            : null;
    }

    bool HasFactor => format.Process is LatentProcess.Scale or LatentProcess.ShiftScale or LatentProcess.MeanStd;

    string Factor => format.Process == LatentProcess.MeanStd
        ? "the format's mean and standard deviation"
        : format.ScaleFactor.ToString(CultureInfo.InvariantCulture);

    bool IsBetter(double reading)
    {
        double change = reading - LogSpread;
        return Math.Abs(LogSpread) - Math.Abs(reading) > Margin
            && (change < 0 || Math.Abs(2 * Math.Log(format.ScaleFactor)) > LeastRise || format.Process == LatentProcess.MeanStd)
            && (_natural.IsMeasured || Math.Abs(change) > LeastChangeUnmeasured);
    }

    (double Scale, double Offset) Onward(int channel) => format.ToSampler(channel);

    (double Scale, double Offset) Back(int channel)
    {
        (double scale, double offset) = format.ToSampler(channel);
        return (1 / scale, -offset / scale);
    }

    /// <summary>Mean and covariance over at most 4096 cells: whole rows, evenly spread.</summary>
    void Measure(in LatentPlanes planes)
    {
        int rowsTaken = Math.Clamp(MaximumCells / planes.Width, 1, planes.Height);
        int columns = Math.Min(planes.Width, MaximumCells);
        int cells = rowsTaken * columns;
        if (_cells.Length < planes.Channels * cells)
        {
            _cells = new float[planes.Channels * cells];
        }

        for (int c = 0; c < planes.Channels; c++)
        {
            Span<float> taken = _cells.AsSpan(c * cells, cells);
            for (int row = 0; row < rowsTaken; row++)
            {
                int y = (int)((long)row * planes.Height / rowsTaken);
                planes.Plane(c).Slice(y * planes.Width, columns).CopyTo(taken[(row * columns)..]);
            }

            _mean[c] = MomentsKernel.Add(ValueMoments.None, taken, width).Mean;
        }

        for (int a = 0; a < planes.Channels; a++)
        {
            for (int b = _natural.IsMeasured ? 0 : a; b <= a; b++)
            {
                double product = MomentsKernel.Dot(_cells.AsSpan(a * cells, cells), _cells.AsSpan(b * cells, cells), width) / (double)cells;
                _covariance[(a * planes.Channels) + b] = _covariance[(b * planes.Channels) + a] = product - (_mean[a] * _mean[b]);
            }
        }
    }
}
