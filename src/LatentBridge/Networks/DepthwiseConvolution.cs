using System.Runtime.CompilerServices;
using LatentBridge.Simd;

namespace LatentBridge.Networks;

/// <summary>A convolution of each channel by itself; behind its channels, where its output has room, those that were made of the frame before, or zeros.</summary>
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
            Reads(past, RowReach.Same);
        }
    }

    /// <summary>[channel][dy][dx] to [dy][dx][channel].</summary>
    public static NativeBuffer Arrange(float[] weights, int taps)
    {
        NativeBuffer arranged = new(weights.Length);
        int channels = weights.Length / taps;
        for (int i = 0; i < weights.Length; i++)
        {
            (int channel, int tap) = Math.DivRem(i, taps);
            arranged.Pointer[(tap * channels) + channel] = weights[i];
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
            Sum(y, x, output);
            Span<float> behind = new(output + channels, _output.Channels - channels);
            if (_past is null)
            {
                behind.Clear();
            }
            else
            {
                new ReadOnlySpan<float>(_past.Row(y) + ((long)x * channels), behind.Length).CopyTo(behind);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void Sum(int y, int x, float* output)
    {
        int reach = _side / 2, channels = _input.Channels;
        int left = Math.Max(0, x - reach), right = Math.Min(_input.Width - 1, x + reach);
        for (int channel = 0; channel < channels; channel += TLanes.Count)
        {
            TVector sum = TLanes.Broadcast(0);
            for (int row = Math.Max(0, y - reach); row <= Math.Min(_input.Height - 1, y + reach); row++)
            {
                float* pixel = _input.Row(row) + ((long)left * channels) + channel;
                float* weight = _weights.Pointer + (((((row - y + reach) * _side) + left - x + reach) * (long)channels) + channel);
                for (int column = left; column <= right; column++, pixel += channels, weight += channels)
                {
                    sum = TLanes.MultiplyAdd(TLanes.Load(ref *pixel), TLanes.Load(ref *weight), sum);
                }
            }

            TLanes.Store(sum, ref output[channel]);
        }
    }
}
