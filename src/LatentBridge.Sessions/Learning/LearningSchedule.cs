using LatentBridge.Fitting.Training;

namespace LatentBridge.Sessions;

/// <summary>When and how long a <see cref="Learner"/> trains.</summary>
/// <param name="Quiet">How long nothing must have happened.</param>
/// <param name="Steps">Of a training, by the pairs to learn from.</param>
sealed record LearningSchedule(TimeSpan Quiet, Func<int, int> Steps)
{
    /// <summary>The pairs from which on there are enough to measure with, and then as often as twice as many came, or as many as are kept.</summary>
    const int FirstPairs = 8;

    public static LearningSchedule Default { get; } = new(TimeSpan.FromSeconds(5), TrainingPlan.StepsFor);

    /// <summary>Whether enough pairs are new.</summary>
    /// <param name="admitted">Pairs that ever came.</param>
    public static bool IsDue(int admitted) => admitted is FirstPairs or (2 * FirstPairs) or (4 * FirstPairs) or (8 * FirstPairs) || (admitted > 0 && admitted % PairStore.MaximumPairs == 0);
}
