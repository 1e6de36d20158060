using LatentBridge.Networks;
using LatentBridge.Onnx.Model;
using LatentBridge.Weights;

namespace LatentBridge.Onnx.Export;

/// <summary>Our networks as ONNX models: opset 17, F32, any batch, height and width.</summary>
/// <remarks>
/// Input <c>latent</c> (sampler's scale; FLUX.2 unpacked to 32 channels) and output <c>picture</c>, cut to its range; encoders the other way round. What the model
/// cannot say for itself is in its metadata: <see cref="OnnxNotes"/>.
/// </remarks>
public static class OnnxExport
{
    /// <summary>Writes a network as an ONNX model.</summary>
    /// <param name="found">What was found in a weight file.</param>
    /// <returns>The model file's bytes.</returns>
    /// <exception cref="LatentBridgeException">The network has no ONNX form here, or its file is of no use.</exception>
    public static byte[] Convert(FoundWeights found)
    {
        using NetworkTensors tensors = found.Open();
        OnnxGraph graph = new(found.Architecture);
        Network network = found.Layout.Network
            ?? throw new LatentBridgeException($"'{found.Path}' holds {found.Title}, which cannot be written as ONNX. TAESD and its relatives and the tiny decoders can.");
        Write(graph, network, tensors);

        (string, string)[] metadata =
        [
            (OnnxNotes.FormatKey, found.Formats.Count > 0 ? found.Formats[0] : ""), (OnnxNotes.RangeKey, "0..1"), ("architecture", found.Architecture), ("source", found.FileName),
        ];
        return graph.Model(metadata.Where(pair => pair.Item2.Length > 0)).ToArray();
    }

    static void Write(OnnxGraph graph, Network network, NetworkTensors tensors)
    {
        bool isEncoder = network.Reduction > 1;
        string x = graph.Input(isEncoder ? "picture" : "latent", network.InputChannels);
        if (network.ClampsInput)
        {
            // 3 tanh(x / 3)
            string three = graph.Constant(3);
            x = graph.Node("Mul", [graph.Node("Tanh", [graph.Node("Div", [x, three])]), three]);
        }

        string block = x;
        foreach (NetworkLayer layer in network.Layers)
        {
            if (layer is GroupNormPoolLayer pool)
            {
                x = GroupNormPool(graph, pool, tensors, x);
                continue;
            }

            var convolution = (ConvolutionLayer)layer;
            block = convolution.StartsBlock ? x : block;
            x = layer.Reach == RowReach.Doubled ? Double(graph, x) : x;
            x = Convolution(graph, tensors, x, convolution.WeightName, convolution.BiasName, OnnxGraph.Attribute("pads", 1, 1, 1, 1), Strides(layer.Reach == RowReach.Halved ? 2 : 1));
            x = convolution.EndsBlock ? graph.Node("Add", [x, block]) : x;
            x = convolution.Relu ? graph.Node("Relu", [x]) : x;
        }

        x = network.Shuffle > 1 ? graph.Node("DepthToSpace", [x], OnnxGraph.Attribute("blocksize", network.Shuffle), OnnxGraph.Attribute("mode", "CRD")) : x;
        x = network.OutputOffset != 0 ? graph.Node("Add", [x, graph.Constant(network.OutputOffset)]) : x;
        x = isEncoder ? x : graph.Node("Clip", [x, graph.Tensor("least", [0]), graph.Tensor("most", [1])]);
        graph.Output(x, isEncoder ? "latent" : "picture", network.OutputChannels);
    }

    /// <summary>x = x + W2 ReLU(GroupNorm(W1 x)). Opset 17 has no GroupNormalization: groups become the instances of InstanceNormalization.</summary>
    static string GroupNormPool(OnnxGraph graph, GroupNormPoolLayer pool, NetworkTensors tensors, string x)
    {
        string wide = Convolution(graph, tensors, x, pool.WidenName, null);
        string shape = graph.Node("Shape", [wide]);
        string groups = graph.Node("Reshape", [wide, graph.Integers(0, GroupNormPoolLayer.Groups, -1)]);
        string normal = graph.Node(
            "InstanceNormalization", [groups, graph.Tensor($"{pool.WidenName}.ones", [1, 1, 1, 1], 4), graph.Tensor($"{pool.WidenName}.zeros", [0, 0, 0, 0], 4)],
            OnnxGraph.Attribute("epsilon", GroupNormPoolLayer.Epsilon));
        normal = graph.Node("Reshape", [normal, shape]);
        normal = graph.Node("Mul", [normal, graph.Tensor(pool.ScaleName, tensors.Take(pool.ScaleName), pool.Inner, 1, 1)]);
        normal = graph.Node("Relu", [graph.Node("Add", [normal, graph.Tensor(pool.ShiftName, tensors.Take(pool.ShiftName), pool.Inner, 1, 1)])]);
        return graph.Node("Add", [x, Convolution(graph, tensors, normal, pool.NarrowName, null)]);
    }

    static string Convolution(OnnxGraph graph, NetworkTensors tensors, string x, string weight, string? bias, params ReadOnlySpan<OnnxMessage> attributes)
    {
        long[] dimensions = tensors.Found.Layout.Tensors.First(tensor => tensor.Name == weight).Dimensions;
        string kernel = graph.Tensor(weight, tensors.Take(weight), dimensions);
        return bias is null
            ? graph.Node("Conv", [x, kernel], attributes)
            : graph.Node("Conv", [x, kernel, graph.Tensor(bias, tensors.Take(bias), dimensions[0])], attributes);
    }

    static OnnxMessage Strides(int stride) => OnnxGraph.Attribute("strides", stride, stride);

    static string Double(OnnxGraph graph, string x) => graph.Node(
        "Resize", [x, "", graph.Constant(1, 1, 2, 2)],
        OnnxGraph.Attribute("coordinate_transformation_mode", "asymmetric"), OnnxGraph.Attribute("mode", "nearest"), OnnxGraph.Attribute("nearest_mode", "floor"));
}
