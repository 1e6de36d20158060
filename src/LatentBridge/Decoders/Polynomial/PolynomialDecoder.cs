using LatentBridge.Latents;
using LatentBridge.Networks;
using LatentBridge.Simd;
using LatentBridge.Weights;

namespace LatentBridge.Decoders.Polynomial;

/// <summary>
/// A polynomial of degree 1, 2 or 3 in a cell's channels with all cross terms: one pixel per cell. The step between latent2rgb and the networks.
/// </summary>
/// <remarks>
/// Its file is a safetensors of C channels: <c>polynomial.bias</c> [3], <c>polynomial.linear</c> [3, C], for degree 2 and 3 <c>polynomial.quadratic</c>
/// [3, C(C+1)/2] and, for degree 3, <c>polynomial.cubic</c> [3, C(C+1)(C+2)/6]; rows red, green, blue in -1..1. The columns are the
/// products in the order of the loops i, j from i, k from j: z0z0, z0z1, ..., z1z1, ... Of degree 2 <c>polynomial.quadratic</c> may be the full matrix
/// [3, C, C] too, z0z0, z0z1, ..., z1z0, z1z1, ... With <c>polynomial.linear</c> as [3, C, 3, 3] and no other product it looks at the 3 x 3 cells around each:
/// <c>linear3x3</c>.
/// </remarks>
sealed class PolynomialDecoder : ILatentDecoder
{
    /// <summary>Polynomial of degree 1, 2 or 3 in a cell's channels, or of degree 1 in those of 3 x 3 cells, as <c>fit</c> writes it; or of degree 2 with a full matrix of products.</summary>
    internal static readonly NetworkArchitecture Architecture = new("polynomial", "polynomial map", "polynomial.linear", "polynomial.linear", t =>
        t["polynomial.linear"] is [3, (> 0 and <= 1024) and var neighbours, 3, 3]
        ? new((int)neighbours, [new("polynomial.bias", [3]), new("polynomial.linear", [3, neighbours, 3, 3])])
        : t["polynomial.linear"] is not [3, (> 0 and <= 128) and var c] ? null : new((int)c,
        [
            new("polynomial.bias", [3]),
            new("polynomial.linear", [3, c]),
            .. (t["polynomial.quadratic"], t["polynomial.cubic"]) switch
            {
                (null, null) => Array.Empty<ExpectedTensor>(),
                ([_, _, _], null) => [new("polynomial.quadratic", [3, c, c])],
                _ => [new("polynomial.quadratic", [3, c * (c + 1) / 2])],
            },
            .. t["polynomial.cubic"] is null ? Array.Empty<ExpectedTensor>() : [new("polynomial.cubic", [3, c * (c + 1) * (c + 2) / 6])],
        ]));

    readonly KernelWidth _width;
    readonly Neighbourhood _neighbourhood;
    readonly float[] _coefficients;
    readonly int _degree;

    /// <summary>Takes the coefficients; the tensors are not needed afterwards.</summary>
    /// <exception cref="LatentBridgeException">A coefficient is NaN or infinite.</exception>
    public PolynomialDecoder(NetworkTensors weights)
        : this(weights, Kernel.Width)
    {
    }

    internal PolynomialDecoder(NetworkTensors weights, KernelWidth width)
    {
        _degree = Degree(weights.Found);
        _coefficients = Interleave(weights, _degree);
        _neighbourhood = Neighbourhood.Of(weights.Found, "polynomial.linear");
        _width = width;
        Description = Describe(weights.Found);
    }

    /// <inheritdoc/>
    public DecoderDescription Description { get; }

    /// <summary>What a decoder of these weights is, known without reading them.</summary>
    internal static DecoderDescription Describe(FoundWeights weights)
    {
        (string id, int quality) = Degree(weights) switch
        {
            3 => ("cubic", 35),
            2 => ("quadratic", 30),
            _ when Neighbourhood.IsIn(weights, "polynomial.linear") => ("linear3x3", 38),
            _ => ("linear", 25),
        };
        long folded = HasMatrix(weights) ? 3 * weights.Channels * (weights.Channels - 1) / 2 : 0;
        return new(id, weights.FileName, weights.Channels, 1, weights.WeightCount - folded, quality);
    }

    static bool HasMatrix(FoundWeights weights) => weights.Layout.Tensors.Any(tensor => tensor is { Name: "polynomial.quadratic", Dimensions.Length: 3 });

    static int Degree(FoundWeights weights) => weights.Has("polynomial.cubic") ? 3 : weights.Has("polynomial.quadratic") ? 2 : 1;

    /// <inheritdoc/>
    public long WorkingBytes(int latentHeight, int latentWidth) => (sizeof(float) * (long)_coefficients.Length) + _neighbourhood.ByteLength;

    /// <inheritdoc/>
    public void Decode(in LatentPlanes latent, Span<byte> destination, int threads, CancellationToken cancellation)
    {
        DecoderArguments.Check(Description, latent, destination);
        switch (_degree)
        {
            case 1:
                _neighbourhood.Decode(new PolynomialOperator<Horner<Constant>>(_coefficients), latent, destination, _width, cancellation);
                break;
            case 2:
                _neighbourhood.Decode(new PolynomialOperator<Horner<Horner<Constant>>>(_coefficients), latent, destination, _width, cancellation);
                break;
            default:
                _neighbourhood.Decode(new PolynomialOperator<Horner<Horner<Horner<Constant>>>>(_coefficients), latent, destination, _width, cancellation);
                break;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }

    /// <summary>The coefficients in the order <see cref="PolynomialOperator{TPolynomial}"/> walks through them.</summary>
    static float[] Interleave(NetworkTensors weights, int degree)
    {
        float[] bias = weights.Take("polynomial.bias");
        float[] linear = weights.Take("polynomial.linear");
        int channels = linear.Length / 3;
        float[] quadratic = degree > 1 ? weights.Take("polynomial.quadratic") : [];
        if (HasMatrix(weights.Found))
        {
            quadratic = Fold(quadratic, channels);
        }

        float[] cubics = degree > 2 ? weights.Take("polynomial.cubic") : [];
        var ordered = new float[bias.Length + linear.Length + quadratic.Length + cubics.Length];
        int at = 0, pair = 0, triple = 0;
        Put(bias, 0);
        for (int i = 0; i < channels; i++)
        {
            Put(linear, i);
            for (int j = i; degree > 1 && j < channels; j++)
            {
                Put(quadratic, pair++);
                for (int k = j; degree > 2 && k < channels; k++)
                {
                    Put(cubics, triple++);
                }
            }
        }

        for (int colour = 0; colour < 3; colour++)
        {
            ordered[colour] += PixelKernel.Rounded;
        }

        return ordered;

        // z_i z_j is z_j z_i: the two numbers of a pair are one.
        static float[] Fold(float[] matrix, int channels) =>
        [
            .. from colour in Enumerable.Range(0, 3)
               from i in Enumerable.Range(0, channels)
               from j in Enumerable.Range(i, channels - i)
               let first = ((colour * channels) + i) * channels
               select i == j ? matrix[first + i] : matrix[first + j] + matrix[(((colour * channels) + j) * channels) + i],
        ];

        void Put(float[] rows, int column)
        {
            for (int colour = 0; colour < 3; colour++)
            {
                ordered[at++] = rows[colour * (rows.Length / 3) + column] * PixelKernel.Half;
            }
        }
    }
}
