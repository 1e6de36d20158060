using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using LatentBridge.Simd;

namespace LatentBridge.Fitting.Training;

/// <summary>The two products that training a 3x3 convolution takes, at one vector width; see <see cref="ConvolutionKernel{TLanes, TVector}"/>.</summary>
abstract unsafe class ConvolutionKernel
{
    /// <summary>Pixels, or inputs, that go at a time; callers round up and own the spare ones.</summary>
    public const int Rows = 6;

    public static ConvolutionKernel Create(KernelWidth width) => width switch
    {
        KernelWidth.Vector512 => new ConvolutionKernel<Lanes512, Vector512<float>>(),
        KernelWidth.Vector256 => new ConvolutionKernel<Lanes256, Vector256<float>>(),
        KernelWidth.Vector128 => new ConvolutionKernel<Lanes128, Vector128<float>>(),
        _ => new ConvolutionKernel<LanesScalar, float>(),
    };

    /// <summary>Columns of a panel of weights.</summary>
    public abstract int PanelColumns { get; }

    /// <summary>y[p] = bias + sum over taps t of x[p + t] W[t], for pixels 0 to <paramref name="count"/> - 1, rounded up to whole <see cref="Rows"/>.</summary>
    /// <param name="x">Pixel 0 of the input.</param>
    /// <param name="offsets">Of the nine taps, in floats of the input.</param>
    /// <param name="inputs">Channels of the input to read.</param>
    /// <param name="panels">W as [panel][tap][input][column].</param>
    /// <param name="bias">One for each column.</param>
    /// <param name="y">Pixel 0 of the output; as many columns as it has room for are computed.</param>
    /// <param name="xStride">Floats of an input pixel.</param>
    /// <param name="yStride">Floats of an output pixel, whole panels.</param>
    /// <param name="count">Pixels.</param>
    public abstract void Convolve(float* x, nint xStride, nint* offsets, int inputs, float* panels, float* bias, float* y, nint yStride, int count);

    /// <summary>g[i][o] += sum over pixels p of x[p][i] d[p][o], for inputs 0 to 5 and all outputs: six rows of a weight's gradient.</summary>
    /// <param name="x">Channel i of the pixel that the tap reads for pixel 0.</param>
    /// <param name="xStride">Floats of an input pixel.</param>
    /// <param name="d">Pixel 0 of the derivatives by the output.</param>
    /// <param name="dStride">Floats of an output pixel, whole panels.</param>
    /// <param name="count">Pixels.</param>
    /// <param name="g">Row i = 0 of the gradient, of <paramref name="dStride"/> floats.</param>
    public abstract void Correlate(float* x, nint xStride, float* d, nint dStride, int count, float* g);
}

