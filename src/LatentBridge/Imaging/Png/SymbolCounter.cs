namespace LatentBridge.Imaging.Png;

/// <summary>Counts the symbols that a <see cref="DeflateWriter"/> would write.</summary>
readonly unsafe ref struct SymbolCounter(Span<uint> counts) : IRunSink
{
    readonly Span<uint> _counts = counts;

    public void Symbol(int symbol) => _counts[symbol]++;

    public void Literals(byte* bytes, int count)
    {
        for (int i = 0; i < count; i++)
        {
            _counts[bytes[i]]++;
        }
    }

    public void Match(int length) => _counts[DeflateCode.MatchSymbol(length)]++;
}
