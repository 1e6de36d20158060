namespace LatentBridge.Host.Bench;

/// <summary>Repeated measurements of one thing.</summary>
sealed class Samples
{
    readonly List<double> _values = [];

    internal int Count => _values.Count;

    internal double Median => Percentile(0.5);

    internal void Add(double value) => _values.Add(value);

    /// <summary>The value that this share of the samples does not exceed (0..1).</summary>
    internal double Percentile(double share)
    {
        double[] sorted = [.. _values.Order()];
        return sorted[Math.Clamp((int)Math.Ceiling(share * sorted.Length) - 1, 0, sorted.Length - 1)];
    }
}
