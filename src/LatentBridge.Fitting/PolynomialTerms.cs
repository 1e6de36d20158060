using System.Numerics;
using System.Runtime.InteropServices;

namespace LatentBridge.Fitting;

/// <summary>The products of a cell's channels, by degree: 1; z_i; z_i z_j (i from 0, j from i); z_i z_j z_k (k from j).</summary>
/// <remarks>The order of the columns in <see cref="Decoders.Polynomial.PolynomialDecoder"/>'s file, so a lower degree is a beginning of a higher one.</remarks>
static class PolynomialTerms
{
    /// <summary>Products up to a degree of 1, 2 or 3, the constant among them.</summary>
    public static int Count(int channels, int degree) =>
        1 + channels + (degree > 1 ? channels * (channels + 1) / 2 : 0) + (degree > 2 ? channels * (channels + 1) * (channels + 2) / 6 : 0);

    /// <summary>Fills the rows of the products of degree 2 and 3 from rows 0 (ones) and 1 to <paramref name="channels"/> (the channels).</summary>
    /// <param name="rows">Rows of <paramref name="stride"/> cells, a multiple of the vector's length.</param>
    /// <param name="stride">Cells of a row.</param>
    /// <param name="channels">Channels of a cell.</param>
    /// <param name="degree">1, 2 or 3.</param>
    public static void Expand(Span<double> rows, int stride, int channels, int degree)
    {
        int at = 1 + channels;
        for (int i = 0; i < channels && degree > 1; i++)
        {
            for (int j = i; j < channels; j++)
            {
                Multiply(rows, stride, 1 + i, 1 + j, at++);
            }
        }

        int pairs = 1 + channels;
        for (int i = 0; i < channels && degree > 2; i++)
        {
            // The products of two that begin with j lie one after the other, and those of j from i are the rest of them.
            int rest = pairs + Count(channels, 2) - (1 + channels) - ((channels - i) * (channels - i + 1) / 2);
            for (int pair = rest; pair < Count(channels, 2); pair++)
            {
                Multiply(rows, stride, 1 + i, pair, at++);
            }
        }
    }

    static void Multiply(Span<double> rows, int stride, int a, int b, int to)
    {
        ReadOnlySpan<Vector<double>> left = MemoryMarshal.Cast<double, Vector<double>>(rows.Slice(a * stride, stride));
        ReadOnlySpan<Vector<double>> right = MemoryMarshal.Cast<double, Vector<double>>(rows.Slice(b * stride, stride));
        Span<Vector<double>> product = MemoryMarshal.Cast<double, Vector<double>>(rows.Slice(to * stride, stride));
        for (int i = 0; i < product.Length; i++)
        {
            product[i] = left[i] * right[i];
        }
    }
}
