namespace LatentBridge.Sessions.Control;

/// <summary>A control message that is answered with an error.</summary>
sealed class ControlException(int code, string message) : Exception(message)
{
    public const int NotJson = -32700;
    public const int InvalidRequest = -32600;
    public const int UnknownMethod = -32601;
    public const int InvalidParams = -32602;
    public const int VersionsDoNotMeet = -32001;
    public const int NotReady = -32002;
    public const int MappingRefused = -32003;
    public const int NoPicture = -32004;
    public const int NothingLearned = -32005;

    public int Code { get; } = code;
}
