namespace LatentBridge.Latents;

/// <summary>What is known of some values without keeping them.</summary>
/// <param name="Count">Number of values.</param>
/// <param name="Minimum">The smallest.</param>
/// <param name="Maximum">The largest.</param>
/// <param name="Sum">Of all values.</param>
/// <param name="SumOfSquares">Of all values.</param>
readonly record struct ValueMoments(long Count, float Minimum, float Maximum, double Sum, double SumOfSquares)
{
    /// <summary>Nothing measured yet.</summary>
    public static ValueMoments None => new(0, float.MaxValue, float.MinValue, 0, 0);

    /// <summary>The mean value.</summary>
    public double Mean => Sum / Count;

    /// <summary>The standard deviation.</summary>
    public double Deviation => Minimum == Maximum ? 0 : Math.Sqrt(Math.Max(0, (SumOfSquares / Count) - (Mean * Mean)));
}
