namespace LatentBridge.Files;

/// <summary>What PyTorch calls an element type, of a storage or a tensor.</summary>
/// <param name="Name">PyTorch's name.</param>
/// <param name="ElementType">What it is here; null: not read.</param>
/// <param name="Size">Bytes of an element.</param>
sealed record StorageType(string Name, TensorElementType? ElementType, int Size)
{
    /// <summary>Bytes whose element type the tensor names.</summary>
    public static readonly StorageType Untyped = new("bytes", null, 1);

    static readonly Dictionary<string, StorageType> Dtypes = new StorageType[]
    {
        new("float64", TensorElementType.F64, 8), new("double", TensorElementType.F64, 8),
        new("float32", TensorElementType.F32, 4), new("float", TensorElementType.F32, 4),
        new("float16", TensorElementType.F16, 2), new("half", TensorElementType.F16, 2),
        new("bfloat16", TensorElementType.BF16, 2),
        new("float8_e4m3fn", TensorElementType.F8E4M3, 1), new("float8_e5m2", TensorElementType.F8E5M2, 1),
        new("float8_e4m3fnuz", null, 1), new("float8_e5m2fnuz", null, 1), new("float8_e8m0fnu", null, 1), new("float4_e2m1fn_x2", null, 1),
        new("int64", TensorElementType.I64, 8), new("long", TensorElementType.I64, 8),
        new("int32", TensorElementType.I32, 4), new("int", TensorElementType.I32, 4),
        new("int16", TensorElementType.I16, 2), new("short", TensorElementType.I16, 2),
        new("int8", TensorElementType.I8, 1), new("uint8", TensorElementType.U8, 1),
        new("uint16", TensorElementType.U16, 2), new("uint32", TensorElementType.U32, 4), new("uint64", TensorElementType.U64, 8),
        new("bool", TensorElementType.Bool, 1),
        new("complex32", null, 4), new("complex64", null, 8), new("cfloat", null, 8), new("complex128", null, 16), new("cdouble", null, 16),
        new("qint8", null, 1), new("quint8", null, 1), new("qint32", null, 4), new("quint4x2", null, 1), new("quint2x4", null, 1),
    }.ToDictionary(static type => type.Name, StringComparer.Ordinal);

    static readonly Dictionary<string, string> Storages = new(StringComparer.Ordinal)
    {
        ["DoubleStorage"] = "float64",
        ["FloatStorage"] = "float32",
        ["HalfStorage"] = "float16",
        ["BFloat16Storage"] = "bfloat16",
        ["LongStorage"] = "int64",
        ["IntStorage"] = "int32",
        ["ShortStorage"] = "int16",
        ["CharStorage"] = "int8",
        ["ByteStorage"] = "uint8",
        ["BoolStorage"] = "bool",
        ["ComplexFloatStorage"] = "complex64",
        ["ComplexDoubleStorage"] = "complex128",
        ["QInt8Storage"] = "qint8",
        ["QUInt8Storage"] = "quint8",
        ["QInt32Storage"] = "qint32",
        ["QUInt4x2Storage"] = "quint4x2",
        ["QUInt2x4Storage"] = "quint2x4",
    };

    /// <summary>The type of <c>torch.FloatStorage</c> and its like; null for another name.</summary>
    public static StorageType? OfStorage(string name) => Storages.TryGetValue(name, out string? dtype) ? Dtypes[dtype] : null;

    /// <summary>The type of <c>torch.float16</c> and its like; null for another name.</summary>
    public static StorageType? OfDtype(string name) => Dtypes.GetValueOrDefault(name);

    /// <inheritdoc/>
    public override string ToString() => ElementType?.ToString() ?? Name;
}
