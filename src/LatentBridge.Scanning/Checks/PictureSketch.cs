using System.Buffers;
using System.Numerics;
using System.Runtime.InteropServices;

namespace LatentBridge.Scanning.Checks;

/// <summary>What stays of a picture to find copies of it: the 8 x 8 lowest cosines of its 32 x 32 brightness.</summary>
/// <remarks>
/// <see cref="Hash"/> holds their signs; copies differ in the few that are near zero. Cosines of odd frequency across change their sign when the picture is mirrored, so the hash
/// of the mirrored picture is at hand too. <see cref="Cosines"/> decides: pictures are copies when the cosines correlate.
/// </remarks>
public sealed class PictureSketch
{
    /// <summary>Cosines along each side.</summary>
    internal const int Side = 8;

    /// <summary>Signs of the cosines of odd frequency across.</summary>
    internal const ulong OddAcross = 0xAAAA_AAAA_AAAA_AAAA;

    const float Range = 127;
    const int StrongFrom = 16;

    /// <summary>Below this, in levels of 255, the cosines are those of noise, and a picture has no sketch.</summary>
    const float LeastStrength = 2;

    static readonly float[] Basis = MakeBasis();

    readonly sbyte[] _cosines;

    PictureSketch(sbyte[] cosines)
    {
        _cosines = cosines;
        for (int i = 1; i < cosines.Length; i++)
        {
            Hash |= cosines[i] > 0 ? 1UL << i : 0;
            Strong |= Math.Abs((int)cosines[i]) >= StrongFrom ? 1UL << i : 0;
        }
    }

    /// <summary>A bit for each cosine that is positive; bit 0, the mean, is always 0.</summary>
    public ulong Hash { get; }

    /// <summary>A bit for each cosine of at least an eighth of the strongest; the mirrored picture has the same.</summary>
    internal ulong Strong { get; }

    /// <summary>The hash of the mirrored picture, but for cosines of 0.</summary>
    internal ulong MirroredHash => (Hash ^ OddAcross) & ~1UL;

    /// <summary>The cosines, the strongest being 127; the mean is left out as 0.</summary>
    internal ReadOnlySpan<sbyte> Cosines => _cosines;

    /// <summary>Makes one of a 32 x 32 brightness; null for a picture without any shape.</summary>
    internal static PictureSketch? Of(ReadOnlySpan<float> grid)
    {
        const int GridSide = Luminance.GridSide;
        Span<float> across = stackalloc float[GridSide * Side];
        for (int y = 0; y < GridSide; y++)
        {
            for (int u = 0; u < Side; u++)
            {
                across[(y * Side) + u] = Dot(grid.Slice(y * GridSide, GridSide), Basis.AsSpan(u * GridSide, GridSide));
            }
        }

        Span<float> cosines = stackalloc float[Side * Side];
        cosines.Clear();
        for (int v = 0; v < Side; v++)
        {
            for (int y = 0; y < GridSide; y++)
            {
                float weight = Basis[(v * GridSide) + y];
                for (int u = 0; u < Side; u++)
                {
                    cosines[(v * Side) + u] += weight * across[(y * Side) + u];
                }
            }
        }

        cosines[0] = 0;
        float strongest = 0, power = 0;
        foreach (float cosine in cosines)
        {
            strongest = Math.Max(strongest, Math.Abs(cosine));
            power += cosine * cosine;
        }

        return MathF.Sqrt(power) / GridSide < LeastStrength ? null : new(Quantize(cosines, Range / strongest));
    }

    /// <summary>Reads what <see cref="ToString"/> wrote; null for anything else.</summary>
    internal static PictureSketch? Parse(string? text)
    {
        Span<byte> bytes = stackalloc byte[Side * Side];
        return text is { Length: 2 * Side * Side } && Convert.FromHexString(text, bytes, out _, out _) == OperationStatus.Done
            ? new([.. MemoryMarshal.Cast<byte, sbyte>(bytes)])
            : null;
    }

    /// <summary>The correlation of two pictures' cosines, the second one's mirrored if so wished.</summary>
    internal double Likeness(PictureSketch other, bool mirrored)
    {
        long products = 0, squares = 0, otherSquares = 0;
        for (int i = 1; i < _cosines.Length; i++)
        {
            int second = mirrored && (i & 1) != 0 ? -other._cosines[i] : other._cosines[i];
            products += _cosines[i] * second;
            squares += _cosines[i] * _cosines[i];
            otherSquares += second * second;
        }

        return products / Math.Sqrt((double)squares * otherSquares);
    }

    /// <summary>Signs in which two hashes differ.</summary>
    internal static int Distance(ulong a, ulong b) => BitOperations.PopCount(a ^ b);

    /// <summary>The cosines' bytes as hexadecimal digits.</summary>
    public override string ToString() => Convert.ToHexString(MemoryMarshal.AsBytes<sbyte>(_cosines));

    static sbyte[] Quantize(ReadOnlySpan<float> cosines, float scale)
    {
        sbyte[] quantized = new sbyte[cosines.Length];
        for (int i = 0; i < quantized.Length; i++)
        {
            quantized[i] = (sbyte)MathF.Round(cosines[i] * scale);
        }

        return quantized;
    }

    static float Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        Vector<float> sum = default;
        for (int i = 0; i < a.Length; i += Vector<float>.Count)
        {
            sum += new Vector<float>(a[i..]) * new Vector<float>(b[i..]);
        }

        return Vector.Sum(sum);
    }

    static float[] MakeBasis()
    {
        float[] basis = new float[Side * Luminance.GridSide];
        for (int i = 0; i < basis.Length; i++)
        {
            (int frequency, int at) = Math.DivRem(i, Luminance.GridSide);
            basis[i] = MathF.Cos(MathF.PI * frequency * (at + 0.5f) / Luminance.GridSide);
        }

        return basis;
    }
}
