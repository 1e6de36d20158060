using System.Runtime.Intrinsics;
using LatentBridge.Simd;

namespace LatentBridge.Imaging.Png;

/// <summary>
/// Chooses and applies the filter of a row. The scalar code here is the reference for <see cref="PngFilterKernel{TLanes, TVector}"/>.
/// </summary>
/// <remarks>
/// <code>
/// prior row    c b        a: current[i - pixel]    b: prior[i]    c: prior[i - pixel]
/// current row  a x        residual = x - prediction(a, b, c)  mod 256
/// </code>
/// Rows are given with margins: <c>pixel</c> readable bytes before them (zero at the left edge of a picture), and up to the next
/// multiple of 64 bytes behind them, which are read as part of the row and, in the destination, written.
/// </remarks>
static unsafe class PngFilter
{
    /// <summary>Rows have this many readable bytes on both sides; rows begin and end on multiples of it.</summary>
    public const int Margin = 64;

    /// <summary>Costs are summed over no more of a row than this, so that they fit 32 bits.</summary>
    const int LongestCost = 1 << 24;

    /// <summary>
    /// The filter with the least sum of |residual|, the residual read as a signed byte; of equals the first of Up, Sub, Average, Paeth.
    /// </summary>
    public static PngFilterKind Choose(KernelWidth width, byte* current, byte* prior, int pixel, int length)
    {
        length = Math.Min(RoundUp(length), LongestCost);
        Costs costs = width switch
        {
            KernelWidth.Vector512 => PngFilterKernel<ByteLanes512, Vector512<byte>>.Measure(current, prior, pixel, length),
            KernelWidth.Vector256 => PngFilterKernel<ByteLanes256, Vector256<byte>>.Measure(current, prior, pixel, length),
            KernelWidth.Vector128 => PngFilterKernel<ByteLanes128, Vector128<byte>>.Measure(current, prior, pixel, length),
            _ => MeasureScalar(current, prior, pixel, length),
        };
        return costs.Least;
    }

    /// <summary>Writes the residuals of a row; bytes behind <paramref name="length"/> up to the next multiple of 64 become zero.</summary>
    public static void Apply(KernelWidth width, PngFilterKind kind, byte* current, byte* prior, byte* destination, int pixel, int length)
    {
        int padded = RoundUp(length);
        switch (width)
        {
            case KernelWidth.Vector512:
                PngFilterKernel<ByteLanes512, Vector512<byte>>.Apply(kind, current, prior, destination, pixel, padded);
                break;
            case KernelWidth.Vector256:
                PngFilterKernel<ByteLanes256, Vector256<byte>>.Apply(kind, current, prior, destination, pixel, padded);
                break;
            case KernelWidth.Vector128:
                PngFilterKernel<ByteLanes128, Vector128<byte>>.Apply(kind, current, prior, destination, pixel, padded);
                break;
            default:
                ApplyScalar(kind, current, prior, destination, pixel, padded);
                break;
        }

        new Span<byte>(destination + length, padded - length).Clear();
    }

    /// <summary>The next multiple of 64.</summary>
    public static int RoundUp(int length) => (length + Margin - 1) & -Margin;

    static Costs MeasureScalar(byte* current, byte* prior, int pixel, int length)
    {
        uint up = 0, sub = 0, average = 0, paeth = 0;
        for (int i = 0; i < length; i++)
        {
            byte x = current[i], a = current[i - pixel], b = prior[i], c = prior[i - pixel];
            up += Cost(x - b);
            sub += Cost(x - a);
            average += Cost(x - ((a + b) >> 1));
            paeth += Cost(x - Paeth(a, b, c));
        }

        return new Costs(up, sub, average, paeth);

        static uint Cost(int residual) => (uint)Math.Abs((int)(sbyte)residual);
    }

    static void ApplyScalar(PngFilterKind kind, byte* current, byte* prior, byte* destination, int pixel, int length)
    {
        for (int i = 0; i < length; i++)
        {
            destination[i] = (byte)(current[i] - Predict(kind, current[i - pixel], prior[i], prior[i - pixel]));
        }
    }

    /// <summary>The prediction, as the specification writes it.</summary>
    public static byte Predict(PngFilterKind kind, byte a, byte b, byte c) => kind switch
    {
        PngFilterKind.Sub => a,
        PngFilterKind.Up => b,
        PngFilterKind.Average => (byte)((a + b) >> 1),
        PngFilterKind.Paeth => Paeth(a, b, c),
        _ => 0,
    };

    static byte Paeth(byte a, byte b, byte c)
    {
        int p = a + b - c;
        int pa = Math.Abs(p - a), pb = Math.Abs(p - b), pc = Math.Abs(p - c);
        return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
    }

    /// <summary>What each filter would leave to encode.</summary>
    public readonly record struct Costs(uint Up, uint Sub, uint Average, uint Paeth)
    {
        public PngFilterKind Least
        {
            get
            {
                uint least = Math.Min(Math.Min(Up, Sub), Math.Min(Average, Paeth));
                return least == Up ? PngFilterKind.Up
                    : least == Sub ? PngFilterKind.Sub
                    : least == Average ? PngFilterKind.Average
                    : PngFilterKind.Paeth;
            }
        }
    }
}
