using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace LatentBridge.Fitting;

/// <summary>
/// Least squares over any number of cells in constant memory: the sums of all products of two terms, and of a term and a colour, in double.
/// </summary>
/// <remarks>
/// Let A be the matrix [terms and colours, cells]; what is kept is A A^T, added up over blocks of cells. The matrix of a lower degree is
/// a beginning of it, so one pass serves all degrees. Cells are dealt to four sums whatever the number of threads, and those
/// are added in a fixed order: the numbers do not depend on the threads.
/// </remarks>
sealed class NormalEquations
{
    /// <summary>Terms at most: FLUX.1's 969 of degree 3, not FLUX.2's 6545 (343 MB of sums).</summary>
    public const int MaximumTerms = 1024;

    const int Shares = 4;
    const int BlockLength = 256;
    const int TileRows = 4;

    // A pivot this much smaller than its diagonal is rounding.
    const double SmallestPivot = 1e-11;

    readonly int _channels;
    readonly int _degree;
    readonly int _terms;
    readonly int _stride;
    readonly double[][] _sums;
    readonly double[][] _blocks;

    /// <summary>Makes one for polynomials up to a degree of 1, 2 or 3.</summary>
    public NormalEquations(int channels, int degree)
    {
        (_channels, _degree) = (channels, degree);
        _terms = PolynomialTerms.Count(channels, degree);
        _stride = (_terms + 3 + TileRows - 1) / TileRows * TileRows;
        _sums = [.. Enumerable.Range(0, Shares).Select(_ => new double[_stride * _stride])];
        _blocks = [.. Enumerable.Range(0, Shares).Select(_ => new double[_stride * BlockLength])];
    }

    /// <summary>Cells added.</summary>
    public long CellCount { get; private set; }

    /// <summary>All that was added up, the upper triangle of A A^T row by row: what <see cref="Restore"/> takes.</summary>
    public double[] Packed()
    {
        double[] sums = Merge();
        return [.. Enumerable.Range(0, _terms + 3).SelectMany(i => sums[((i * _stride) + i)..((i * _stride) + _terms + 3)])];
    }

    /// <summary>Takes up where others left off.</summary>
    /// <param name="packed">Their <see cref="Packed"/>.</param>
    /// <returns>False, and nothing is changed, when the numbers cannot be such sums.</returns>
    public bool Restore(ReadOnlySpan<double> packed)
    {
        int size = _terms + 3;
        if (packed.Length != size * (size + 1) / 2 || packed.ContainsAnyExceptInRange(-1e15, 1e15) || packed[0] < 0)
        {
            return false;
        }

        Array.ForEach(_sums, sums => sums.AsSpan().Clear());
        for (int i = 0; i < size; i++)
        {
            packed[..(size - i)].CopyTo(_sums[0].AsSpan((i * _stride) + i));
            packed = packed[(size - i)..];
        }

        CellCount = (long)_sums[0][0];
        return true;
    }

    /// <summary>Makes all that was added count half.</summary>
    public void Halve()
    {
        foreach (double[] sums in _sums)
        {
            for (int i = 0; i < sums.Length; i++)
            {
                sums[i] /= 2;
            }
        }

        CellCount /= 2;
    }

    /// <summary>Adds cells: planes [C, cells] and RGB24, whose 0..255 is read as -1..1.</summary>
    public void Add(ReadOnlyMemory<float> planes, ReadOnlyMemory<byte> rgb, int threads)
    {
        int cells = rgb.Length / 3;
        int blocks = (cells + BlockLength - 1) / BlockLength;
        Parallel.For(0, Shares, new ParallelOptions { MaxDegreeOfParallelism = threads }, share =>
        {
            for (int block = blocks * share / Shares; block < blocks * (share + 1) / Shares; block++)
            {
                Fill(_blocks[share], planes.Span, rgb.Span, block * BlockLength, cells);
                AddProducts(_blocks[share], _sums[share], _stride);
            }
        });
        CellCount += cells;
    }

    /// <summary>
    /// The coefficients that make the sum of squared differences, plus <paramref name="ridge"/> times that of the coefficients (each term
    /// brought to a mean square of 1), smallest: rows red, green and blue of all terms up to the degree.
    /// </summary>
    /// <exception cref="LatentBridgeException">There are fewer cells than terms, or a term is a sum of others.</exception>
    public double[][] Solve(int degree, bool bias, double ridge)
    {
        int first = bias ? 0 : 1;
        int terms = PolynomialTerms.Count(_channels, degree);
        int size = terms - first;
        if (CellCount < size)
        {
            throw new LatentBridgeException($"Too few pairs: {CellCount} cells for {size} coefficients per colour. Give more or larger pictures, or fit a lower degree.");
        }

        double[] sums = Merge();
        var scale = new double[size];
        for (int i = 0; i < size; i++)
        {
            scale[i] = Math.Sqrt(sums[((first + i) * _stride) + first + i] / CellCount);
            if (!(scale[i] > 0) || !double.IsFinite(scale[i]))
            {
                throw Singular(first + i, double.IsFinite(scale[i]) ? "is 0 in every cell" : "is too large to add up");
            }
        }

        var lower = new double[size, size];
        for (int i = 0; i < size; i++)
        {
            for (int j = 0; j <= i; j++)
            {
                double sum = (sums[((first + j) * _stride) + first + i] / (CellCount * scale[i] * scale[j])) + (i == j && first + i > 0 ? ridge : 0);
                sum -= Dot(MemoryMarshal.CreateReadOnlySpan(ref lower[i, 0], j), MemoryMarshal.CreateReadOnlySpan(ref lower[j, 0], j));
                if (i == j && sum < SmallestPivot)
                {
                    throw Singular(first + i, "follows from the others");
                }

                lower[i, j] = i == j ? Math.Sqrt(sum) : sum / lower[j, j];
            }
        }

        return [.. Enumerable.Range(0, 3).Select(colour =>
        {
            var right = new double[size];
            for (int i = 0; i < size; i++)
            {
                right[i] = sums[((first + i) * _stride) + _terms + colour] / (CellCount * scale[i]);
            }

            double[] solved = Substitute(lower, right);
            var coefficients = new double[terms];
            for (int i = 0; i < size; i++)
            {
                coefficients[first + i] = solved[i] / scale[i];
            }

            return coefficients;
        })];
    }

