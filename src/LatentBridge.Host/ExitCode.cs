namespace LatentBridge.Host;

/// <summary>What the program ends with.</summary>
static class ExitCode
{
    /// <summary>Done as asked.</summary>
    internal const int Done = 0;

    /// <summary>The work failed; stderr says why.</summary>
    internal const int Failed = 1;

    /// <summary>Wrong usage, or input that cannot be read.</summary>
    internal const int Usage = 2;
}
