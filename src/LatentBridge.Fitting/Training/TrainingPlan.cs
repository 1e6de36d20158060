namespace LatentBridge.Fitting.Training;

/// <summary>How long and in what portions a network learns.</summary>
/// <param name="Steps">Batches; the rate falls to nothing over them, along half a cosine.</param>
/// <param name="Seed">What the batches and first weights follow from.</param>
/// <param name="Rate">Adam's first rate.</param>
/// <param name="Crops">Crops of a batch.</param>
/// <param name="CropSide">Cells of a crop's side.</param>
public sealed record TrainingPlan(int Steps, int Seed = 0, double Rate = TrainingPlan.DefaultRate, int Crops = 4, int CropSide = 24)
{
    /// <summary>For a network that has to learn nearly all.</summary>
    public const double DefaultRate = 2e-3;

    /// <summary>Steps that so many pairs are worth: further ones no longer gain, or only what these pairs have by chance.</summary>
    public static int StepsFor(int pairs) => pairs switch { < 12 => 1500, < 40 => 4500, _ => 11_000 };

    /// <summary>Steps over which the rate rises at first, so that Adam's squares are known before it counts.</summary>
    const int Warmup = 50;

    internal double RateOf(int step) => Rate * Math.Min(1, (step + 1.0) / Warmup) * 0.5 * (1 + Math.Cos(Math.PI * step / Steps));
}
