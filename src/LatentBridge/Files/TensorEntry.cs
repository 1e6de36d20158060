using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace LatentBridge.Files;

/// <summary>
/// One tensor of a <see cref="TensorFile"/>: its name and shape at hand, its values read when they are asked for.
/// </summary>
/// <remarks>Reading is safe from several threads; not after the file was disposed of.</remarks>
sealed class TensorEntry
{
    const int ChunkLength = 1 << 15;
    const long MaximumGatheredBytes = 1L << 30;
    const long MaximumRepeatedBytes = 64L << 20;
    const int MaximumRepeats = 8;

    readonly TensorBytes _bytes;
    readonly long _offset;
    readonly bool _bigEndian;
    readonly TensorLayout _layout;

    TensorEntry(string name, TensorElementType elementType, TensorLayout layout, TensorBytes bytes, long offset, bool bigEndian)
    {
        Name = name;
        ElementType = elementType;
        _layout = layout;
        _bytes = bytes;
        _offset = offset;
        _bigEndian = bigEndian;
    }

    /// <summary>Its key in the file. Nested dictionaries and lists are joined by dots; a file's only array is "tensor".</summary>
    public string Name { get; }

    /// <summary>What a stored element is.</summary>
    public TensorElementType ElementType { get; }

    /// <summary>Axes, outermost first; none for a single number.</summary>
    public IReadOnlyList<long> Dimensions => _layout.Dimensions;

    /// <summary>Number of elements: the product of the axes.</summary>
    public long Length => _layout.Length;

    /// <summary>Number of bytes when written one behind the other.</summary>
    public long ByteLength => Length * ElementType.ByteLength();

    /// <summary>Makes an entry whose elements start at <paramref name="offset"/> and may use <paramref name="byteLength"/> bytes.</summary>
    /// <exception cref="LatentBridgeException">The shape does not fit the bytes, or the bytes do not lie in the file.</exception>
    internal static TensorEntry Create(
        string name, TensorElementType elementType, long[] dimensions, long[]? strides, TensorBytes bytes, long offset, long byteLength, bool bigEndian = false)
    {
        if (!bytes.Holds(offset, byteLength))
        {
            throw bytes.Bad($"tensor \"{Shorten(name)}\" lies at {offset} with {byteLength} bytes, but there are only {bytes.Length}. The file is cut off or damaged; copy or download it again");
        }

        string? fault = TensorLayout.Check(dimensions, strides, byteLength / elementType.ByteLength(), out TensorLayout layout);
        return fault is null
            ? new(name, elementType, layout, bytes, offset, bigEndian)
            : throw bytes.Bad($"tensor \"{Shorten(name)}\" ({elementType}) {fault}. The file is cut off or damaged; copy or download it again");
    }

