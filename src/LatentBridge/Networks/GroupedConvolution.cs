using System.Runtime.CompilerServices;
using LatentBridge.Simd;

namespace LatentBridge.Networks;

/// <summary>A 1x1 convolution, or one of 3x3 within groups of channels: a product of matrices for each tap and group.</summary>
sealed unsafe class GroupedConvolution<TLanes, TVector> : RowLayer
    where TLanes : struct, ILanes<TVector>
    where TVector : struct
{
    /// <summary>Pixels of one product, so that a panel of weights that came into the cache is used several times.</summary>
    const int Block = 8 * MatrixKernel<Lanes128, System.Runtime.Intrinsics.Vector128<float>>.Rows;

    readonly RowRing _input;
    readonly RowRing _output;
    readonly RowRing? _residual;
    readonly GroupedWeights<TLanes, TVector> _weights;
    readonly int _side;
    readonly bool _relu;

    public GroupedConvolution(RowRing input, RowRing output, RowRing? residual, GroupedWeights<TLanes, TVector> weights, ConvolutionLayer layer)
        : base(output.Height, output)
    {
        _input = input;
        _output = output;
        _residual = residual;
        _weights = weights;
        _side = layer.Side;
        _relu = layer.Relu;
        StepRows = RowsOf(1024, output.Width);
        Reads(input, layer.Reach);
        if (residual is not null)
        {
            Reads(residual, RowReach.Same);
        }
    }

    public override long ScratchLength => (long)Block * _weights.PaddedOutputs;

    public override int Parts(int first, int end) => end - first;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Run(int first, int end, int part, Workspace workspace)
    {
        int y = first + part;
        for (int x = Columns.First; x < Columns.End; x += Block)
        {
            int pixels = Math.Min(Block, Columns.End - x);
            for (int group = 0; group < _weights.Groups; group++)
            {
                Multiply(y, x, pixels, group, workspace.Scratch);
                Finish(y, x, pixels, group, workspace.Scratch);
            }
        }
    }

    void Multiply(int y, int x, int pixels, int group, float* sums)
    {
        for (int tap = 0; tap < _side * _side; tap++)
        {
            int row = y + (tap / _side) - (_side / 2), column = x + (tap % _side) - (_side / 2);
            float* from = _input.Row(row) + ((long)column * _input.Channels) + (group * _weights.Inputs);
            MatrixKernel<TLanes, TVector>.Multiply(
                from, _input.Channels, pixels, _weights.Matrix(group, tap), _weights.Inputs, _weights.Outputs,
                tap == 0 ? _weights.Bias(group) : sums, tap == 0 ? 0 : _weights.PaddedOutputs, sums, _weights.PaddedOutputs);
        }
    }

    void Finish(int y, int x, int pixels, int group, float* sums)
    {
        TVector least = TLanes.Broadcast(_relu ? 0 : float.NegativeInfinity);
        for (int pixel = 0; pixel < pixels; pixel++, sums += _weights.PaddedOutputs)
        {
            float* to = _output.Row(y) + ((x + pixel) * (long)_output.Channels) + (group * _weights.Outputs);
            float* added = _residual is null ? null : _residual.Row(y) + ((x + pixel) * (long)_residual.Channels) + (group * _weights.Outputs);
            for (int i = 0; i < _weights.Outputs; i += TLanes.Count)
            {
                TVector sum = TLanes.Load(ref sums[i]);
                sum = added is null ? sum : TLanes.Add(sum, TLanes.Load(ref added[i]));
                TLanes.Store(TLanes.Max(sum, least), ref to[i]);
            }
        }
    }
}

/// <summary>Its weights: a packed matrix for each group and tap, inputs x outputs.</summary>
sealed unsafe class GroupedWeights<TLanes, TVector> : INativeMemory
    where TLanes : struct, ILanes<TVector>
    where TVector : struct
{
    readonly NativeBuffer _matrices;
    readonly NativeBuffer _bias;
    readonly int _taps;

    /// <param name="weights">[output][input of its group][dy][dx]</param>
    /// <param name="bias">One for each output; null for none.</param>
    /// <param name="layer">What to compute; the outputs of a group are whole vectors.</param>
    public GroupedWeights(float[] weights, float[]? bias, ConvolutionLayer layer)
    {
        (Groups, Inputs, Outputs, _taps) = (layer.Groups, layer.Inputs / layer.Groups, layer.Outputs / layer.Groups, layer.Taps);
        if (Outputs % 16 != 0)
        {
            throw new ArgumentException($"A group has {Outputs} outputs; it takes a multiple of 16.", nameof(layer));
        }

        _matrices = new((long)Groups * _taps * MatrixLength);
        _bias = new((long)Groups * PaddedOutputs);
        float[] matrix = new float[Inputs * Outputs];
        for (int group = 0; group < Groups; group++)
        {
            bias?.AsSpan(group * Outputs, Outputs).CopyTo(new(Bias(group), Outputs));
            for (int tap = 0; tap < _taps; tap++)
            {
                for (int i = 0; i < matrix.Length; i++)
                {
                    (int input, int output) = Math.DivRem(i, Outputs);
                    matrix[i] = weights[(((((group * Outputs) + output) * Inputs) + input) * _taps) + tap];
                }

                MatrixKernel<TLanes, TVector>.Pack(matrix, Inputs, Outputs, Matrix(group, tap));
            }
        }
    }

    public int Groups { get; }

    /// <summary>Of a group.</summary>
    public int Inputs { get; }

    /// <summary>Of a group.</summary>
    public int Outputs { get; }

    public int PaddedOutputs => MatrixKernel<TLanes, TVector>.PaddedColumns(Outputs);

    public long ByteLength => _matrices.ByteLength + _bias.ByteLength;

    int MatrixLength => MatrixKernel<TLanes, TVector>.PackedLength(Inputs, Outputs);

    public float* Matrix(int group, int tap) => _matrices.Pointer + ((long)((group * _taps) + tap) * MatrixLength);

    public float* Bias(int group) => _bias.Pointer + ((long)group * PaddedOutputs);

    public void Dispose()
    {
        _matrices.Dispose();
        _bias.Dispose();
    }
}
