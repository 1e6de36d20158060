namespace LatentBridge.Sessions;

/// <summary>A decoder that the shim wants left out, because hosts ended while they loaded it or used it for the first time.</summary>
/// <param name="Decoder">Its id.</param>
/// <param name="File">Full path of its file; null when it has none.</param>
public sealed record AvoidedDecoder(string Decoder, string? File);
