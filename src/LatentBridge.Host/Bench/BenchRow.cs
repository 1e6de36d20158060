namespace LatentBridge.Host.Bench;

/// <summary>One measured line of a benchmark.</summary>
/// <param name="Name">As in the tables of the README.</param>
/// <param name="Unit"><c>ms</c>, <c>bytes</c>, <c>MB</c>, <c>Mpixel/s</c>.</param>
/// <param name="Ours">Median.</param>
/// <param name="P99">99th percentile, where there are samples enough.</param>
/// <param name="Peer">The peer's median of the same run; null where none was found.</param>
/// <param name="PeerName">Who the peer is, with its version.</param>
sealed record BenchRow(string Name, string Unit, double Ours, double? P99 = null, double? Peer = null, string? PeerName = null)
{
    /// <summary>Peer / ours; for rates ours / peer: above 1 is better, always.</summary>
    internal double? Ratio => Peer is null ? null : Unit.EndsWith("/s", StringComparison.Ordinal) ? Ours / Peer : Peer / Ours;
}
