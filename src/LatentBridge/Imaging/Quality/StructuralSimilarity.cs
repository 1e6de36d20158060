using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using LatentBridge.Simd;

namespace LatentBridge.Imaging.Quality;

/// <summary>
/// SSIM = (2 ma mb + C1)(2 cov + C2) / ((ma² + mb² + C1)(va + vb + C2)), where means, variances and covariance are those of an
/// 11 x 11 Gaussian window.
/// </summary>
/// <remarks>
/// The window is a column times a row: each row is blurred sideways once (five maps: a, b, a², b², ab), and the last eleven
/// such rows are blurred downwards. Lane = x. Values are shifted by -128, which leaves variances alone and their rounding small.
/// </remarks>
static class StructuralSimilarity
{
    const int Window = 11;
    const int Maps = 5;
    const float Shift = 128;
    const float C1 = 0.01f * 255 * (0.01f * 255);
    const float C2 = 0.03f * 255 * (0.03f * 255);

    static readonly float[] Gaussian = MakeGaussian();

    /// <summary>The mean over colours and whole windows.</summary>
    public static double Mean(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, int width, int height, KernelWidth kernel)
    {
        if (width < Window || height < Window)
        {
            throw new ArgumentException($"A picture of {width} x {height} is smaller than the window of {Window} x {Window}.", nameof(width));
        }

        return kernel switch
        {
            KernelWidth.Vector512 => Mean<Lanes512, Vector512<float>>(a, b, width, height),
            KernelWidth.Vector256 => Mean<Lanes256, Vector256<float>>(a, b, width, height),
            KernelWidth.Vector128 => Mean<Lanes128, Vector128<float>>(a, b, width, height),
            _ => Mean<LanesScalar, float>(a, b, width, height),
        };
    }

    static double Mean<TLanes, TVector>(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, int width, int height)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        int columns = width - Window + 1;
        int stride = columns + Window + TLanes.Count;
        var rowA = new float[stride];
        var rowB = new float[stride];
        var ring = new float[Window * Maps * stride];
        var similarity = new float[stride];
        double sum = 0;
        for (int colour = 0; colour < 3; colour++)
        {
            for (int y = 0; y < height; y++)
            {
                for (int x = 0; x < width; x++)
                {
                    rowA[x] = a[3 * (y * width + x) + colour] - Shift;
                    rowB[x] = b[3 * (y * width + x) + colour] - Shift;
                }

                BlurSideways<TLanes, TVector>(rowA, rowB, ring.AsSpan(y % Window * Maps * stride, Maps * stride), stride, columns);
                if (y >= Window - 1)
                {
                    Similarity<TLanes, TVector>(ring, (y + 1) % Window, similarity, stride, columns);
                    for (int x = 0; x < columns; x++)
                    {
                        sum += similarity[x];
                    }
                }
            }
        }

        return sum / (3.0 * columns * (height - Window + 1));
    }

    static void BlurSideways<TLanes, TVector>(float[] rowA, float[] rowB, Span<float> maps, int stride, int columns)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        ref float a = ref MemoryMarshal.GetArrayDataReference(rowA);
        ref float b = ref MemoryMarshal.GetArrayDataReference(rowB);
        ref float to = ref MemoryMarshal.GetReference(maps);
        for (int x = 0; x < columns; x += TLanes.Count)
        {
            TVector meanA = TLanes.Broadcast(0), meanB = meanA, squareA = meanA, squareB = meanA, product = meanA;
            for (int k = 0; k < Window; k++)
            {
                TVector weight = TLanes.Broadcast(Gaussian[k]);
                TVector valueA = TLanes.Load(ref Unsafe.Add(ref a, x + k));
                TVector valueB = TLanes.Load(ref Unsafe.Add(ref b, x + k));
                TVector weightedA = TLanes.Multiply(weight, valueA);
                TVector weightedB = TLanes.Multiply(weight, valueB);
                meanA = TLanes.Add(meanA, weightedA);
                meanB = TLanes.Add(meanB, weightedB);
                squareA = TLanes.MultiplyAdd(weightedA, valueA, squareA);
                squareB = TLanes.MultiplyAdd(weightedB, valueB, squareB);
                product = TLanes.MultiplyAdd(weightedA, valueB, product);
            }

            TLanes.Store(meanA, ref Unsafe.Add(ref to, x));
            TLanes.Store(meanB, ref Unsafe.Add(ref to, stride + x));
            TLanes.Store(squareA, ref Unsafe.Add(ref to, 2 * stride + x));
            TLanes.Store(squareB, ref Unsafe.Add(ref to, 3 * stride + x));
            TLanes.Store(product, ref Unsafe.Add(ref to, 4 * stride + x));
        }
    }

    static void Similarity<TLanes, TVector>(float[] ring, int first, float[] similarity, int stride, int columns)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        ref float rows = ref MemoryMarshal.GetArrayDataReference(ring);
        for (int x = 0; x < columns; x += TLanes.Count)
        {
            TVector meanA = TLanes.Broadcast(0), meanB = meanA, squareA = meanA, squareB = meanA, product = meanA;
            for (int k = 0; k < Window; k++)
            {
                ref float row = ref Unsafe.Add(ref rows, (first + k) % Window * Maps * stride + x);
                TVector weight = TLanes.Broadcast(Gaussian[k]);
                meanA = TLanes.MultiplyAdd(weight, TLanes.Load(ref row), meanA);
                meanB = TLanes.MultiplyAdd(weight, TLanes.Load(ref Unsafe.Add(ref row, stride)), meanB);
                squareA = TLanes.MultiplyAdd(weight, TLanes.Load(ref Unsafe.Add(ref row, 2 * stride)), squareA);
                squareB = TLanes.MultiplyAdd(weight, TLanes.Load(ref Unsafe.Add(ref row, 3 * stride)), squareB);
                product = TLanes.MultiplyAdd(weight, TLanes.Load(ref Unsafe.Add(ref row, 4 * stride)), product);
            }

            TVector varianceA = TLanes.Subtract(squareA, TLanes.Multiply(meanA, meanA));
            TVector varianceB = TLanes.Subtract(squareB, TLanes.Multiply(meanB, meanB));
            TVector covariance = TLanes.Subtract(product, TLanes.Multiply(meanA, meanB));
            TVector a = TLanes.Add(meanA, TLanes.Broadcast(Shift));
            TVector b = TLanes.Add(meanB, TLanes.Broadcast(Shift));
            TVector two = TLanes.Broadcast(2);
            TVector numerator = TLanes.Multiply(
                TLanes.MultiplyAdd(two, TLanes.Multiply(a, b), TLanes.Broadcast(C1)),
                TLanes.MultiplyAdd(two, covariance, TLanes.Broadcast(C2)));
            TVector denominator = TLanes.Multiply(
                TLanes.MultiplyAdd(a, a, TLanes.MultiplyAdd(b, b, TLanes.Broadcast(C1))),
                TLanes.Add(TLanes.Add(varianceA, varianceB), TLanes.Broadcast(C2)));
            TLanes.Store(TLanes.Divide(numerator, denominator), ref similarity[x]);
        }
    }

    static float[] MakeGaussian()
    {
        double[] weights = [.. Enumerable.Range(-Window / 2, Window).Select(x => Math.Exp(-x * x / (2 * 1.5 * 1.5)))];
        return [.. weights.Select(weight => (float)(weight / weights.Sum()))];
    }
}