    static double[] Substitute(double[,] lower, double[] right)
    {
        int size = right.Length;
        for (int i = 0; i < size; i++)
        {
            right[i] = (right[i] - Dot(MemoryMarshal.CreateReadOnlySpan(ref lower[i, 0], i), right.AsSpan(0, i))) / lower[i, i];
        }

        for (int i = size - 1; i >= 0; i--)
        {
            right[i] /= lower[i, i];
            for (int j = 0; j < i; j++)
            {
                right[j] -= lower[i, j] * right[i];
            }
        }

        return right;
    }

    static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++)
        {
            sum += a[i] * b[i];
        }

        return sum;
    }

    static LatentBridgeException Singular(int term, string why) => new(
        $"The equations are singular: term {term} of the polynomial (0 is the constant, then the channels, then their products) {why}. Give more varied pictures, a larger --ridge or a lower degree.");

    double[] Merge()
    {
        double[] sums = [.. _sums[0]];
        for (int share = 1; share < Shares; share++)
        {
            for (int i = 0; i < sums.Length; i++)
            {
                sums[i] += _sums[share][i];
            }
        }

        return sums;
    }

    void Fill(double[] rows, ReadOnlySpan<float> planes, ReadOnlySpan<byte> rgb, int from, int cells)
    {
        int count = Math.Min(BlockLength, cells - from);
        if (count < BlockLength)
        {
            rows.AsSpan().Clear();
        }

        rows.AsSpan(0, count).Fill(1);
        for (int channel = 0; channel < _channels; channel++)
        {
            ReadOnlySpan<float> plane = planes.Slice((channel * cells) + from, count);
            Span<double> row = rows.AsSpan((1 + channel) * BlockLength, count);
            for (int i = 0; i < row.Length; i++)
            {
                row[i] = plane[i];
            }
        }

        PolynomialTerms.Expand(rows, BlockLength, _channels, _degree);
        for (int colour = 0; colour < 3; colour++)
        {
            Span<double> row = rows.AsSpan((_terms + colour) * BlockLength, count);
            for (int i = 0; i < row.Length; i++)
            {
                row[i] = (rgb[(3 * (from + i)) + colour] / 127.5) - 1;
            }
        }
    }

    /// <summary>Adds the products of all pairs of rows, i up to j: tiles of 2 x 4 rows, whose eight sums stay in registers over the block.</summary>
    static void AddProducts(double[] rows, double[] sums, int stride)
    {
        ref double r = ref MemoryMarshal.GetArrayDataReference(rows);
        for (int i = 0; i < stride; i += 2)
        {
            for (int j = i / TileRows * TileRows; j < stride; j += TileRows)
            {
                ref double a = ref Unsafe.Add(ref r, (nint)i * BlockLength);
                ref double b = ref Unsafe.Add(ref r, (nint)j * BlockLength);
                Vector256<double> s00 = default, s01 = default, s02 = default, s03 = default, s10 = default, s11 = default, s12 = default, s13 = default;
                for (nint k = 0; k < BlockLength; k += 4)
                {
                    Vector256<double> a0 = Load(ref a, k), a1 = Load(ref a, k + BlockLength);
                    Vector256<double> b0 = Load(ref b, k), b1 = Load(ref b, k + BlockLength), b2 = Load(ref b, k + (2 * BlockLength)), b3 = Load(ref b, k + (3 * BlockLength));
                    s00 = Vector256.MultiplyAddEstimate(a0, b0, s00);
                    s01 = Vector256.MultiplyAddEstimate(a0, b1, s01);
                    s02 = Vector256.MultiplyAddEstimate(a0, b2, s02);
                    s03 = Vector256.MultiplyAddEstimate(a0, b3, s03);
                    s10 = Vector256.MultiplyAddEstimate(a1, b0, s10);
                    s11 = Vector256.MultiplyAddEstimate(a1, b1, s11);
                    s12 = Vector256.MultiplyAddEstimate(a1, b2, s12);
                    s13 = Vector256.MultiplyAddEstimate(a1, b3, s13);
                }

                Span<double> upper = sums.AsSpan((i * stride) + j, 4);
                Span<double> below = sums.AsSpan(((i + 1) * stride) + j, 4);
                upper[0] += Vector256.Sum(s00);
                upper[1] += Vector256.Sum(s01);
                upper[2] += Vector256.Sum(s02);
                upper[3] += Vector256.Sum(s03);
                below[0] += Vector256.Sum(s10);
                below[1] += Vector256.Sum(s11);
                below[2] += Vector256.Sum(s12);
                below[3] += Vector256.Sum(s13);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector256<double> Load(ref double row, nint at) => Vector256.LoadUnsafe(ref Unsafe.Add(ref row, at));
}
