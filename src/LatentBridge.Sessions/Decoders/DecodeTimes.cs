namespace LatentBridge.Sessions;

/// <summary>What a decoder's pictures took so far, for each number of threads as a cost of one cell on one thread.</summary>
/// <remarks>
/// A smoothed value follows the machine. A decoder that is not chosen is not measured, so its value would stay bad for ever after one
/// bad moment: <see cref="Drift"/> lets it return towards the best value seen, and each slow picture raises that best value a little.
/// Twice the threads are not twice as fast, so each number of threads has its own value; one never used is predicted from the nearest.
/// </remarks>
sealed class DecodeTimes
{
    const double Smoothing = 0.5;
    const double DriftPerFrame = 0.05;
    const double BestGrowth = 1.1;

    readonly List<Cost> _costs = [];

    /// <summary>A picture or a trial was measured.</summary>
    public bool IsMeasured => _costs.Count > 0;

    /// <summary>What the last picture took; null before the first.</summary>
    public double? LastMilliseconds { get; private set; }

    /// <summary>Takes over what a trial on one thread measured. A bad moment that was measured on more threads is forgotten as far as the trial shows that it is over.</summary>
    public void Calibrate(double millisecondsPerCell)
    {
        Cost trial = Take(1, millisecondsPerCell, 1);
        foreach (Cost cost in _costs)
        {
            cost.PerCell = cost.Best * trial.PerCell / trial.Best;
        }
    }

    /// <summary>A picture was made; or, with <paramref name="isAtLeast"/>, was stopped after so long.</summary>
    public void Record(long cells, int threads, double milliseconds, bool isAtLeast = false)
    {
        Take(threads, milliseconds * threads / cells, isAtLeast ? 1 : Smoothing);
        LastMilliseconds = milliseconds;
    }

    public void Drift()
    {
        foreach (Cost cost in _costs)
        {
            cost.PerCell += (cost.Best - cost.PerCell) * DriftPerFrame;
        }
    }

    /// <summary>Milliseconds a picture of so many cells is expected to take; only when measured.</summary>
    public double Predict(long cells, int threads)
    {
        Cost nearest = _costs[0];
        foreach (Cost cost in _costs)
        {
            if (Math.Abs(cost.Threads - threads) < Math.Abs(nearest.Threads - threads))
            {
                nearest = cost;
            }
        }

        return nearest.PerCell * cells / threads;
    }

    Cost Take(int threads, double perCell, double share)
    {
        foreach (Cost cost in _costs)
        {
            if (cost.Threads == threads)
            {
                cost.Best = Math.Min(perCell, cost.Best * BestGrowth);
                cost.PerCell += (perCell - cost.PerCell) * share;
                return cost;
            }
        }

        _costs.Add(new Cost(threads) { PerCell = perCell, Best = perCell });
        return _costs[^1];
    }

    sealed class Cost(int threads)
    {
        public int Threads => threads;

        public double PerCell { get; set; }

        public double Best { get; set; }
    }
}
