namespace LatentBridge.Decoders;

/// <summary>A decoder that could be loaded: what it is, and how to get it.</summary>
/// <param name="Description">What it is, what it needs and what it costs; known without loading.</param>
/// <param name="Stateful">True when it carries something from step to step: one instance per stream and run.</param>
/// <param name="Load">Reads the weights and makes an instance; may take a while.</param>
public sealed record DecoderEntry(DecoderDescription Description, bool Stateful, Func<ILatentDecoder> Load)
{
    /// <summary>Full path of the file with its numbers; null when it needs none.</summary>
    public string? File { get; init; }

    /// <summary>True when a library of somebody else computes what a file says: either can end the process with any picture.</summary>
    internal bool IsForeign { get; init; }
}
