using System.Runtime.CompilerServices;

namespace LatentBridge.Tensors;

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
    const int PartPixels = 512;

    readonly RowRing _input;
    readonly RowRing _output;
    readonly NativeBuffer _weights;
    readonly bool _relu;

    /// <param name="input">Its channels are a multiple of 16.</param>
    /// <param name="output">Its first three channels are written.</param>
    /// <param name="weights">See <see cref="Arrange"/>.</param>
    /// <param name="relu">Whether negative results become 0.</param>
    public RgbConvolution(RowRing input, RowRing output, NativeBuffer weights, bool relu)
        : base(output.Height, output)
    {
        _input = input;
        _output = output;
        _weights = weights;
        _relu = relu;
        StepRows = RowsOf(2048, output.Width);
        Reads(input, RowReach.Neighbours);
    }

    int PartsOfRow => (_output.Width + PartPixels - 1) / PartPixels;

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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Run(int first, int end, int part, float* scratch)
    {
        (int inStep, int inRow) = Math.DivRem(part, PartsOfRow);
        int y = first + inStep;
        float* output = _output.Row(y);
        int last = Math.Min(_output.Width, (inRow + 1) * PartPixels);
        for (int x = inRow * PartPixels; x < last; x += 4)
        {
            FourPixels(y, x, output + ((long)x * _output.Channels), last - x);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    void FourPixels(int y, int x, float* output, int pixels)
    {
        int channels = _input.Channels;
        TVector zero = TLanes.Broadcast(0);
        TVector r0 = zero, g0 = zero, b0 = zero, r1 = zero, g1 = zero, b1 = zero, r2 = zero, g2 = zero, b2 = zero, r3 = zero, g3 = zero, b3 = zero;
        float* w = _weights.Pointer;
        for (int dy = -1; dy <= 1; dy++)
        {
            float* p = _input.Row(y + dy) + ((x - 1L) * channels);
            for (int dx = 0; dx < 3; dx++, w += 2 * channels)
            {
                for (float* end = p + channels; p != end; p += TLanes.Count, w += TLanes.Count)
                {
                    TVector red = Load(w), green = Load(w + channels), blue = Load(w + (2 * channels));
                    TVector v = Load(p);
                    r0 = TLanes.MultiplyAdd(v, red, r0);
                    g0 = TLanes.MultiplyAdd(v, green, g0);
                    b0 = TLanes.MultiplyAdd(v, blue, b0);
                    v = Load(p + channels);
                    r1 = TLanes.MultiplyAdd(v, red, r1);
                    g1 = TLanes.MultiplyAdd(v, green, g1);
                    b1 = TLanes.MultiplyAdd(v, blue, b1);
                    v = Load(p + (2 * channels));
                    r2 = TLanes.MultiplyAdd(v, red, r2);
                    g2 = TLanes.MultiplyAdd(v, green, g2);
                    b2 = TLanes.MultiplyAdd(v, blue, b2);
                    v = Load(p + (3 * channels));
                    r3 = TLanes.MultiplyAdd(v, red, r3);
                    g3 = TLanes.MultiplyAdd(v, green, g3);
                    b3 = TLanes.MultiplyAdd(v, blue, b3);
                }
            }
        }

        Write(r0, g0, b0, w, output);
        if (pixels > 1)
        {
            Write(r1, g1, b1, w, output + _output.Channels);
        }

        if (pixels > 2)
        {
            Write(r2, g2, b2, w, output + (2 * _output.Channels));
        }

        if (pixels > 3)
        {
            Write(r3, g3, b3, w, output + (3 * _output.Channels));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    void Write(TVector red, TVector green, TVector blue, float* bias, float* pixel)
    {
        float r = TLanes.Sum(red) + bias[0], g = TLanes.Sum(green) + bias[1], b = TLanes.Sum(blue) + bias[2];
        pixel[0] = _relu ? Math.Max(r, 0) : r;
        pixel[1] = _relu ? Math.Max(g, 0) : g;
        pixel[2] = _relu ? Math.Max(b, 0) : b;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static TVector Load(float* source) => TLanes.Load(ref *source);
}