/// <summary>The kernels, written once for all widths.</summary>
/// <remarks>
/// <para>The register tile is that of the engine's <c>MatrixKernel</c>: 6 rows by 2 vectors of sums, 8 loads for 12 multiply-adds. Each element is summed in one chain in a fixed
/// order (taps, then inputs; or pixels), so a result depends neither on its neighbours nor on how the work is shared out.</para>
/// <code>
///   Convolve    rows: 6 pixels    columns: outputs    depth: 9 taps x inputs; a row of x is moved by the tap
///   Correlate   rows: 6 inputs    columns: outputs    depth: pixels; x is read down a column
/// </code>
/// </remarks>
sealed unsafe class ConvolutionKernel<TLanes, TVector> : ConvolutionKernel
    where TLanes : struct, ILanes<TVector>
    where TVector : struct
{
    public override int PanelColumns => 2 * TLanes.Count;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Convolve(float* x, nint xStride, nint* offsets, int inputs, float* panels, float* bias, float* y, nint yStride, int count)
    {
        for (nint column = 0; column < yStride; column += PanelColumns, panels += (nint)9 * inputs * PanelColumns)
        {
            for (nint pixel = 0; pixel < count; pixel += Rows)
            {
                ConvolveTile(x + (pixel * xStride), xStride, offsets, inputs, panels, bias + column, y + (pixel * yStride) + column, yStride);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Correlate(float* x, nint xStride, float* d, nint dStride, int count, float* g)
    {
        for (nint column = 0; column < dStride; column += PanelColumns)
        {
            CorrelateTile(x, xStride, d + column, dStride, count, g + column);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    static void ConvolveTile(float* x, nint stride, nint* offsets, int inputs, float* b, float* bias, float* y, nint yStride)
    {
        int n = TLanes.Count;
        TVector c00 = Load(bias), c01 = Load(bias + n);
        TVector c10 = c00, c11 = c01, c20 = c00, c21 = c01, c30 = c00, c31 = c01, c40 = c00, c41 = c01, c50 = c00, c51 = c01;
        for (int tap = 0; tap < 9; tap++)
        {
            float* a = x + offsets[tap];
            float* a3 = a + (3 * stride);
            for (float* end = a + inputs; a != end; a++, a3++, b += 2 * n)
            {
                TVector b0 = Load(b), b1 = Load(b + n);
                TVector v = TLanes.Broadcast(a[0]);
                c00 = TLanes.MultiplyAdd(v, b0, c00);
                c01 = TLanes.MultiplyAdd(v, b1, c01);
                v = TLanes.Broadcast(a[stride]);
                c10 = TLanes.MultiplyAdd(v, b0, c10);
                c11 = TLanes.MultiplyAdd(v, b1, c11);
                v = TLanes.Broadcast(a[2 * stride]);
                c20 = TLanes.MultiplyAdd(v, b0, c20);
                c21 = TLanes.MultiplyAdd(v, b1, c21);
                v = TLanes.Broadcast(a3[0]);
                c30 = TLanes.MultiplyAdd(v, b0, c30);
                c31 = TLanes.MultiplyAdd(v, b1, c31);
                v = TLanes.Broadcast(a3[stride]);
                c40 = TLanes.MultiplyAdd(v, b0, c40);
                c41 = TLanes.MultiplyAdd(v, b1, c41);
                v = TLanes.Broadcast(a3[2 * stride]);
                c50 = TLanes.MultiplyAdd(v, b0, c50);
                c51 = TLanes.MultiplyAdd(v, b1, c51);
            }
        }

        Store(c00, c01, y);
        Store(c10, c11, y + yStride);
        Store(c20, c21, y + (2 * yStride));
        Store(c30, c31, y + (3 * yStride));
        Store(c40, c41, y + (4 * yStride));
        Store(c50, c51, y + (5 * yStride));
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    static void CorrelateTile(float* x, nint xStride, float* d, nint dStride, int count, float* g)
    {
        int n = TLanes.Count;
        float* g3 = g + (3 * dStride);
        TVector c00 = Load(g), c01 = Load(g + n);
        TVector c10 = Load(g + dStride), c11 = Load(g + dStride + n);
        TVector c20 = Load(g + (2 * dStride)), c21 = Load(g + (2 * dStride) + n);
        TVector c30 = Load(g3), c31 = Load(g3 + n);
        TVector c40 = Load(g3 + dStride), c41 = Load(g3 + dStride + n);
        TVector c50 = Load(g3 + (2 * dStride)), c51 = Load(g3 + (2 * dStride) + n);
        for (; count > 0; count--, x += xStride, d += dStride)
        {
            TVector b0 = Load(d), b1 = Load(d + n);
            TVector v = TLanes.Broadcast(x[0]);
            c00 = TLanes.MultiplyAdd(v, b0, c00);
            c01 = TLanes.MultiplyAdd(v, b1, c01);
            v = TLanes.Broadcast(x[1]);
            c10 = TLanes.MultiplyAdd(v, b0, c10);
            c11 = TLanes.MultiplyAdd(v, b1, c11);
            v = TLanes.Broadcast(x[2]);
            c20 = TLanes.MultiplyAdd(v, b0, c20);
            c21 = TLanes.MultiplyAdd(v, b1, c21);
            v = TLanes.Broadcast(x[3]);
            c30 = TLanes.MultiplyAdd(v, b0, c30);
            c31 = TLanes.MultiplyAdd(v, b1, c31);
            v = TLanes.Broadcast(x[4]);
            c40 = TLanes.MultiplyAdd(v, b0, c40);
            c41 = TLanes.MultiplyAdd(v, b1, c41);
            v = TLanes.Broadcast(x[5]);
            c50 = TLanes.MultiplyAdd(v, b0, c50);
            c51 = TLanes.MultiplyAdd(v, b1, c51);
        }

        Store(c00, c01, g);
        Store(c10, c11, g + dStride);
        Store(c20, c21, g + (2 * dStride));
        Store(c30, c31, g3);
        Store(c40, c41, g3 + dStride);
        Store(c50, c51, g3 + (2 * dStride));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static TVector Load(float* source) => TLanes.Load(ref *source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Store(TVector first, TVector second, float* destination)
    {
        TLanes.Store(first, ref *destination);
        TLanes.Store(second, ref destination[TLanes.Count]);
    }
}
