using System.Runtime.CompilerServices;
using LatentBridge.Simd;

namespace LatentBridge.Networks;

/// <summary>A convolution of each channel by itself: of the input, and behind those of the frame before, whose channels are zero where there is none.</summary>
sealed unsafe class DepthwiseConvolution<TLanes, TVector> : RowLayer
    where TLanes : struct, ILanes<TVector>
    where TVector : struct
{
    readonly RowRing _input;
    readonly RowRing? _past;
    readonly RowRing _output;
    readonly NativeBuffer _weights;
    readonly int _side;

    public DepthwiseConvolution(RowRing input, RowRing? past, RowRing output, NativeBuffer weights, ConvolutionLayer layer)
        : base(output.Height, output)
    {
        _input = input;
        _past = past;
        _output = output;
        _weights = weights;
        _side = layer.Side;
        StepRows = RowsOf(1024, output.Width);
        Reads(input, layer.Reach);
        if (past is not null)
        {
            Reads(past, layer.Reach);
        }
    }

    /// <summary>[channel][dy][dx] to [dy][dx][channel].</summary>
    public static NativeBuffer Arrange(float[] weights, ConvolutionLayer layer)
    {
        NativeBuffer arranged = new(weights.Length);
        for (int i = 0; i < weights.Length; i++)
        {
            (int channel, int tap) = Math.DivRem(i, layer.Taps);
            arranged.Pointer[(tap * layer.Outputs) + channel] = weights[i];
        }

        return arranged;
    }

    public override int Parts(int first, int end) => end - first;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Run(int first, int end, int part, Workspace workspace)
    {
        int y = first + part, channels = _input.Channels;
        for (int x = Columns.First; x < Columns.End; x++)
        {
            float* output = _output.Row(y) + ((long)x * _output.Channels);
            Sum(_input, y, x, _weights.Pointer, output);
            if (_past is not null)
            {
                Sum(_past, y, x, _weights.Pointer + channels, output + channels);
            }
            else
            {
                new Span<float>(output + channels, channels).Clear();
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void Sum(RowRing ring, int y, int x, float* weights, float* output)
    {
        int reach = _side / 2, channels = ring.Channels;
        int left = Math.Max(0, x - reach), right = Math.Min(ring.Width - 1, x + reach);
        for (int channel = 0; channel < channels; channel += TLanes.Count)
        {
            TVector sum = TLanes.Broadcast(0);
            for (int row = Math.Max(0, y - reach); row <= Math.Min(ring.Height - 1, y + reach); row++)
            {
                float* pixel = ring.Row(row) + ((long)left * channels) + channel;
                float* weight = weights + (((((row - y + reach) * _side) + left - x + reach) * 2L * channels) + channel);
                for (int column = left; column <= right; column++, pixel += channels, weight += 2 * channels)
                {
                    sum = TLanes.MultiplyAdd(TLanes.Load(ref *pixel), TLanes.Load(ref *weight), sum);
                }
            }

            TLanes.Store(sum, ref output[channel]);
        }
    }
}
