using System.Runtime.CompilerServices;
using LatentBridge.Simd;

namespace LatentBridge.Networks;

/// <summary>3x3 convolution of stride 2, padding 1: three matrix products a row, one for each kernel row.</summary>
/// <remarks>
/// <code>
///   y[row][x] = bias + sum over dy of  [ p(2x-1) p(2x) p(2x+1) ] of input row 2 row + dy - 1  times  W[dy]
/// </code>
/// The three pixels lie side by side, so they already are a row of the left matrix, the next one two pixels on: nothing is
/// copied together.
/// </remarks>
sealed unsafe class StridedConvolution<TLanes, TVector> : RowLayer
    where TLanes : ILanes<TVector>
    where TVector : struct
{
    const int BatchPixels = 24;
    const int PartPixels = 4 * BatchPixels;

    readonly RowRing _input;
    readonly RowRing _output;
    readonly StridedWeights<TLanes, TVector> _weights;
    readonly bool _relu;

    public StridedConvolution(RowRing input, RowRing output, StridedWeights<TLanes, TVector> weights, bool relu)
        : base(output.Height, output)
    {
        _input = input;
        _output = output;
        _weights = weights;
        _relu = relu;
        StepRows = RowsOf(1024, output.Width);
        Reads(input, RowReach.Halved);
    }

    public override long ScratchLength => BatchPixels * _weights.PaddedOutputs;

    int PartsOfRow => (Columns.End - Columns.First + PartPixels - 1) / PartPixels;

    public override int Parts(int first, int end) => (end - first) * PartsOfRow;

    public override void Run(int first, int end, int part, Workspace workspace)
    {
        (int row, int inRow) = Math.DivRem(part, PartsOfRow);
        int x = Columns.First + (inRow * PartPixels), last = Math.Min(Columns.End, x + PartPixels);
        for (; x < last; x += BatchPixels)
        {
            RunBatch(first + row, x, Math.Min(BatchPixels, last - x), workspace.Scratch);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void RunBatch(int y, int x, int pixels, float* sums)
    {
        int inputChannels = _input.Channels, padded = _weights.PaddedOutputs;
        for (int dy = 0; dy < 3; dy++)
        {
            float* source = _input.Row((2 * y) + dy - 1) + (((2L * x) - 1) * inputChannels);
            MatrixKernel<TLanes, TVector>.Multiply(
                source, 2 * inputChannels, pixels, _weights.KernelRow(dy), 3 * inputChannels, padded,
                dy == 0 ? _weights.Bias : sums, dy == 0 ? 0 : padded, sums, padded);
        }

        TVector zero = TLanes.Broadcast(0);
        float* destination = _output.Row(y) + ((long)x * _output.Channels);
        for (int i = 0; i < pixels; i++, sums += padded, destination += _output.Channels)
        {
            for (int c = 0; c < _output.Channels; c += TLanes.Count)
            {
                TVector sum = TLanes.Load(ref sums[c]);
                TLanes.Store(_relu ? TLanes.Max(sum, zero) : sum, ref destination[c]);
            }
        }
    }
}

/// <summary>The weights of a <see cref="StridedConvolution{TLanes, TVector}"/>: for each kernel row, [dx][input] x output, packed.</summary>
sealed unsafe class StridedWeights<TLanes, TVector> : INativeMemory
    where TLanes : ILanes<TVector>
    where TVector : struct
{
    readonly NativeBuffer _buffer;
    readonly nint _rowLength;

    // kernels: [output][input][3][3]; inputChannels: floats of an input pixel, at least inputs.
    public StridedWeights(ReadOnlySpan<float> kernels, ReadOnlySpan<float> bias, int outputs, int inputs, int inputChannels)
    {
        PaddedOutputs = MatrixKernel<TLanes, TVector>.PaddedColumns(outputs);
        _rowLength = MatrixKernel<TLanes, TVector>.PackedLength(3 * inputChannels, outputs);
        _buffer = new NativeBuffer((3 * _rowLength) + PaddedOutputs);
        float[] matrix = new float[3 * inputChannels * outputs];
        for (int dy = 0; dy < 3; dy++)
        {
            for (int dx = 0; dx < 3; dx++)
            {
                for (int input = 0; input < inputs; input++)
                {
                    for (int output = 0; output < outputs; output++)
                    {
                        matrix[(((dx * inputChannels) + input) * outputs) + output] = kernels[(((output * inputs) + input) * 9) + (dy * 3) + dx];
                    }
                }
            }

            MatrixKernel<TLanes, TVector>.Pack(matrix, 3 * inputChannels, outputs, KernelRow(dy));
        }

        bias.CopyTo(new Span<float>(Bias, PaddedOutputs));
    }

    /// <summary>Outputs rounded up to whole panels.</summary>
    public int PaddedOutputs { get; }

    public long ByteLength => _buffer.ByteLength;

    public float* Bias => _buffer.Pointer + (3 * _rowLength);

    public float* KernelRow(int dy) => _buffer.Pointer + (dy * _rowLength);

    public void Dispose() => _buffer.Dispose();
}
