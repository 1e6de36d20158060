namespace LatentBridge.Networks;

/// <summary>Pixels of [dy][dx][channel] become squares of 2 x 2 pixels.</summary>
sealed unsafe class UnfoldedRows : RowLayer
{
    readonly RowRing _input;
    readonly RowRing _output;

    public UnfoldedRows(RowRing input, RowRing output)
        : base(output.Height, output)
    {
        _input = input;
        _output = output;
        StepRows = RowsOf(2048, output.Width);
        Reads(input, RowReach.Doubled);
    }

    public override int Parts(int first, int end) => end - first;

    public override void Run(int first, int end, int part, Workspace workspace)
    {
        int y = first + part, pair = 2 * _output.Channels;
        float* from = _input.Row(y / 2) + (y % 2 * pair), to = _output.Row(y);
        for (int x = Columns.First / 2; x < (Columns.End + 1) / 2; x++)
        {
            new ReadOnlySpan<float>(from + ((long)x * _input.Channels), pair).CopyTo(new(to + ((long)x * pair), pair));
        }
    }
}