    /// <summary>One index of the first axis, as a tensor of the axes behind it.</summary>
    internal TensorEntry Row(long index)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((ulong)index, (ulong)Dimensions[0]);
        _ = TensorLayout.Check(_layout.Dimensions[1..], _layout.Strides[1..], _layout.Extent, out TensorLayout row);
        return new(Name, ElementType, row, _bytes, _offset + (index * _layout.Strides[0] * ElementType.ByteLength()), _bigEndian);
    }

    /// <summary>The first half of an axis.</summary>
    internal TensorEntry FirstHalf(int axis)
    {
        long[] dimensions = [.. _layout.Dimensions];
        dimensions[axis] /= 2;
        _ = TensorLayout.Check(dimensions, _layout.Strides, _layout.Extent, out TensorLayout half);
        return new(Name, ElementType, half, _bytes, _offset, _bigEndian);
    }

    /// <summary>Writes all values in row-major order, converted to F32.</summary>
    /// <param name="destination">Exactly <see cref="Length"/> values.</param>
    /// <exception cref="ArgumentException">The destination has another length.</exception>
    /// <exception cref="LatentBridgeException">The file cannot be read.</exception>
    public void CopyTo(Span<float> destination)
    {
        if (destination.Length != Length)
        {
            throw new ArgumentException($"{destination.Length} values given; tensor \"{Name}\" has {Length}.", nameof(destination));
        }

        int size = ElementType.ByteLength();
        byte[]? gathered = _layout.IsContiguous ? null : Gather();
        byte[] rented = gathered is null && ElementType != TensorElementType.F32 ? ArrayPool<byte>.Shared.Rent(ChunkLength * size) : [];
        for (int done = 0; done < destination.Length; done += ChunkLength)
        {
            Span<float> values = destination[done..Math.Min(done + ChunkLength, destination.Length)];
            if (gathered is not null)
            {
                TensorConversion.ToSingle(gathered.AsSpan(done * size, values.Length * size), ElementType, values);
                continue;
            }

            Span<byte> chunk = ElementType == TensorElementType.F32 ? MemoryMarshal.AsBytes(values) : rented.AsSpan(0, values.Length * size);
            ReadStored((long)done * size, chunk);
            if (ElementType != TensorElementType.F32)
            {
                TensorConversion.ToSingle(chunk, ElementType, values);
            }
        }

        if (rented.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    /// <summary>Writes all elements' bytes in row-major order, little-endian, unconverted.</summary>
    /// <param name="destination">Exactly <see cref="ByteLength"/> bytes.</param>
    /// <exception cref="ArgumentException">The destination has another length.</exception>
    /// <exception cref="LatentBridgeException">The file cannot be read.</exception>
    public void CopyBytesTo(Span<byte> destination)
    {
        if (destination.Length != ByteLength)
        {
            throw new ArgumentException($"{destination.Length} bytes given; tensor \"{Name}\" has {ByteLength}.", nameof(destination));
        }

        if (_layout.IsContiguous)
        {
            ReadStored(0, destination);
        }
        else
        {
            Gather().CopyTo(destination);
        }
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Name} {ElementType} {TensorLayout.Describe(Dimensions)}";

    /// <summary>A text of a file, fit for a message.</summary>
    internal static string Shorten(string text) => ShownText.Shorten(text);

    void ReadStored(long offset, Span<byte> destination)
    {
        _bytes.Read(_offset + offset, destination);
        if (_bigEndian)
        {
            SwapBytes(destination);
        }
    }

    /// <summary>Refuses a view that would take far more memory than the file has.</summary>
    /// <exception cref="LatentBridgeException">It repeats what is stored too often.</exception>
    internal void CheckRepeats()
    {
        long stored = _layout.Extent * ElementType.ByteLength();
        if (ByteLength > Math.Max(MaximumRepeatedBytes, MaximumRepeats * stored))
        {
            throw _bytes.Bad($"tensor \"{Shorten(Name)}\" repeats {stored} stored bytes to {ByteLength}; of a view that repeats, at most {MaximumRepeatedBytes} are accepted. Save it contiguous (torch: tensor.contiguous())");
        }
    }

    byte[] Gather()
    {
        int size = ElementType.ByteLength();
        if (_layout.Extent * size > MaximumGatheredBytes || ByteLength > MaximumGatheredBytes)
        {
            throw _bytes.Bad($"tensor \"{Shorten(Name)}\" is a strided view of {_layout.Extent * size} bytes; at most {MaximumGatheredBytes} are supported. Save it contiguous (torch: tensor.contiguous())");
        }

        CheckRepeats();
        byte[] stored = new byte[_layout.Extent * size];
        ReadStored(0, stored);
        byte[] gathered = new byte[ByteLength];
        _layout.Gather(stored, size, gathered);
        return gathered;
    }

    void SwapBytes(Span<byte> elements)
    {
        switch (ElementType.ByteLength())
        {
            case 2:
                Span<ushort> words = MemoryMarshal.Cast<byte, ushort>(elements);
                BinaryPrimitives.ReverseEndianness(words, words);
                break;
            case 4:
                Span<uint> doubles = MemoryMarshal.Cast<byte, uint>(elements);
                BinaryPrimitives.ReverseEndianness(doubles, doubles);
                break;
            case 8:
                Span<ulong> quads = MemoryMarshal.Cast<byte, ulong>(elements);
                BinaryPrimitives.ReverseEndianness(quads, quads);
                break;
        }
    }
}
