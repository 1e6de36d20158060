using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.RegularExpressions;

namespace LatentBridge.Files;

/// <summary>
/// What the pickle of a <c>torch.save</c> may build: tensors over raw storages, numpy arrays, and what harmless things stand beside them.
/// Any other name stands for nothing, whatever it is: what it would make is left out.
/// </summary>
sealed partial class TorchObjects(TensorBytes bytes, Func<string, StorageType, long, TorchStorage> findStorage) : PickleObjects
{
    const int MaximumTensors = 1 << 17;

    int _tensorCount;

    /// <summary>The first name that is not known to be harmless; null when there was none.</summary>
    public string? Unknown { get; private set; }

    /// <summary>What may be called, and what comes of it.</summary>
    enum Function
    {
        Dictionary,
        Counter,
        Sequence,
        Nothing,
        Encode,
        RebuildTensor,
        RebuildTensorOfType,
        RebuildParameter,
        RebuildFromType,
        NumpyArray,
        NumpyBuffer,
        NumpyType,
    }

    public override object Global(string module, string name) => (module, name) switch
    {
        ("collections", "OrderedDict" or "Counter") => name == "Counter" ? Function.Counter : Function.Dictionary,
        ("collections", "defaultdict") => Function.Dictionary,
        ("collections", "deque") => Function.Sequence,
        ("builtins" or "__builtin__", "dict") => Function.Dictionary,
        ("builtins" or "__builtin__", "set" or "frozenset" or "list" or "tuple") => Function.Sequence,
        ("builtins" or "__builtin__", "complex" or "int" or "float" or "bool" or "str" or "bytes" or "bytearray" or "slice" or "range" or "object") => Function.Nothing,
        ("_codecs", "encode") => Function.Encode,
        ("torch", "Size") => Function.Sequence,
        ("torch", "device" or "Tensor" or "Generator") or ("torch.nn.parameter", "Parameter") => Function.Nothing,
        ("torch._utils", "_rebuild_tensor_v2" or "_rebuild_tensor") => Function.RebuildTensor,
        ("torch._utils", "_rebuild_tensor_v3") => Function.RebuildTensorOfType,
        ("torch._utils", "_rebuild_parameter" or "_rebuild_parameter_with_state") => Function.RebuildParameter,
        ("torch._tensor", "_rebuild_from_type_v2" or "_rebuild_from_type") => Function.RebuildFromType,
        ("torch.storage", "UntypedStorage" or "_UntypedStorage") or ("torch", "UntypedStorage") => StorageType.Untyped,
        ("torch", _) when StorageType.OfStorage(name) is { } storage => storage,
        ("torch", _) when StorageType.OfDtype(name) is { } dtype => dtype,
        ("numpy", "ndarray") => Function.Nothing,
        ("numpy", "dtype") => Function.NumpyType,
        ("numpy.core.multiarray" or "numpy._core.multiarray", "_reconstruct") => Function.NumpyArray,
        ("numpy.core.multiarray" or "numpy._core.multiarray", "scalar") => Function.Nothing,
        ("numpy.core.numeric" or "numpy._core.numeric", "_frombuffer") => Function.NumpyBuffer,
        _ => NotKnown($"{module}.{name}"),
    };

    public override object? Call(object callable, object?[] arguments) => (callable, arguments) switch
    {
        (PickleUnknown unknown, _) => unknown,
        (Function.Dictionary, _) => Dictionary(arguments),
        (Function.Counter, _) => Dictionary(arguments),
        (Function.Sequence, [IReadOnlyList<object?> items, ..]) => new List<object?>(items),
        (Function.Sequence, _) => new List<object?>(),
        (Function.Nothing, _) => null,
        (Function.Encode, [string text, "latin1" or "latin-1", ..]) => Encoding.Latin1.GetBytes(text),
        (Function.Encode, _) => null,
        (Function.RebuildTensor, [TorchStorage storage, long offset, IReadOnlyList<object?> size, IReadOnlyList<object?> strides, ..]) =>
            Counted(new(storage, storage.Type, offset, Integers(size), Integers(strides))),
        (Function.RebuildTensorOfType, [TorchStorage storage, long offset, IReadOnlyList<object?> size, IReadOnlyList<object?> strides, _, _, StorageType type, ..]) =>
            Counted(new(storage, type, offset, Integers(size), Integers(strides))),
        (Function.RebuildParameter, [TorchTensor tensor, ..]) => tensor,
        (Function.RebuildFromType, [Function function, _, object?[] inner, ..]) when function is Function.RebuildTensor or Function.RebuildTensorOfType or Function.RebuildParameter => Call(function, inner),
        (Function.NumpyType, [string descr, ..]) => new NumpyType(descr),
        (Function.NumpyArray, _) => new NumpyArray(),
        (Function.NumpyBuffer, [byte[] data, NumpyType type, IReadOnlyList<object?> shape, ..]) =>
            new NumpyArray { Type = type, Dimensions = Integers(shape), IsFortran = arguments is [_, _, _, "F", ..], Data = data },
        (Function, _) when Array.Exists(arguments, static argument => argument is PickleUnknown) => Array.Find(arguments, static argument => argument is PickleUnknown),
        (Function, _) => throw bytes.Bad($"calls {callable} with arguments that torch.save does not write. The file is damaged or not what it seems"),
        _ => throw bytes.Bad("calls something that is not callable. The file is damaged or not what it seems"),
    };

