using LatentBridge.Decoders.Taesd;
using LatentBridge.Decoders.Tiny;
using LatentBridge.Onnx.Model;
using LatentBridge.Tensors;
using LatentBridge.Weights;

namespace LatentBridge.Onnx.Export;

/// <summary>Our networks as ONNX models: opset 17, F32, any batch, height and width.</summary>
/// <remarks>
/// Input <c>latent</c> (sampler's scale; FLUX.2 unpacked to 32 channels) and output <c>picture</c>, cut to its range; encoders the other way round. What the model
/// cannot say for itself is in its metadata: <see cref="OnnxNotes"/>.
/// </remarks>
public static class OnnxExport
{
    const int ApproxNnFrame = 11;
    const float ApproxNnSlope = 0.1f;

    /// <summary>Writes a network as an ONNX model.</summary>
    /// <param name="found">What was found in a weight file.</param>
    /// <returns>The model file's bytes.</returns>
    /// <exception cref="LatentBridgeException">The network has no ONNX form here, or its file is of no use.</exception>
    public static byte[] Convert(FoundWeights found)
    {
        using NetworkTensors tensors = found.Open();
        OnnxGraph graph = new(found.Architecture);
        string range = "0..1";
        if (found.Architecture == NetworkArchitectures.ApproxNn.Id)
        {
            WriteApproxNn(graph, tensors);
            range = "-1..1";
        }
        else
        {
            Write(graph, NetworkOf(found), tensors);
        }

        (string, string)[] metadata =
        [
            (OnnxNotes.FormatKey, found.Formats.Count > 0 ? found.Formats[0] : ""), (OnnxNotes.RangeKey, range), ("architecture", found.Architecture), ("source", found.FileName),
        ];
        return graph.Model(metadata.Where(pair => pair.Item2.Length > 0)).ToArray();
    }

    static Network NetworkOf(FoundWeights found) => found.Architecture switch
    {
        _ when found.Architecture == NetworkArchitectures.Tiny.Id => TinyDecoder.Network(found.Channels),
        _ when found.Architecture == NetworkArchitectures.TaesdDecoder.Id => TaesdNetworks.Decoder(found.Channels, found.Has("3.pool.0.weight"), half: false),
        _ when found.Architecture == NetworkArchitectures.SanaDecoder.Id => TaesdNetworks.SanaDecoder(found.Channels, half: false),
        _ when found.Architecture == NetworkArchitectures.TaesdEncoder.Id => TaesdNetworks.Encoder(found.Channels, found.Has("11.pool.0.weight")),
        _ when found.Architecture == NetworkArchitectures.SanaEncoder.Id => TaesdNetworks.SanaEncoder(found.Channels),
        _ => throw new LatentBridgeException($"'{found.Path}' holds {found.Title}, which has no ONNX form here. TAESD and its sisters, Approx NN and the tiny decoders have."),
    };

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
        x = isEncoder ? x : Cut(graph, x, 0);
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

    static void WriteApproxNn(OnnxGraph graph, NetworkTensors tensors)
    {
        string x = Double(graph, graph.Input("latent", tensors.LatentChannels));
        x = graph.Node("Pad", [x, graph.Integers(0, 0, ApproxNnFrame, ApproxNnFrame, 0, 0, ApproxNnFrame, ApproxNnFrame)]);
        for (int i = 1; i <= 8; i++)
        {
            x = graph.Node("LeakyRelu", [Convolution(graph, tensors, x, $"conv{i}.weight", $"conv{i}.bias")], OnnxGraph.Attribute("alpha", ApproxNnSlope));
        }

        graph.Output(Cut(graph, x, -1), "picture", 3);
    }

    static string Convolution(OnnxGraph graph, NetworkTensors tensors, string x, string weight, string? bias, params ReadOnlySpan<OnnxMessage> attributes)
    {
        long[] dimensions = tensors.Found.Tensors.First(tensor => tensor.Name == weight).Dimensions;
        string kernel = graph.Tensor(weight, tensors.Take(weight), dimensions);
        return bias is null
            ? graph.Node("Conv", [x, kernel], attributes)
            : graph.Node("Conv", [x, kernel, graph.Tensor(bias, tensors.Take(bias), dimensions[0])], attributes);
    }

    static OnnxMessage Strides(int stride) => OnnxGraph.Attribute("strides", stride, stride);

    static string Double(OnnxGraph graph, string x) => graph.Node(
        "Resize", [x, "", graph.Constant(1, 1, 2, 2)],
        OnnxGraph.Attribute("coordinate_transformation_mode", "asymmetric"), OnnxGraph.Attribute("mode", "nearest"), OnnxGraph.Attribute("nearest_mode", "floor"));

    static string Cut(OnnxGraph graph, string x, float least) =>
        graph.Node("Clip", [x, graph.Tensor("least", [least]), graph.Tensor("most", [1])]);
}
