namespace LatentBridge.Scanning.Checks;

/// <summary>What was found out about one latent.</summary>
public sealed record LatentFinding
{
    /// <summary>What is wrong with it.</summary>
    public LatentFaults Faults { get; init; }

    /// <summary>A sentence for each fault that has more to say than its name.</summary>
    public IReadOnlyList<string> Details { get; init; } = [];

    /// <summary>Mean of each channel in the sampler's scale.</summary>
    public required IReadOnlyList<float> Mean { get; init; }

    /// <summary>Standard deviation of each channel in the sampler's scale.</summary>
    public required IReadOnlyList<float> Deviation { get; init; }

    /// <summary>The mean logarithm of the variance against that of natural latents of the format: 0 is usual, 2 log f is a factor f.</summary>
    public double LogSpread { get; init; }

    /// <summary>Correlation with the picture beside it, -1..1; null where there is none, or one of them is plain.</summary>
    public double? Correlation { get; init; }

    /// <summary>What finds copies of the picture; null for one without any shape.</summary>
    public PictureSketch? Sketch { get; init; }

    /// <summary>For sorting: each fault counts 10, and what is merely unusual less.</summary>
    public double Oddness => (10 * System.Numerics.BitOperations.PopCount((uint)Faults)) + Math.Min(9, Math.Abs(LogSpread) + (5 * (1 - (Correlation ?? 1))));
}
