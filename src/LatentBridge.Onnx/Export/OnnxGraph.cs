using System.Runtime.InteropServices;

namespace LatentBridge.Onnx.Export;

/// <summary>An ONNX model being made: one chain of nodes from one input to one output, F32, axes [batch, channels, height, width], all but the channels dynamic.</summary>
/// <remarks>Field numbers are those of <c>onnx.proto</c>; each line names what it writes.</remarks>
sealed class OnnxGraph(string name)
{
    const int IrVersion = 8;
    const int OperatorSet = 17;
    const int Float = 1, Int64 = 7;

    readonly OnnxMessage _graph = new();
    int _nodes;

    /// <summary>The graph's input.</summary>
    public string Input(string input, int channels)
    {
        _graph.Add(11, Value(input, channels, "height", "width"));
        return input;
    }

    /// <summary>The graph's output, made of this value.</summary>
    public void Output(string value, string output, int channels)
    {
        Node("Identity", [value], output);
        _graph.Add(12, Value(output, channels, "output_height", "output_width"));
    }

    /// <summary>A node of one output; returns its name.</summary>
    public string Node(string operation, ReadOnlySpan<string> inputs, params ReadOnlySpan<OnnxMessage> attributes) => Node(operation, inputs, $"{operation}_{_nodes}", attributes);

    /// <summary>A tensor of F32; returns its name.</summary>
    public string Tensor(string tensor, ReadOnlySpan<float> values, params ReadOnlySpan<long> dimensions)
    {
        _graph.Add(5, TensorOf(tensor, Float, MemoryMarshal.AsBytes(values), dimensions));
        return tensor;
    }

    /// <summary>A one-dimensional tensor of F32; returns its name.</summary>
    public string Constant(params ReadOnlySpan<float> values) => Tensor($"constant_{_nodes}", values, values.Length);

    /// <summary>A one-dimensional tensor of I64; returns its name.</summary>
    public string Integers(params ReadOnlySpan<long> values)
    {
        string tensor = $"integers_{_nodes}";
        _graph.Add(5, TensorOf(tensor, Int64, MemoryMarshal.AsBytes(values), values.Length));
        return tensor;
    }

    public static OnnxMessage Attribute(string attribute, long value) => new OnnxMessage().Add(1, attribute).Add(3, value).Add(20, 2);

    public static OnnxMessage Attribute(string attribute, float value) => new OnnxMessage().Add(1, attribute).Add(2, value).Add(20, 1);

    public static OnnxMessage Attribute(string attribute, string value) => new OnnxMessage().Add(1, attribute).Add(4, value).Add(20, 3);

    public static OnnxMessage Attribute(string attribute, params ReadOnlySpan<long> values)
    {
        OnnxMessage message = new OnnxMessage().Add(1, attribute);
        foreach (long value in values)
        {
            message.Add(8, value);
        }

        return message.Add(20, 7);
    }

    /// <summary>The whole model as a file's bytes.</summary>
    /// <param name="metadata">Its <c>metadata_props</c>.</param>
    public ReadOnlySpan<byte> Model(params IEnumerable<(string Key, string Value)> metadata)
    {
        OnnxMessage model = new OnnxMessage()
            .Add(1, IrVersion)
            .Add(2, "LatentBridge")
            .Add(3, typeof(OnnxGraph).Assembly.GetName().Version!.ToString(3))
            .Add(7, _graph.Add(2, name))
            .Add(8, new OnnxMessage().Add(1, "").Add(2, OperatorSet));
        foreach ((string key, string value) in metadata)
        {
            model.Add(14, new OnnxMessage().Add(1, key).Add(2, value));
        }

        return model.Bytes;
    }

    string Node(string operation, ReadOnlySpan<string> inputs, string output, params ReadOnlySpan<OnnxMessage> attributes)
    {
        OnnxMessage node = new();
        foreach (string input in inputs)
        {
            node.Add(1, input);
        }

        node.Add(2, output).Add(3, $"{operation}_{_nodes++}").Add(4, operation);
        foreach (OnnxMessage attribute in attributes)
        {
            node.Add(5, attribute);
        }

        _graph.Add(1, node);
        return output;
    }

    static OnnxMessage TensorOf(string tensor, int type, ReadOnlySpan<byte> bytes, params ReadOnlySpan<long> dimensions)
    {
        OnnxMessage message = new();
        foreach (long dimension in dimensions)
        {
            message.Add(1, dimension);
        }

        return message.Add(2, type).Add(8, tensor).Add(9, bytes);
    }

    static OnnxMessage Value(string value, int channels, string height, string width)
    {
        OnnxMessage shape = new OnnxMessage().Add(1, Named("batch")).Add(1, new OnnxMessage().Add(1, channels)).Add(1, Named(height)).Add(1, Named(width));
        return new OnnxMessage().Add(1, value).Add(2, new OnnxMessage().Add(1, new OnnxMessage().Add(1, Float).Add(2, shape)));

        static OnnxMessage Named(string axis) => new OnnxMessage().Add(2, axis);
    }
}
