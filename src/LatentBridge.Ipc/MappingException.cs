namespace LatentBridge.Ipc;

/// <summary>A mapping that cannot be opened or whose header page is wrong. The message says what was found and what was expected.</summary>
public sealed class MappingException : Exception
{
    /// <summary>Makes one with a message for the user.</summary>
    public MappingException(string message)
        : base(message)
    {
    }

    /// <summary>Makes one with a message for the user and the failure behind it.</summary>
    public MappingException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    /// <summary>Makes one without a message; for serialisers only.</summary>
    public MappingException()
    {
    }
}
