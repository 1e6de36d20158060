using LatentBridge.Decoders;

namespace LatentBridge.Sessions;

/// <summary>Leaves decoders out that the shim named. One always stays, because a preview needs one: the cheapest without a file, which nobody else made.</summary>
sealed class Avoidance(IReadOnlyList<AvoidedDecoder> avoided)
{
    public const string Reason = "left out: the host ended more than once while this decoder was loaded or first used";

    /// <summary>The decoders to use, in their order.</summary>
    public IReadOnlyList<DecoderEntry> Kept(IReadOnlyList<DecoderEntry> entries) =>
        avoided.Count == 0 ? entries : [.. entries.Where(entry => !IsLeftOut(entry, entries))];

    /// <summary>The decoders not to use, in their order.</summary>
    public IReadOnlyList<DecoderEntry> LeftOut(IReadOnlyList<DecoderEntry> entries) =>
        avoided.Count == 0 ? [] : [.. entries.Where(entry => IsLeftOut(entry, entries))];

    bool IsLeftOut(DecoderEntry entry, IReadOnlyList<DecoderEntry> entries) =>
        avoided.Contains(new AvoidedDecoder(entry.Description.Id, entry.File)) && entry != entries.MinBy(e => (e.File is not null, e.Description.MultiplyAddsPerCell));
}
