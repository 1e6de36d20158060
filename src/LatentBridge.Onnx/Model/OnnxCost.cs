namespace LatentBridge.Onnx.Model;

/// <summary>What a model costs and how much it enlarges, followed through its operations from the input's size.</summary>
/// <param name="PixelsPerCell">Side of the picture's square for a latent cell, as far as the operations tell.</param>
/// <param name="MultiplyAddsPerCell">Of the convolutions and products; attention's own, which grow with the square of the cells, are left out.</param>
/// <param name="PeakFloatsPerCell">Floats that the largest convolution reads and writes.</param>
readonly record struct OnnxCost(double PixelsPerCell, double MultiplyAddsPerCell, double PeakFloatsPerCell)
{
    /// <summary>Follows the values from the input to the output.</summary>
    public static OnnxCost Of(OnnxFile file, string output)
    {
        Dictionary<string, double> sides = [];
        double work = 0, peak = 0;
        foreach (OnnxNode node in file.Nodes)
        {
            double before = node.Inputs.Max(input => sides.TryGetValue(input, out double side) ? side : null) ?? 1;
            double after = before * Enlargement(file, node);
            node.Outputs.ForEach(value => sides[value] = after);
            if (node.Operation is "Conv" or "ConvTranspose" or "Gemm" or "MatMul" && node.Inputs.Count > 1 && file.Weights.TryGetValue(node.Inputs[1], out List<long>? weight) && weight.Count >= 2)
            {
                // A kernel of Conv is [out, in, ...] and is applied once an output pixel; one of ConvTranspose is [in, out, ...], once an input pixel.
                double side = node.Operation == "Conv" ? after : before;
                work += weight.Aggregate(1.0, (product, axis) => product * axis) * side * side;
                peak = Math.Max(peak, (Math.Max(weight[0], weight[1]) * after * after) + (Math.Min(weight[0], weight[1]) * before * before));
            }
        }

        return new(sides.GetValueOrDefault(output, 1), work, peak);
    }

    static double Enlargement(OnnxFile file, OnnxNode node) => node.Operation switch
    {
        "Conv" or "MaxPool" or "AveragePool" => 1.0 / First(node, "strides", 1),
        "ConvTranspose" => First(node, "strides", 1),
        "DepthToSpace" => First(node, "blocksize", 1),
        "SpaceToDepth" => 1.0 / First(node, "blocksize", 1),
        "Resize" => Factor(file, node, 2),
        "Upsample" => Factor(file, node, 1),
        _ => 1,
    };

    // Sizes worked out while the model runs are those of a doubling, as in every decoder known.
    static double Factor(OnnxFile file, OnnxNode node, int input) =>
        node.Inputs.Count > input && file.Constants.TryGetValue(node.Inputs[input], out float[]? factors) ? factors.Max() : 2;

    static long First(OnnxNode node, string attribute, long otherwise) => node.Integers.TryGetValue(attribute, out List<long>? values) ? Math.Max(1, values[0]) : otherwise;
}
