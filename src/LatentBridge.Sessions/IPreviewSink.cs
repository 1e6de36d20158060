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

    /// <summary>A picture of a moving picture lies in an image slot, which is the shim's until it gives it back. No answer to a submit.</summary>
    void ClipReady(in ReadyPreview preview, in ClipPlace place);

    /// <summary>A submitted latent gives no picture.</summary>
    void Dropped(in DroppedLatent dropped);

    /// <summary>The picture of a <see cref="PreviewSession.Decode"/> is ready.</summary>
    void Decoded(DecodeRequest request, in ReadyPreview preview);

    /// <summary>A <see cref="PreviewSession.Decode"/> gives no picture.</summary>
    void DecodeFailed(DecodeRequest request, in DroppedLatent dropped);

    /// <summary>The picture of a <see cref="PreviewSession.Encode"/> is ready.</summary>
    void Encoded(EncodeRequest request, in ReadyPreview preview);

    /// <summary>A <see cref="PreviewSession.Encode"/> gives no picture.</summary>
    void EncodeFailed(EncodeRequest request, in DroppedLatent dropped);

    /// <summary>A <see cref="PreviewSession.Teach"/> was learned from.</summary>
    /// <param name="request">The request.</param>
    /// <param name="map">The best map of the model so far.</param>
    /// <param name="isUsed">True when it ranks above one of the decoders that are there.</param>
    void Taught(TeachRequest request, Fitting.CalibratedMap map, bool isUsed);

    /// <summary>Nothing was learned from a <see cref="PreviewSession.Teach"/>; what was known stays.</summary>
    void TeachFailed(TeachRequest request, string why);

    /// <summary>A decoder is about to be loaded, or to make a larger picture than ever. Written out before that begins: the host may end of it.</summary>
    /// <param name="decoder">Its id.</param>
    /// <param name="file">Full path of its file; null when it has none.</param>
    void Loading(string decoder, string? file);

    /// <summary>What <see cref="Loading"/> announced is done, well or not.</summary>
    void Loaded(string decoder, string? file);

    /// <summary>Something worth a line in the log.</summary>
    void Log(string message);
}
