namespace LatentBridge.Sessions;

/// <summary>What went wrong, for people.</summary>
static class Problem
{
    /// <summary>Our own messages as they are; others with the exception's type.</summary>
    public static string Describe(Exception e) => e is LatentBridgeException ? e.Message : $"{e.GetType().Name}: {e.Message}";
}
