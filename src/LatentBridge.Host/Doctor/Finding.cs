namespace LatentBridge.Host.Doctor;

/// <summary>How serious a finding is.</summary>
enum FindingState
{
    /// <summary>As it should be.</summary>
    Good,

    /// <summary>Not there, and need not be.</summary>
    Absent,

    /// <summary>Works, and could be better.</summary>
    Note,

    /// <summary>Something does not work.</summary>
    Bad,
}

/// <summary>One thing that <c>doctor</c> looked at.</summary>
/// <param name="Subject">What was looked at.</param>
/// <param name="State">How serious it is.</param>
/// <param name="Found">What was found.</param>
/// <param name="Mend">What to do about it; empty when there is nothing to do.</param>
sealed record Finding(string Subject, FindingState State, string Found, string Mend = "");
