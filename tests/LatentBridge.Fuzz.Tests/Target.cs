namespace LatentBridge.Fuzz.Tests;

/// <summary>A reader of bytes that somebody else wrote.</summary>
/// <param name="Name">What it reads.</param>
/// <param name="Read">Reads a case, with all that follows from it; true when it took the case, false when it refused it as documented. Anything it throws is a fault.</param>
/// <param name="Seeds">Good cases, small ones: every mutation begins with one.</param>
/// <param name="Words">What means something in such a file; put into it here and there.</param>
/// <param name="Mend">Makes lengths and checksums of a mutated case right again, so that what lies behind them is reached; null where there are none.</param>
sealed record Target(string Name, Func<byte[], bool> Read, IReadOnlyList<byte[]> Seeds, IReadOnlyList<string> Words, Action<byte[]>? Mend = null)
{
    public override string ToString() => Name;
}
