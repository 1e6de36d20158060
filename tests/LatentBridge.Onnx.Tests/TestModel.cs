using System.Runtime.InteropServices;
using LatentBridge.Onnx.Export;
using LatentBridge.Onnx.Model;

namespace LatentBridge.Onnx.Tests;

/// <summary>Small ONNX models with any inputs and outputs, right and wrong ones, in a folder of their own.</summary>
sealed class TestModel : IDisposable
{
    readonly OnnxMessage _graph = new();

    /// <summary>An empty folder, removed at the end.</summary>
    public string Folder { get; } = Directory.CreateTempSubdirectory("latentbridge-onnx-").FullName;

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    public TestModel Input(string name, int type, params ReadOnlySpan<long> axes) => Value(11, name, type, axes);

    public TestModel Output(string name, int type, params ReadOnlySpan<long> axes) => Value(12, name, type, axes);

    public TestModel Node(string operation, string[] inputs, string output, params ReadOnlySpan<OnnxMessage> attributes)
    {
        OnnxMessage node = new();
        Array.ForEach(inputs, input => node.Add(1, input));
        node.Add(2, output).Add(4, operation);
        foreach (OnnxMessage attribute in attributes)
        {
            node.Add(5, attribute);
        }

        _graph.Add(1, node);
        return this;
    }

    public TestModel Floats(string name, float[] values, params ReadOnlySpan<long> axes) => Tensor(name, OnnxFile.F32, MemoryMarshal.AsBytes(values.AsSpan()), axes);

    public TestModel Integers(string name, params ReadOnlySpan<long> values) => Tensor(name, 7, MemoryMarshal.AsBytes(values), values.Length);

    /// <summary>Red, green and blue are the first three of four channels times a factor.</summary>
    public TestModel Colours(string input, string output, float factor = 1) => this
        .Floats("kernel", [factor, 0, 0, 0, 0, factor, 0, 0, 0, 0, factor, 0], 3, 4, 1, 1)
        .Node("Conv", [input, "kernel"], output);

    public byte[] Bytes() => new OnnxMessage().Add(1, 8).Add(7, _graph).Add(8, new OnnxMessage().Add(1, "").Add(2, 17)).Bytes.ToArray();

    /// <summary>Writes the model, and a JSON file beside it; returns the model's path.</summary>
    public string Write(string? json = null, string name = "model-sd1.onnx")
    {
        string path = Path.Combine(Folder, name);
        File.WriteAllBytes(path, Bytes());
        if (json is not null)
        {
            File.WriteAllText(Path.ChangeExtension(path, ".json"), json);
        }

        return path;
    }

    TestModel Tensor(string name, int type, ReadOnlySpan<byte> bytes, params ReadOnlySpan<long> axes)
    {
        OnnxMessage tensor = new();
        foreach (long axis in axes)
        {
            tensor.Add(1, axis);
        }

        _graph.Add(5, tensor.Add(2, type).Add(8, name).Add(9, bytes));
        return this;
    }

    TestModel Value(int field, string name, int type, ReadOnlySpan<long> axes)
    {
        OnnxMessage shape = new();
        foreach (long axis in axes)
        {
            shape.Add(1, axis > 0 ? new OnnxMessage().Add(1, axis) : new OnnxMessage().Add(2, $"axis{-axis}"));
        }

        _graph.Add(field, new OnnxMessage().Add(1, name).Add(2, new OnnxMessage().Add(1, new OnnxMessage().Add(1, type).Add(2, shape))));
        return this;
    }
}
