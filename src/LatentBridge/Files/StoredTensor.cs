namespace LatentBridge.Files;

/// <summary>A tensor to be written: contiguous, row-major, little-endian.</summary>
/// <param name="Name">Its key in the file.</param>
/// <param name="ElementType">What an element is.</param>
/// <param name="Dimensions">Axes, outermost first; none for a single number.</param>
/// <param name="Bytes">The elements.</param>
public sealed record StoredTensor(string Name, TensorElementType ElementType, IReadOnlyList<long> Dimensions, ReadOnlyMemory<byte> Bytes)
{
    /// <summary>Makes one from F32 values, rounded to nearest (ties to even) where the element type is narrower.</summary>
    /// <param name="name">Its key in the file.</param>
    /// <param name="values">As many as the axes say.</param>
    /// <param name="dimensions">Axes, outermost first.</param>
    /// <param name="elementType">F32, F16 or BF16.</param>
    /// <exception cref="ArgumentException">Another element type.</exception>
    public static StoredTensor FromValues(string name, ReadOnlySpan<float> values, IReadOnlyList<long> dimensions, TensorElementType elementType = TensorElementType.F32)
    {
        byte[] bytes = new byte[values.Length * elementType.ByteLength()];
        TensorConversion.FromSingle(values, elementType, bytes);
        return new(name, elementType, dimensions, bytes);
    }

    /// <summary>Reads a tensor of another file, bit for bit; a strided view becomes contiguous.</summary>
    /// <exception cref="LatentBridgeException">The file cannot be read, or the tensor is larger than an array can be (2 GB).</exception>
    internal static StoredTensor From(TensorEntry entry)
    {
        if (entry.ByteLength > Array.MaxLength)
        {
            throw new LatentBridgeException($"Tensor \"{TensorEntry.Shorten(entry.Name)}\" has {entry.ByteLength} bytes; at most {Array.MaxLength} can be copied.");
        }

        byte[] bytes = new byte[entry.ByteLength];
        entry.CopyBytesTo(bytes);
        return new(entry.Name, entry.ElementType, entry.Dimensions, bytes);
    }
}
