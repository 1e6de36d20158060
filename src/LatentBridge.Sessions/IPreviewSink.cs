namespace LatentBridge.Sessions;

/// <summary>Where a session's results go.</summary>
/// <remarks>
/// Called from the session's worker and from whoever calls the session, one call at a time and in order, under the session's lock: an
/// implementation hands on and returns; it must not call the session.
/// </remarks>
public interface IPreviewSink
{
    /// <summary>The latent slot is the shim's again.</summary>
    void Released(int slot, ulong sequence);

    /// <summary>A picture lies in an image slot, which is the shim's until it gives it back.</summary>
    void Ready(in ReadyPreview preview);

    /// <summary>A submitted latent gives no picture.</summary>
    void Dropped(in DroppedLatent dropped);

    /// <summary>The picture of a <see cref="PreviewSession.Decode"/> is ready.</summary>
    void Decoded(DecodeRequest request, in ReadyPreview preview);

    /// <summary>A <see cref="PreviewSession.Decode"/> gives no picture.</summary>
    void DecodeFailed(DecodeRequest request, in DroppedLatent dropped);

    /// <summary>Something worth a line in the log.</summary>
    void Log(string message);
}
