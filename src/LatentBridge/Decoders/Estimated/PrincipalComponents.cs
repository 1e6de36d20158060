namespace LatentBridge.Decoders.Estimated;

/// <summary>The directions of largest variance of a covariance that changes slowly, at most three of them.</summary>
/// <remarks>
/// Orthogonal iteration: multiply the basis by the covariance, make it orthonormal again. It starts from where it was last, which
/// keeps signs and order: when two variances cross, the vectors turn into each other over several pictures and never jump.
/// </remarks>
sealed class PrincipalComponents(int channels)
{
    const int FirstIterations = 100;
    const int FurtherIterations = 4;
    const double Converged = 1e-7;

    /// <summary>A variance in every direction, as a part of the whole: a direction without any of its own keeps its vector.</summary>
    const double Floor = 1e-9;
    const double LeastVariance = 1e-30;

    readonly double[][] _vectors = NewVectors(channels);
    readonly double[][] _next = NewVectors(channels);
    readonly double[] _deviations = new double[3];
    bool _started;

    public int Count => _vectors.Length;

    /// <summary>Unit vector of a component; zeros where there is none.</summary>
    public ReadOnlySpan<double> Vector(int component) => _vectors[component];

    /// <summary>Standard deviation along a component; 0 where there is none.</summary>
    public double Deviation(int component) => _deviations[component];

    /// <summary>Brings the components to a new covariance (row by row, symmetric).</summary>
    public void Follow(ReadOnlySpan<double> covariance)
    {
        int iterations = FurtherIterations;
        if (!_started)
        {
            Start(covariance);
            iterations = FirstIterations;
        }

        for (int iteration = 0; iteration < iterations && Iterate(covariance) > Converged; iteration++)
        {
        }

        if (!_started)
        {
            MakeLargestPositive();
            _started = true;
        }
    }

    // The channels of the largest variances.
    void Start(ReadOnlySpan<double> covariance)
    {
        Span<int> chosen = [-1, -1, -1];
        for (int component = 0; component < Count; component++)
        {
            int best = -1;
            for (int channel = 0; channel < channels; channel++)
            {
                if (!chosen.Contains(channel) && (best < 0 || covariance[(channel * channels) + channel] > covariance[(best * channels) + best]))
                {
                    best = channel;
                }
            }

            chosen[component] = best;
            _vectors[component][best] = 1;
        }
    }

    /// <summary>One step; returns the largest change of an element.</summary>
    double Iterate(ReadOnlySpan<double> covariance)
    {
        double change = 0;
        double floor = LeastVariance + (Floor * Trace(covariance));
        for (int component = 0; component < Count; component++)
        {
            Multiply(covariance, _vectors[component], _next[component]);
            _deviations[component] = Math.Sqrt(Math.Max(0, Dot(_vectors[component], _next[component])));
            AddScaled(_next[component], _vectors[component], floor);
        }

        for (int component = 0; component < Count; component++)
        {
            double[] vector = _next[component];
            for (int earlier = 0; earlier < component; earlier++)
            {
                AddScaled(vector, _next[earlier], -Dot(vector, _next[earlier]));
            }

            double length = Math.Sqrt(Dot(vector, vector));
            for (int channel = 0; channel < channels; channel++)
            {
                vector[channel] /= length;
                change = Math.Max(change, Math.Abs(vector[channel] - _vectors[component][channel]));
            }
        }

        for (int component = 0; component < Count; component++)
        {
            _next[component].CopyTo(_vectors[component], 0);
        }

        return change;
    }

    void MakeLargestPositive()
    {
        foreach (double[] vector in _vectors)
        {
            double largest = 0;
            foreach (double element in vector)
            {
                largest = Math.Abs(element) > Math.Abs(largest) ? element : largest;
            }

            for (int channel = 0; channel < channels && largest < 0; channel++)
            {
                vector[channel] = -vector[channel];
            }
        }
    }

    static double[][] NewVectors(int channels)
    {
        var vectors = new double[Math.Min(3, channels)][];
        for (int component = 0; component < vectors.Length; component++)
        {
            vectors[component] = new double[channels];
        }

        return vectors;
    }

    static void Multiply(ReadOnlySpan<double> matrix, ReadOnlySpan<double> vector, Span<double> product)
    {
        for (int row = 0; row < product.Length; row++)
        {
            product[row] = Dot(matrix.Slice(row * product.Length, product.Length), vector);
        }
    }

    double Trace(ReadOnlySpan<double> covariance)
    {
        double sum = 0;
        for (int channel = 0; channel < channels; channel++)
        {
            sum += covariance[(channel * channels) + channel];
        }

        return sum;
    }

    static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++)
        {
            sum += a[i] * b[i];
        }

        return sum;
    }

    static void AddScaled(Span<double> target, ReadOnlySpan<double> source, double scale)
    {
        for (int i = 0; i < target.Length; i++)
        {
            target[i] += scale * source[i];
        }
    }
}
