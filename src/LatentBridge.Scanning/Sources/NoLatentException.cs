namespace LatentBridge.Scanning.Sources;

/// <summary>A sound file without a latent: text embeddings, for example. A scan of a folder passes over it.</summary>
sealed class NoLatentException(string message) : LatentBridgeException(message);
