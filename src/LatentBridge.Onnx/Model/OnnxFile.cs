using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using LatentBridge.Files;

namespace LatentBridge.Onnx.Model;

/// <summary>An input or output of a model.</summary>
/// <param name="Name">Its name.</param>
/// <param name="ElementType">Its type by the schema's number: <see cref="OnnxFile.F32"/>, <see cref="OnnxFile.F16"/>, <see cref="OnnxFile.U8"/> or another.</param>
/// <param name="Axes">Its axes; -1 where the model leaves one open, null when it does not say how many there are.</param>
sealed record OnnxValue(string Name, int ElementType, long[]? Axes)
{
    /// <summary>As <c>F32 [?, 4, ?, ?]</c>.</summary>
    public override string ToString() =>
        $"\"{Name}\" {OnnxFile.TypeName(ElementType)} {(Axes is null ? "of unknown shape" : $"[{string.Join(", ", Axes.Select(axis => axis < 0 ? "?" : $"{axis}"))}]")}";
}

/// <summary>One operation of a model, with what is needed to follow the picture's size.</summary>
sealed record OnnxNode(string Operation, List<string> Inputs, List<string> Outputs, Dictionary<string, List<long>> Integers);

/// <summary>What an ONNX file says of itself: inputs, outputs, operations, metadata, the shapes of its weights. The weights themselves are not read.</summary>
sealed class OnnxFile
{
    public const int F32 = 1, U8 = 2, F16 = 10;

    /// <summary>Tensors of at most this many bytes are kept: factors and sizes.</summary>
    const int SmallBytes = 64;

    readonly List<OnnxValue> _inputs = [];

    OnnxFile()
    {
    }

    /// <summary>What must be given to run it.</summary>
    public IEnumerable<OnnxValue> Inputs => _inputs.Where(input => !Weights.ContainsKey(input.Name));

    public List<OnnxValue> Outputs { get; } = [];

    public List<OnnxNode> Nodes { get; } = [];

    /// <summary>The axes of each weight.</summary>
    public Dictionary<string, List<long>> Weights { get; } = [];

    /// <summary>The numbers of small F32 tensors.</summary>
    public Dictionary<string, float[]> Constants { get; } = [];

    public Dictionary<string, string> Metadata { get; } = [];

    /// <summary>Reads a file.</summary>
    /// <exception cref="InvalidDataException">It is no ONNX model, or damaged.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static unsafe OnnxFile Read(string path)
    {
        if (RegularFile.Problem(path) is { } problem)
        {
            throw new InvalidDataException($"the file {problem}");
        }

        using FileStream stream = File.OpenRead(path);
        if (stream.Length > int.MaxValue)
        {
            throw new InvalidDataException("more than 2 GB: keep the weights in a file next to the model (external data)");
        }

        using var mapped = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        using MemoryMappedViewAccessor view = mapped.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
        byte* start = null;
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
        try
        {
            return Parse(new ReadOnlySpan<byte>(start, (int)stream.Length));
        }
        finally
        {
            view.SafeMemoryMappedViewHandle.ReleasePointer();
        }
    }

    /// <summary>Reads a file's bytes.</summary>
    /// <exception cref="InvalidDataException">They are no ONNX model, or damaged.</exception>
    public static OnnxFile Parse(ReadOnlySpan<byte> bytes)
    {
        OnnxFile file = new();
        OnnxFields model = new(bytes);
        bool hasGraph = false;
        while (model.Read())
        {
            if (model.Number == 7)
            {
                file.ReadGraph(model.Bytes);
                hasGraph = true;
            }
            else if (model.Number == 14)
            {
                file.ReadMetadata(model.Bytes);
            }
        }

        return hasGraph ? file : throw new InvalidDataException("not an ONNX model: it contains no graph");
    }

    public static string TypeName(int type) => type switch
    {
        F32 => "F32",
        F16 => "F16",
        U8 => "U8",
        3 => "I8",
        6 => "I32",
        7 => "I64",
        9 => "Boolean",
        11 => "F64",
        16 => "BF16",
        _ => $"type {type}",
    };

