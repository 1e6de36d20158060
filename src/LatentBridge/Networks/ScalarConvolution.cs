namespace LatentBridge.Networks;

/// <summary>
/// The reference: any convolution of these networks, one multiplication at a time, straight from its definition.
/// </summary>
/// <remarks>
/// <code>
///   y[o][row][column] = ReLU?( bias[o] + residual? + sum over i, dy, dx of w[o][i][dy][dx] x[i][r + dy - 1][c + dx - 1] )
///   (here of 3x3 and all channels; a group's where there are several. Behind depthwise ones: what was made of the frame before)
///   (r, c) = (row, column), or twice that for stride 2; a doubled x is x[i][r / 2][c / 2]; outside, x is 0
/// </code>
/// It runs where there are no vectors, when it is forced, and as the oracle of every vector kernel's tests.
/// </remarks>
sealed unsafe class ScalarConvolution : RowLayer
{
    const int PartPixels = 32;

    readonly RowRing _input;
    readonly RowRing _output;
    readonly RowRing? _residual;
    readonly float[] _weights;
    readonly float[]? _bias;
    readonly RowReach _reach;
    readonly bool _relu;
    readonly RowRing? _past;
    readonly int _side;
    readonly int _groups;
    readonly bool _isDepthwise;
    readonly int _inputs;
    readonly int _outputs;

    /// <summary>Weights are [output][dy][dx][input] here, for the sake of the inner loop; see <see cref="Reorder"/>.</summary>
    public ScalarConvolution(RowRing input, RowRing output, RowRing? residual, float[] weights, float[]? bias, ConvolutionLayer layer)
        : base(output.Height, output)
    {
        _input = input;
        _output = output;
        _isDepthwise = layer.IsDepthwise;
        _residual = _isDepthwise ? null : residual;
        _past = _isDepthwise ? residual : null;
        _weights = weights;
        _bias = bias;
        _side = layer.Side;
        _groups = layer.Groups;
        _inputs = layer.Inputs / layer.Groups;
        _outputs = layer.Outputs;
        _reach = layer.Reach;
        _relu = layer.Relu;
        StepRows = RowsOf(1024, output.Width);
        Reads(input, _reach);
        if (residual is not null)
        {
            Reads(residual, RowReach.Same);
        }
    }

    /// <summary>[output][input][dy][dx] to [output][dy][dx][input].</summary>
    public static float[] Reorder(ReadOnlySpan<float> weights, int outputs, int taps)
    {
        float[] reordered = new float[weights.Length];
        int inputs = weights.Length / outputs / taps;
        for (int output = 0; output < outputs; output++)
        {
            for (int input = 0; input < inputs; input++)
            {
                for (int tap = 0; tap < taps; tap++)
                {
                    reordered[(((output * taps) + tap) * inputs) + input] = weights[(((output * inputs) + input) * taps) + tap];
                }
            }
        }

        return reordered;
    }

    int PartsOfRow => (Columns.End - Columns.First + PartPixels - 1) / PartPixels;

    public override int Parts(int first, int end) => (end - first) * PartsOfRow;

    public override void Run(int first, int end, int part, Workspace workspace)
    {
        (int inStep, int inRow) = Math.DivRem(part, PartsOfRow);
        int y = first + inStep;
        int from = Columns.First + (inRow * PartPixels), last = Math.Min(Columns.End, from + PartPixels);
        for (int x = from; x < last; x++)
        {
            for (int output = 0; output < _outputs; output++)
            {
                long at = ((long)x * _output.Channels) + output;
                float sum = Sum(y, x, output) + (_residual is null ? 0 : _residual.Row(y)[((long)x * _residual.Channels) + output]);
                _output.Row(y)[at] = _relu ? Math.Max(sum, 0) : sum;
            }
        }
    }

    float Sum(int y, int x, int output)
    {
        if (_isDepthwise && output >= _groups)
        {
            return _past is null ? 0 : _past.Row(y)[((long)x * _past.Channels) + output - _groups];
        }

        float sum = _bias is null ? 0 : _bias[output];
        int taps = _side * _side, group = _isDepthwise ? output : output / (_outputs / _groups);
        for (int tap = 0; tap < taps; tap++)
        {
            (int row, int column) = Source(y, x, (tap / _side) - (_side / 2), (tap % _side) - (_side / 2));
            if ((uint)row >= (uint)_input.Height || (uint)column >= (uint)_input.Width)
            {
                continue;
            }

            float* pixel = _input.Row(row) + ((long)column * _input.Channels) + (group * _inputs);
            ReadOnlySpan<float> weights = _weights.AsSpan(((output * taps) + tap) * _inputs, _inputs);
            for (int input = 0; input < weights.Length; input++)
            {
                sum += weights[input] * pixel[input];
            }
        }

        return sum;
    }

    (int Row, int Column) Source(int y, int x, int dy, int dx) => _reach switch
    {
        RowReach.Doubled => ((y + dy) >> 1, (x + dx) >> 1),
        RowReach.Halved => ((2 * y) + dy, (2 * x) + dx),
        _ => (y + dy, x + dx),
    };
}