    public override void Build(object? target, object? state)
    {
        switch (target, state)
        {
            case (NumpyArray array, object?[] and [_, IReadOnlyList<object?> shape, NumpyType type, bool fortran, var data]):
                (array.Dimensions, array.Type, array.IsFortran, array.Data) = (Integers(shape), type, fortran, data as byte[] ?? (data is string text ? Encoding.Latin1.GetBytes(text) : null));
                break;
            case (NumpyType type, object?[] and [_, string order, ..]):
                type.IsBigEndian = order == ">";
                break;
        }
    }

    /// <summary>A storage: <c>('storage', type, key, location, element count)</c>; where it was (a GPU) does not matter.</summary>
    public override object? Persistent(object? id) => id switch
    {
        object?[] and ["storage", StorageType type, string key, _, long count, ..] parts when parts is [.., null] or { Length: 5 } => findStorage(key, type, count),
        object?[] and ["storage", PickleUnknown unknown, ..] => unknown,
        string text when WrittenStorage().Match(text) is { Success: true } match && StorageType.OfStorage(match.Groups[1].Value) is { } type
            && long.TryParse(match.Groups[3].Value, NumberStyles.None, CultureInfo.InvariantCulture, out long count) => findStorage(match.Groups[2].Value, type, count),
        _ => throw bytes.Bad("has a storage that is not described as torch.save describes one. The file is damaged, or older than PyTorch 0.4: load it there and save it again"),
    };

    /// <summary>Why a file in which there is nothing else is not read.</summary>
    public static string Refusal(string name) =>
        $"\"{TensorEntry.Shorten(name)}\" refused: weights are data, and this file asks to run code. Save plain tensors instead (safetensors, or torch.save of a dict of tensors)";

    PickleUnknown NotKnown(string name)
    {
        Unknown ??= name;
        return new(name);
    }

    static PickleDictionary Dictionary(object?[] arguments)
    {
        PickleDictionary made = new();
        if (arguments is [.., PickleDictionary given])
        {
            made.Items.AddRange(given.Items);
        }
        else if (arguments is [.., IReadOnlyList<object?> pairs])
        {
            made.Items.AddRange(pairs.OfType<IReadOnlyList<object?>>().Where(static pair => pair.Count == 2).Select(static pair => (pair[0], pair[1])));
        }

        return made;
    }

    TorchTensor Counted(TorchTensor tensor) => ++_tensorCount <= MaximumTensors
        ? tensor
        : throw bytes.Bad($"has more than {MaximumTensors} tensors. The file is damaged or not what it seems");

    long[] Integers(IReadOnlyList<object?> values) => values.Count <= 32
        ? [.. values.Select(value => value switch
        {
            long number => number,
            BigInteger => long.MaxValue,
            _ => throw bytes.Bad("has a tensor whose axes are no integers. The file is damaged or not what it seems"),
        })]
        : throw bytes.Bad($"has a tensor of {values.Count} axes; at most 32 are accepted. The file is damaged or not what it seems");

    // Protocol 0 writes a persistent id as text.
    [GeneratedRegex(@"^\('storage', <class 'torch\.(\w+)'>, '([^']*)', '[^']*', (\d+)(?:, None)?\)$")]
    private static partial Regex WrittenStorage();
}