    void ReadGraph(ReadOnlySpan<byte> bytes)
    {
        OnnxFields graph = new(bytes);
        while (graph.Read())
        {
            switch (graph.Number)
            {
                case 1:
                    ReadNode(graph.Bytes);
                    break;
                case 5:
                    ReadTensor(graph.Bytes, null);
                    break;
                case 11:
                    _inputs.Add(ReadValue(graph.Bytes));
                    break;
                case 12:
                    Outputs.Add(ReadValue(graph.Bytes));
                    break;
            }
        }
    }

    void ReadNode(ReadOnlySpan<byte> bytes)
    {
        OnnxNode node = new("", [], [], []);
        OnnxFields fields = new(bytes);
        while (fields.Read())
        {
            switch (fields.Number)
            {
                case 1:
                    node.Inputs.Add(fields.Text);
                    break;
                case 2:
                    node.Outputs.Add(fields.Text);
                    break;
                case 4:
                    node = node with { Operation = fields.Text };
                    break;
                case 5:
                    ReadAttribute(fields.Bytes, node);
                    break;
            }
        }

        Nodes.Add(node);
    }

    void ReadAttribute(ReadOnlySpan<byte> bytes, OnnxNode node)
    {
        string name = "";
        List<long> integers = [];
        OnnxFields fields = new(bytes);
        while (fields.Read())
        {
            switch (fields.Number)
            {
                case 1:
                    name = fields.Text;
                    break;
                case 3 or 8:
                    fields.AddTo(integers);
                    break;
                case 5 when node.Outputs.Count == 1:
                    ReadTensor(fields.Bytes, node.Outputs[0]); // the value of a Constant
                    break;
            }
        }

        if (integers.Count > 0)
        {
            node.Integers[name] = integers;
        }
    }

    void ReadTensor(ReadOnlySpan<byte> bytes, string? name)
    {
        List<long> axes = [];
        long type = 0;
        float[]? values = null;
        OnnxFields fields = new(bytes);
        while (fields.Read())
        {
            switch (fields.Number)
            {
                case 1:
                    fields.AddTo(axes);
                    break;
                case 2:
                    type = fields.Value;
                    break;
                case 8:
                    name ??= fields.Text;
                    break;
                case 4 or 9 when fields.Bytes.Length is > 0 and <= SmallBytes && fields.Bytes.Length % sizeof(float) == 0:
                    values = MemoryMarshal.Cast<byte, float>(fields.Bytes).ToArray();
                    break;
            }
        }

        if (name is not null)
        {
            Weights[name] = axes;
            if (type == F32 && values is not null)
            {
                Constants[name] = values;
            }
        }
    }

    static OnnxValue ReadValue(ReadOnlySpan<byte> bytes)
    {
        OnnxValue value = new("", 0, null);
        OnnxFields fields = new(bytes);
        while (fields.Read())
        {
            if (fields.Number == 1)
            {
                value = value with { Name = fields.Text };
            }
            else if (fields.Number == 2 && Field(fields.Bytes, 1, out ReadOnlySpan<byte> tensor))
            {
                OnnxFields type = new(tensor);
                while (type.Read())
                {
                    value = type.Number == 1 ? value with { ElementType = (int)type.Value } : type.Number == 2 ? value with { Axes = ReadShape(type.Bytes) } : value;
                }
            }
        }

        return value;
    }

    static long[] ReadShape(ReadOnlySpan<byte> bytes)
    {
        List<long> axes = [];
        OnnxFields shape = new(bytes);
        while (shape.Read())
        {
            long axis = -1;
            OnnxFields dimension = new(shape.Bytes);
            while (dimension.Read())
            {
                axis = dimension.Number == 1 ? dimension.Value : axis;
            }

            axes.Add(axis > 0 ? axis : -1);
        }

        return [.. axes];
    }

    void ReadMetadata(ReadOnlySpan<byte> bytes)
    {
        string key = "", text = "";
        OnnxFields entry = new(bytes);
        while (entry.Read())
        {
            (key, text) = entry.Number == 1 ? (entry.Text, text) : entry.Number == 2 ? (key, entry.Text) : (key, text);
        }

        Metadata[key] = text;
    }

    static bool Field(ReadOnlySpan<byte> message, int number, out ReadOnlySpan<byte> bytes)
    {
        OnnxFields fields = new(message);
        while (fields.Read())
        {
            if (fields.Number == number)
            {
                bytes = fields.Bytes;
                return true;
            }
        }

        bytes = default;
        return false;
    }
}
