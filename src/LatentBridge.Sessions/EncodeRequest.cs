using LatentBridge.Previews;

namespace LatentBridge.Sessions;

/// <summary>A stream's newest picture, once more in another size or encoding.</summary>
/// <param name="Stream">The stream.</param>
/// <param name="Options">Of these <see cref="PreviewOptions.Size"/> (at most the picture's own), <see cref="PreviewOptions.Scaling"/>, <see cref="PreviewOptions.Encoding"/> and
/// <see cref="PreviewOptions.Quality"/>.</param>
/// <param name="Tag">The caller's own, for instance the id to answer.</param>
public sealed record EncodeRequest(uint Stream, PreviewOptions Options, object? Tag);
