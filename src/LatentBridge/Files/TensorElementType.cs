namespace LatentBridge.Files;

/// <summary>What an element of a stored tensor is; named as safetensors names it.</summary>
public enum TensorElementType
{
    /// <summary>IEEE 754 binary64.</summary>
    F64,

    /// <summary>IEEE 754 binary32.</summary>
    F32,

    /// <summary>IEEE 754 binary16.</summary>
    F16,

    /// <summary>bfloat16: the upper half of a binary32.</summary>
    BF16,

    /// <summary>8-bit float, 4 exponent and 3 fraction bits, no infinities (torch: <c>float8_e4m3fn</c>).</summary>
    F8E4M3,

    /// <summary>8-bit float, 5 exponent and 2 fraction bits: the upper half of a binary16.</summary>
    F8E5M2,

    /// <summary>Signed, 64 bits.</summary>
    I64,

    /// <summary>Signed, 32 bits.</summary>
    I32,

    /// <summary>Signed, 16 bits.</summary>
    I16,

    /// <summary>Signed, 8 bits.</summary>
    I8,

    /// <summary>Unsigned, 64 bits.</summary>
    U64,

    /// <summary>Unsigned, 32 bits.</summary>
    U32,

    /// <summary>Unsigned, 16 bits.</summary>
    U16,

    /// <summary>Unsigned, 8 bits.</summary>
    U8,

    /// <summary>One byte: zero is false, anything else true.</summary>
    Bool,
}

/// <summary>Sizes of <see cref="TensorElementType"/>.</summary>
static class TensorElementTypeExtensions
{
    /// <summary>Bytes of one element: 1, 2, 4 or 8.</summary>
    public static int ByteLength(this TensorElementType type) => type switch
    {
        TensorElementType.F64 or TensorElementType.I64 or TensorElementType.U64 => 8,
        TensorElementType.F32 or TensorElementType.I32 or TensorElementType.U32 => 4,
        TensorElementType.F16 or TensorElementType.BF16 or TensorElementType.I16 or TensorElementType.U16 => 2,
        _ => 1,
    };
}
