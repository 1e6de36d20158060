namespace LatentBridge.Files;

/// <summary>A run of elements in the file that tensors look into; several may share one.</summary>
sealed class TorchStorage(StorageType type, long length)
{
    /// <summary>What an element is.</summary>
    public StorageType Type { get; } = type;

    /// <summary>Number of elements.</summary>
    public long Length { get; } = length;

    /// <summary>Where it lies; set as soon as that is known.</summary>
    public ByteRange Range { get; set; }
}

/// <summary>A view of a storage, unchecked: as the pickle says it.</summary>
sealed record TorchTensor(TorchStorage Storage, StorageType Type, long Offset, long[] Dimensions, long[] Strides)
{
    /// <summary>The view, checked against its storage; null, and why, for elements that are not read.</summary>
    public TensorEntry? ToEntry(string name, out string? unsupported)
    {
        unsupported = null;
        if (Type.ElementType is not { } elementType)
        {
            unsupported = $"it has element type {Type.Name}, which is not read";
            return null;
        }

        TensorBytes bytes = Storage.Range.Bytes;
        long length = Storage.Length * Storage.Type.Size / Type.Size;
        if (Offset < 0 || Offset > length)
        {
            throw bytes.Bad($"tensor \"{TensorEntry.Shorten(name)}\" begins at element {Offset} of a storage of {length}. The file is damaged");
        }

        return TensorEntry.Create(
            name, elementType, Dimensions, Strides, bytes, Storage.Range.Offset + (Offset * Type.Size), (length - Offset) * Type.Size);
    }
}

/// <summary>numpy's element type, as a pickle has it.</summary>
sealed class NumpyType(string descr)
{
    /// <summary>As <c>.npy</c> names it, without the byte order.</summary>
    public string Descr { get; } = descr;

    /// <summary>Whether elements are big-endian.</summary>
    public bool IsBigEndian { get; set; } = descr.StartsWith('>');
}

/// <summary>A numpy array in a pickle, its elements among the pickle's bytes.</summary>
sealed class NumpyArray
{
    public NumpyType? Type { get; set; }

    public long[] Dimensions { get; set; } = [];

    public bool IsFortran { get; set; }

    public byte[]? Data { get; set; }

    /// <summary>The array as a tensor; null, and why, when its elements are no numbers.</summary>
    public TensorEntry? ToEntry(string name, string file, out string? unsupported)
    {
        if (Type is null || Data is null || NpyReader.ElementType(Type.Descr, out _) is not { } elementType)
        {
            unsupported = $"it is a numpy array of \"{TensorEntry.Shorten(Type?.Descr ?? "?")}\", which is not read";
            return null;
        }

        unsupported = null;
        return TensorEntry.Create(
            name, elementType, Dimensions, IsFortran ? TensorLayout.ColumnMajor(Dimensions) : null, TensorBytes.FromMemory(Data, file), 0, Data.Length, Type.IsBigEndian);
    }
}
