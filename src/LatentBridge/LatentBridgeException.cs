namespace LatentBridge;

/// <summary>
/// Something outside this program is not as it must be: a file, a message, another process. The message says what was
/// found, what was expected and what to do.
/// </summary>
public class LatentBridgeException : Exception
{
    /// <summary>Makes one with a message for the user.</summary>
    public LatentBridgeException(string message)
        : base(message)
    {
    }

    /// <summary>Makes one with a message for the user and the failure behind it.</summary>
    public LatentBridgeException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    /// <summary>Makes one without a message; for serialisers only.</summary>
    public LatentBridgeException()
    {
    }
}
