namespace LatentBridge.Sessions;

/// <summary>What a decoder's pictures took so far, as a cost of one cell on one thread.</summary>
/// <remarks>
/// A smoothed value follows the machine. A decoder that is not chosen is not measured, so its value would stay bad for ever after one
/// bad moment: <see cref="Drift"/> lets it return towards the best value seen, and each slow picture raises that best value a little.
/// </remarks>
sealed class DecodeTimes
{
    const double Smoothing = 0.5;
    const double DriftPerFrame = 0.05;
    const double BestGrowth = 1.1;

    double _perCell;
    double _best;

    /// <summary>A picture or a trial was measured.</summary>
    public bool IsMeasured { get; private set; }

    /// <summary>What the last picture took; null before the first.</summary>
    public double? LastMilliseconds { get; private set; }

    /// <summary>Takes over what a trial measured.</summary>
    public void Calibrate(double millisecondsPerCell)
    {
        _best = IsMeasured ? Math.Min(millisecondsPerCell, _best * BestGrowth) : millisecondsPerCell;
        _perCell = millisecondsPerCell;
        IsMeasured = true;
    }

    public void Record(long cells, int threads, double milliseconds)
    {
        double perCell = milliseconds * threads / cells;
        _best = IsMeasured ? Math.Min(perCell, _best * BestGrowth) : perCell;
        _perCell = IsMeasured ? _perCell + ((perCell - _perCell) * Smoothing) : perCell;
        LastMilliseconds = milliseconds;
        IsMeasured = true;
    }

    public void Drift() => _perCell += (_best - _perCell) * DriftPerFrame;

    /// <summary>Milliseconds a picture of so many cells is expected to take; only when measured.</summary>
    public double Predict(long cells, int threads) => _perCell * cells / threads;
}
