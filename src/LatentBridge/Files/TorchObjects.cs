using System.Numerics;

namespace LatentBridge.Files;

/// <summary>
/// What the pickle of a <c>torch.save</c> may build: tensors over raw storages, in ordered dictionaries. Any other name
/// is refused, whatever it is.
/// </summary>
sealed class TorchObjects(TensorBytes bytes, Func<string, TensorElementType, long, TorchStorage> findStorage) : PickleObjects
{
    const int MaximumTensors = 1 << 17;

    int _tensorCount;

    enum Function
    {
        OrderedDictionary,
        Size,
        RebuildTensor,
        RebuildParameter,
    }

    public override object Global(string module, string name) => (module, name) switch
    {
        ("collections", "OrderedDict") => Function.OrderedDictionary,
        ("torch", "Size") => Function.Size,
        ("torch._utils", "_rebuild_tensor_v2") => Function.RebuildTensor,
        ("torch._utils", "_rebuild_parameter") => Function.RebuildParameter,
        ("torch", "DoubleStorage") => TensorElementType.F64,
        ("torch", "FloatStorage") => TensorElementType.F32,
        ("torch", "HalfStorage") => TensorElementType.F16,
        ("torch", "BFloat16Storage") => TensorElementType.BF16,
        ("torch", "LongStorage") => TensorElementType.I64,
        ("torch", "IntStorage") => TensorElementType.I32,
        ("torch", "ShortStorage") => TensorElementType.I16,
        ("torch", "CharStorage") => TensorElementType.I8,
        ("torch", "ByteStorage") => TensorElementType.U8,
        ("torch", "BoolStorage") => TensorElementType.Bool,
        _ => throw bytes.Bad($"\"{TensorEntry.Shorten($"{module}.{name}")}\" refused: weights are data, and this file asks to run code. Save plain tensors instead (safetensors, or torch.save of a dict of tensors)"),
    };

    public override object? Call(object callable, object?[] arguments) => (callable, arguments) switch
    {
        (Function.OrderedDictionary, []) => new PickleDictionary(),
        (Function.Size, [object?[] axes]) => axes,
        (Function.RebuildTensor, [TorchStorage storage, long offset, object?[] size, object?[] strides, ..]) when ++_tensorCount <= MaximumTensors =>
            new TorchTensor(storage, offset, Integers(size), Integers(strides)),
        (Function.RebuildParameter, [TorchTensor tensor, ..]) => tensor,
        _ when _tensorCount > MaximumTensors => throw bytes.Bad($"has more than {MaximumTensors} tensors. The file is damaged or not what it seems"),
        _ => throw bytes.Bad($"calls {callable} with arguments that torch.save does not write. The file is damaged or not what it seems"),
    };

    /// <summary>A storage: <c>('storage', type, key, location, element count)</c>; where it was (a GPU) does not matter.</summary>
    public override object? Persistent(object? id) => id is object?[] and ["storage", TensorElementType type, string key, _, long count, ..] parts && parts is [.., null] or { Length: 5 }
        ? findStorage(key, type, count)
        : throw bytes.Bad("has a storage that is not described as torch.save describes one. The file is damaged, or older than PyTorch 0.4: load it there and save it again");

    long[] Integers(object?[] values) => values.Length <= 32
        ? Array.ConvertAll(values, value => value switch
        {
            long number => number,
            BigInteger => long.MaxValue,
            _ => throw bytes.Bad("has a tensor whose axes are no integers. The file is damaged or not what it seems"),
        })
        : throw bytes.Bad($"has a tensor of {values.Length} axes; at most 32 are accepted. The file is damaged or not what it seems");
}

/// <summary>A run of elements in the file that tensors look into; several may share one.</summary>
sealed class TorchStorage(TensorElementType elementType, long length)
{
    /// <summary>What an element is.</summary>
    public TensorElementType ElementType { get; } = elementType;

    /// <summary>Number of elements.</summary>
    public long Length { get; } = length;

    /// <summary>Where it lies; set as soon as that is known.</summary>
    public ByteRange Range { get; set; }
}

/// <summary>A view of a storage, unchecked: as the pickle says it.</summary>
sealed record TorchTensor(TorchStorage Storage, long Offset, long[] Dimensions, long[] Strides)
{
    /// <summary>The view, checked against its storage.</summary>
    public TensorEntry ToEntry(string name)
    {
        TensorBytes bytes = Storage.Range.Bytes;
        if (Offset < 0 || Offset > Storage.Length)
        {
            throw bytes.Bad($"tensor \"{TensorEntry.Shorten(name)}\" begins at element {Offset} of a storage of {Storage.Length}. The file is damaged");
        }

        int size = Storage.ElementType.ByteLength();
        return TensorEntry.Create(
            name, Storage.ElementType, Dimensions, Strides, bytes, Storage.Range.Offset + Offset * size, (Storage.Length - Offset) * size);
    }
}
