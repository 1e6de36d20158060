using System.Runtime.CompilerServices;
using LatentBridge.Simd;

namespace LatentBridge.Networks;

/// <summary>3x3 convolution to three outputs, stride 1, padding 1, vectorised across the inputs.</summary>
/// <remarks>
/// Winograd would fill 3 of its 32 output columns, so this is the plain sum. Four pixels by three colours are 12
/// accumulators over input channels; a pixel's lanes are added up at the end. Blocks of pixels beyond the right border are
/// computed from what lies there and not stored.
/// </remarks>
sealed unsafe class RgbConvolution<TLanes, TVector> : RowLayer
    where TLanes : ILanes<TVector>
    where TVector : struct
{
    const int Colours = 3;
    const int BlockPixels = 4;
    const int PartPixels = 512;

    readonly RowRing _input;
    readonly RowRing _output;
    readonly NativeBuffer _weights;

    /// <param name="input">Its channels are a multiple of 16.</param>
    /// <param name="output">Its first three channels are written.</param>
    /// <param name="weights">See <see cref="Arrange"/>.</param>
    public RgbConvolution(RowRing input, RowRing output, NativeBuffer weights)
        : base(output.Height, output)
    {
        _input = input;
        _output = output;
        _weights = weights;
        StepRows = RowsOf(2048, output.Width);
        Reads(input, RowReach.Neighbours);
    }

    int PartsOfRow => (Columns.End - Columns.First + PartPixels - 1) / PartPixels;

    /// <summary>[colour][input][3][3] to [3][3][colour][input channel], then the bias; missing channels are 0.</summary>
    public static NativeBuffer Arrange(ReadOnlySpan<float> kernels, ReadOnlySpan<float> bias, int inputs, int inputChannels)
    {
        NativeBuffer arranged = new((9L * Colours * inputChannels) + Colours);
        for (int tap = 0; tap < 9; tap++)
        {
            for (int colour = 0; colour < Colours; colour++)
            {
                for (int input = 0; input < inputs; input++)
                {
                    arranged.Pointer[(((tap * Colours) + colour) * inputChannels) + input] = kernels[(((colour * inputs) + input) * 9) + tap];
                }
            }
        }

        bias.CopyTo(new Span<float>(arranged.Pointer + (9 * Colours * inputChannels), Colours));
        return arranged;
    }

    public override int Parts(int first, int end) => (end - first) * PartsOfRow;

    public override void Run(int first, int end, int part, Workspace workspace)
    {
        (int inStep, int inRow) = Math.DivRem(part, PartsOfRow);
        int y = first + inStep, x = Columns.First + (inRow * PartPixels), pixels = Math.Min(PartPixels, Columns.End - x);
        nint at = (x - 1) * (nint)_input.Channels;
        float* sums = stackalloc float[BlockPixels * Colours];
        float* above = _input.Row(y - 1) + at, row = _input.Row(y) + at, below = _input.Row(y + 1) + at;
        float* output = _output.Row(y) + (x * (nint)_output.Channels);
        nint block = BlockPixels * _input.Channels;
        for (; pixels > 0; pixels -= BlockPixels, above += block, row += block, below += block, output += BlockPixels * _output.Channels)
        {
            Block(above, row, below, sums);
            for (int i = 0; i < Math.Min(BlockPixels, pixels); i++)
            {
                for (int colour = 0; colour < Colours; colour++)
                {
                    output[(i * _output.Channels) + colour] = sums[(i * Colours) + colour];
                }
            }
        }
    }

    // Red, green and blue of four pixels. The accumulators stay in registers: nothing is called in between.
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    void Block(float* above, float* row, float* below, float* sums)
    {
        nint channels = _input.Channels;
        TVector zero = TLanes.Broadcast(0);
        TVector r0 = zero, g0 = zero, b0 = zero, r1 = zero, g1 = zero, b1 = zero, r2 = zero, g2 = zero, b2 = zero, r3 = zero, g3 = zero, b3 = zero;
        float* w = _weights.Pointer;
        for (int dy = 0; dy < 3; dy++)
        {
            float* p = dy == 0 ? above : dy == 1 ? row : below;
            for (nint at = 0; at != 3 * channels; w += 2 * channels)
            {
                for (nint end = at + channels; at != end; at += TLanes.Count, w += TLanes.Count)
                {
                    TVector red = Load(w), green = Load(w + channels), blue = Load(w + (2 * channels));
                    TVector v = Load(p + at);
                    r0 = TLanes.MultiplyAdd(v, red, r0);
                    g0 = TLanes.MultiplyAdd(v, green, g0);
                    b0 = TLanes.MultiplyAdd(v, blue, b0);
                    v = Load(p + at + channels);
                    r1 = TLanes.MultiplyAdd(v, red, r1);
                    g1 = TLanes.MultiplyAdd(v, green, g1);
                    b1 = TLanes.MultiplyAdd(v, blue, b1);
                    v = Load(p + at + (2 * channels));
                    r2 = TLanes.MultiplyAdd(v, red, r2);
                    g2 = TLanes.MultiplyAdd(v, green, g2);
                    b2 = TLanes.MultiplyAdd(v, blue, b2);
                    v = Load(p + at + (3 * channels));
                    r3 = TLanes.MultiplyAdd(v, red, r3);
                    g3 = TLanes.MultiplyAdd(v, green, g3);
                    b3 = TLanes.MultiplyAdd(v, blue, b3);
                }
            }
        }

        Write(r0, g0, b0, w, sums);
        Write(r1, g1, b1, w, sums + Colours);
        Write(r2, g2, b2, w, sums + (2 * Colours));
        Write(r3, g3, b3, w, sums + (3 * Colours));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Write(TVector red, TVector green, TVector blue, float* bias, float* sums)
    {
        sums[0] = TLanes.Sum(red) + bias[0];
        sums[1] = TLanes.Sum(green) + bias[1];
        sums[2] = TLanes.Sum(blue) + bias[2];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static TVector Load(float* source) => TLanes.Load(ref *source);
}
