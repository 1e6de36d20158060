namespace LatentBridge.Sessions;

/// <summary>What is wrong with a run, as far as its latents tell.</summary>
public enum RunAlarm
{
    /// <summary>Values are NaN or infinite.</summary>
    Nan,

    /// <summary>The picture is one colour.</summary>
    Flat,

    /// <summary>The values are far larger than natural ones.</summary>
    Exploding,

    /// <summary>The picture no longer changes, well before the last step.</summary>
    Still,

    /// <summary>All frames of a video are the same.</summary>
    Motionless,
}

/// <summary>Words for <see cref="RunAlarm"/>.</summary>
public static class RunAlarmExtensions
{
    /// <summary>As <c>docs/protocol.md</c> spells it.</summary>
    public static string Name(this RunAlarm alarm) => alarm switch
    {
        RunAlarm.Nan => "nan",
        RunAlarm.Flat => "flat",
        RunAlarm.Exploding => "exploding",
        RunAlarm.Still => "still",
        _ => "motionless",
    };

    /// <summary>As the user reads it.</summary>
    public static string Sentence(this RunAlarm alarm) => alarm switch
    {
        RunAlarm.Nan => "values of the latent were NaN or infinite",
        RunAlarm.Flat => "the picture is one flat colour",
        RunAlarm.Exploding => "the latent's values are more than ten times as large as natural ones",
        RunAlarm.Still => "the picture no longer changes",
        _ => "the video does not move",
    };
}
