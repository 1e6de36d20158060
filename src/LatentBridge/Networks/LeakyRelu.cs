namespace LatentBridge.Networks;

/// <summary>x = max(x, leak x), from one ring to another.</summary>
/// <remarks>A layer of its own: the one network that needs it is not worth a parameter in every convolution's inner loop.</remarks>
sealed unsafe class LeakyRelu : RowLayer
{
    readonly RowRing _input;
    readonly RowRing _output;
    readonly float _leak;

    public LeakyRelu(RowRing input, RowRing output, float leak)
        : base(output.Height, output)
    {
        _input = input;
        _output = output;
        _leak = leak;
        StepRows = RowsOf(2048, output.Width);
        Reads(input, RowReach.Same);
    }

    public override int Parts(int first, int end) => end - first;

    public override void Run(int first, int end, int part, Workspace workspace)
    {
        float* from = _input.Row(first + part), to = _output.Row(first + part);
        for (long i = (long)Columns.First * _output.Channels; i < (long)Columns.End * _output.Channels; i++)
        {
            to[i] = Math.Max(from[i], _leak * from[i]);
        }
    }
}
