using LatentBridge.Decoders;
using LatentBridge.Decoders.Mlp;
using LatentBridge.Decoders.Polynomial;
using LatentBridge.Files;
using LatentBridge.Weights;

namespace LatentBridge.Fitting;

/// <summary>A map from a cell's channels to its colour that <see cref="ColourFit"/> made, as the tensors of a weights file.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Tensors">As <c>docs/decoders.md</c> has them.</param>
public sealed record FittedMap(ColourMapKind Kind, IReadOnlyList<StoredTensor> Tensors)
{
    /// <summary>Numbers that were fitted.</summary>
    public long NumberCount =>
        Tensors.Sum(tensor => tensor.Dimensions.Aggregate(1L, (product, axis) => product * axis)) - (Kind == ColourMapKind.LinearWithoutBias ? 3 : 0);

    /// <summary>A polynomial: rows red, green, blue of the terms in <see cref="PolynomialTerms"/>' order; for 3 x 3 cells of 9 C channels.</summary>
    internal static FittedMap Of(ColourMapKind kind, int channels, double[][] coefficients)
    {
        List<StoredTensor> tensors = [StoredTensor.FromValues("polynomial.bias", [.. coefficients.Select(row => (float)row[0])], [3])];
        string[] names = ["linear", "quadratic", "cubic"];
        for (int degree = 1; degree <= 3 && PolynomialTerms.Count(channels, degree) <= coefficients[0].Length; degree++)
        {
            (int from, int to) = (degree == 1 ? 1 : PolynomialTerms.Count(channels, degree - 1), PolynomialTerms.Count(channels, degree));
            tensors.Add(StoredTensor.FromValues($"polynomial.{names[degree - 1]}", [.. coefficients.SelectMany(row => row[from..to]).Select(value => (float)value)],
                kind == ColourMapKind.Linear3x3 ? [3, channels / 9, 3, 3] : [3, to - from]));
        }

        return new(kind, tensors);
    }

    /// <summary>Writes the safetensors file that decoders are made of; one that is there is replaced only when the new one is complete.</summary>
    /// <param name="path">The file.</param>
    /// <param name="formatId">The latent format it is for.</param>
    /// <param name="source">How it was fitted, for the file's metadata.</param>
    /// <exception cref="LatentBridgeException">The file cannot be written.</exception>
    public void Write(string path, string formatId, string source) => SafetensorsWriter.Write(path, Tensors, Metadata(formatId, source));

    /// <summary>The decoder that its file would make.</summary>
    public ILatentDecoder ToDecoder()
    {
        using MemoryStream file = new();
        SafetensorsWriter.Write(file, Tensors, Metadata("SD15", ""));
        using NetworkTensors tensors = LatentDecoders.Networks.Parse(file.ToArray(), Kind.ToString());
        return Kind is ColourMapKind.Mlp or ColourMapKind.Mlp3x3 ? new MlpDecoder(tensors) : new PolynomialDecoder(tensors);
    }

    static Dictionary<string, string> Metadata(string formatId, string source) => new() { ["latent_format"] = formatId, ["source"] = source };
}
