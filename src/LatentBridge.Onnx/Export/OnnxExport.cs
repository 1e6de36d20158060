using LatentBridge.Decoders.Taehv;
using LatentBridge.Networks;
using LatentBridge.Onnx.Model;
using LatentBridge.Weights;

namespace LatentBridge.Onnx.Export;

/// <summary>Our networks as ONNX models: opset 17, F32, any batch, height and width.</summary>
/// <remarks>
/// Input <c>latent</c> (sampler's scale; FLUX.2 unpacked to 32 channels) and output <c>picture</c>, cut to its range; encoders the other way round. Of a video decoder,
/// the picture of a single latent frame. What the model cannot say for itself is in its metadata: <see cref="OnnxNotes"/>.
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
        Network network = TaehvVariants.ReadsVaeScale(found.Variant) || found.Layout.Network is not { IsPlain: true } plain ? throw NoForm() : plain;
        Write(graph, network, tensors);

        (string, string)[] metadata =
        [
            (OnnxNotes.FormatKey, found.Formats.Count > 0 ? found.Formats[0] : ""), (OnnxNotes.RangeKey, "0..1"), ("architecture", found.Architecture), ("source", found.FileName),
        ];
        return graph.Model(metadata.Where(pair => pair.Item2.Length > 0)).ToArray();

        LatentBridgeException NoForm() =>
            new($"'{found.Path}' holds {found.Title}, which cannot be written as ONNX. TAESD and its relatives, madebyollin's TAEHV and the tiny decoders can.");
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

        // Of a video decoder, the last picture of a single latent frame: what lies before that frame is zero and left out.
        int last = network.FramesPerFrame - 1;
        SortedSet<int>[] needed = NeededFrames.Of(network, [last]);
        Dictionary<int, string> frames = new() { [0] = x }, block = frames;
        for (int i = 0; i < network.Layers.Count; i++)
        {
            if (network.Layers[i] is GroupNormPoolLayer pool)
            {
                frames = new() { [0] = GroupNormPool(graph, pool, tensors, frames[0]) };
                continue;
            }

            var convolution = (ConvolutionLayer)network.Layers[i];
            block = convolution.StartsBlock ? Skips(graph, convolution, tensors, frames) : block;
            frames = Convolutions(graph, convolution, tensors, frames, needed[i + 1]);
            frames = convolution.EndsBlock ? frames.ToDictionary(frame => frame.Key, frame => graph.Node("Add", [frame.Value, block[frame.Key]])) : frames;
            frames = convolution.Relu ? frames.ToDictionary(frame => frame.Key, frame => graph.Node("Relu", [frame.Value])) : frames;
        }

        x = frames[last];
        x = network.Shuffle > 1 ? graph.Node("DepthToSpace", [x], OnnxGraph.Attribute("blocksize", network.Shuffle), OnnxGraph.Attribute("mode", "CRD")) : x;
        x = network.OutputOffset != 0 ? graph.Node("Add", [x, graph.Constant(network.OutputOffset)]) : x;
        x = isEncoder ? x : graph.Node("Clip", [x, graph.Tensor("least", [0]), graph.Tensor("most", [1])]);
        graph.Output(x, isEncoder ? "latent" : "picture", network.OutputChannels);
    }

    /// <summary>What a block adds at its end: its input, or that through a 1x1 convolution.</summary>
    static Dictionary<int, string> Skips(OnnxGraph graph, ConvolutionLayer layer, NetworkTensors tensors, Dictionary<int, string> frames)
    {
        if (layer.SkipName is not { } name)
        {
            return frames;
        }

        string kernel = graph.Tensor(name, tensors.Take(name), layer.Outputs, layer.Inputs, 1, 1);
        return frames.ToDictionary(frame => frame.Key, frame => graph.Node("Conv", [frame.Value, kernel]));
    }

    /// <summary>A 3x3 convolution of each frame: grown from the frames there are, doubled, and together with the frame before, as the layer says.</summary>
    static Dictionary<int, string> Convolutions(OnnxGraph graph, ConvolutionLayer layer, NetworkTensors tensors, Dictionary<int, string> frames, SortedSet<int> wanted)
    {
        Dictionary<int, string> inputs = layer.Growth is { } growth ? Grown(graph, growth, tensors, layer, frames, wanted) : frames;
        float[] weights = tensors.Take(layer.WeightName);
        string[] bias = layer.BiasName is { } name ? [graph.Tensor(name, tensors.Take(name), layer.Outputs)] : [];
        int stride = layer.Reach == RowReach.Halved ? 2 : 1;
        OnnxMessage[] attributes = [OnnxGraph.Attribute("pads", 1, 1, 1, 1), OnnxGraph.Attribute("strides", stride, stride)];
        string whole = layer.HasPast && !wanted.Any(frame => frame > 0) ? "" : graph.Tensor(layer.WeightName, weights, layer.Outputs, weights.Length / 9 / layer.Outputs, 3, 3);
        string alone = layer.HasPast && wanted.Contains(0) ? graph.Tensor($"{layer.WeightName}.first", PreparedLayer.Half(weights, layer, second: false), layer.Outputs, layer.Inputs, 3, 3) : whole;
        return wanted.ToDictionary(frame => frame, frame =>
        {
            bool hasPast = layer.HasPast && frame > 0;
            string x = hasPast ? graph.Node("Concat", [inputs[frame], inputs[frame - 1]], OnnxGraph.Attribute("axis", 1)) : inputs[frame];
            x = layer.Reach == RowReach.Doubled ? Double(graph, x) : x;
            return graph.Node("Conv", [x, hasPast ? whole : alone, .. bias], attributes);
        });
    }

    /// <summary>The frames that a 1x1 convolution makes of each, those that are wanted.</summary>
    static Dictionary<int, string> Grown(OnnxGraph graph, TimeGrowth growth, NetworkTensors tensors, ConvolutionLayer layer, Dictionary<int, string> frames, SortedSet<int> wanted)
    {
        float[] weights = tensors.Take(growth.WeightName);
        int length = layer.Inputs * layer.Inputs;
        string?[] kernels = new string?[growth.Stored];
        return wanted.ToDictionary(frame => frame, frame =>
        {
            int stored = frame % growth.Stored;
            kernels[stored] ??= graph.Tensor($"{growth.WeightName}.{stored}", weights.AsSpan(stored * length, length), layer.Inputs, layer.Inputs, 1, 1);
            return graph.Node("Conv", [frames[frame / growth.Stored], kernels[stored]!]);
        });
    }

    /// <summary>x = x + W2 ReLU(GroupNorm(W1 x)). Opset 17 has no GroupNormalization: groups become the instances of InstanceNormalization.</summary>
    static string GroupNormPool(OnnxGraph graph, GroupNormPoolLayer pool, NetworkTensors tensors, string x)
    {
        string wide = graph.Node("Conv", [x, graph.Tensor(pool.WidenName, tensors.Take(pool.WidenName), pool.Inner, pool.Outputs, 1, 1)]);
        string shape = graph.Node("Shape", [wide]);
        string groups = graph.Node("Reshape", [wide, graph.Integers(0, GroupNormPoolLayer.Groups, -1)]);
        string normal = graph.Node(
            "InstanceNormalization", [groups, graph.Tensor($"{pool.WidenName}.ones", [1, 1, 1, 1], 4), graph.Tensor($"{pool.WidenName}.zeros", [0, 0, 0, 0], 4)],
            OnnxGraph.Attribute("epsilon", GroupNormPoolLayer.Epsilon));
        normal = graph.Node("Reshape", [normal, shape]);
        normal = graph.Node("Mul", [normal, graph.Tensor(pool.ScaleName, tensors.Take(pool.ScaleName), pool.Inner, 1, 1)]);
        normal = graph.Node("Relu", [graph.Node("Add", [normal, graph.Tensor(pool.ShiftName, tensors.Take(pool.ShiftName), pool.Inner, 1, 1)])]);
        string narrow = graph.Tensor(pool.NarrowName, tensors.Take(pool.NarrowName), pool.Outputs, pool.Inner, 1, 1);
        return graph.Node("Add", [x, graph.Node("Conv", [normal, narrow])]);
    }

    static string Double(OnnxGraph graph, string x) => graph.Node(
        "Resize", [x, "", graph.Constant(1, 1, 2, 2)],
        OnnxGraph.Attribute("coordinate_transformation_mode", "asymmetric"), OnnxGraph.Attribute("mode", "nearest"), OnnxGraph.Attribute("nearest_mode", "floor"));
}
