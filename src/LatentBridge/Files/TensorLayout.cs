namespace LatentBridge.Files;

/// <summary>
/// Axes and strides of a stored tensor, checked once against the bytes it may use. Strides count elements and are never
/// negative; an axis of stride 0 repeats.
/// </summary>
sealed class TensorLayout
{
    const int MaximumRank = 32;
    const int DescribedAxes = 12;

    TensorLayout(long[] dimensions, long[] strides, long length, long extent)
    {
        Dimensions = dimensions;
        Strides = strides;
        Length = length;
        Extent = extent;
        IsContiguous = Contiguous(dimensions, strides, length);
    }

    /// <summary>Axes, outermost first.</summary>
    public long[] Dimensions { get; }

    /// <summary>Elements from one index to the next, for each axis.</summary>
    public long[] Strides { get; }

    /// <summary>Number of elements.</summary>
    public long Length { get; }

    /// <summary>Stored elements from the first to the last one used, both included.</summary>
    public long Extent { get; }

    /// <summary>Whether the elements lie one behind the other in row-major order.</summary>
    public bool IsContiguous { get; }

    /// <summary>
    /// Checks axes and strides (null: row-major) against <paramref name="available"/> stored elements.
    /// </summary>
    /// <returns>Null when they fit; else what was found and what was expected.</returns>
    public static string? Check(long[] dimensions, long[]? strides, long available, out TensorLayout layout)
    {
        layout = null!;
        if (dimensions.Length > MaximumRank || (strides is not null && strides.Length != dimensions.Length))
        {
            return $"has {dimensions.Length} axes and {strides?.Length ?? dimensions.Length} strides; at most {MaximumRank} are accepted, one stride each";
        }

        foreach (long value in (ReadOnlySpan<long>)[.. dimensions, .. strides ?? []])
        {
            if (value < 0)
            {
                return $"has shape {Describe(dimensions)}{(strides is null ? "" : $", strides {Describe(strides)}")}: {value} is negative";
            }
        }

        try
        {
            strides ??= RowMajor(dimensions);
            long length = Product(dimensions);
            _ = checked(length * sizeof(double));
            long extent = length == 0 ? 0 : checked(Last(dimensions, strides) + 1);
            if (extent > available)
            {
                return $"has shape {Describe(dimensions)} and so needs {extent} stored elements, found {available}";
            }

            layout = new(dimensions, strides, length, extent);
            return null;
        }
        catch (OverflowException)
        {
            return $"has shape {Describe(dimensions)}: more elements than can be counted";
        }
    }

    /// <summary>Copies the elements in row-major order out of <paramref name="stored"/>, the bytes of the whole extent.</summary>
    public void Gather(ReadOnlySpan<byte> stored, int elementSize, Span<byte> destination) =>
        Gather(stored, elementSize, 0, 0, destination);

    void Gather(ReadOnlySpan<byte> stored, int elementSize, int axis, long element, Span<byte> destination)
    {
        if (axis == Dimensions.Length)
        {
            stored.Slice(checked((int)(element * elementSize)), elementSize).CopyTo(destination);
            return;
        }

        int count = (int)Dimensions[axis];
        int part = count == 0 ? 0 : destination.Length / count;
        if (axis == Dimensions.Length - 1 && Strides[axis] == 1)
        {
            stored.Slice(checked((int)(element * elementSize)), destination.Length).CopyTo(destination);
            return;
        }

        for (int i = 0; i < count; i++)
        {
            Gather(stored, elementSize, axis + 1, element + i * Strides[axis], destination.Slice(i * part, part));
        }
    }

    /// <summary>Strides of a row-major array; those too large to count stay at the largest number, which <see cref="Check"/> refuses.</summary>
    public static long[] RowMajor(long[] dimensions)
    {
        long[] strides = new long[dimensions.Length];
        long next = 1;
        for (int axis = dimensions.Length - 1; axis >= 0; axis--)
        {
            strides[axis] = next;
            long dimension = Math.Max(1, dimensions[axis]);
            next = next > long.MaxValue / dimension ? long.MaxValue : next * dimension;
        }

        return strides;
    }

    /// <summary>Strides of a column-major (Fortran) array.</summary>
    public static long[] ColumnMajor(long[] dimensions)
    {
        long[] strides = RowMajor([.. dimensions.Reverse()]);
        Array.Reverse(strides);
        return strides;
    }

    /// <summary>Axes as people write them; of very many, the first.</summary>
    public static string Describe(IReadOnlyCollection<long> dimensions) => dimensions.Count <= DescribedAxes
        ? $"[{string.Join(", ", dimensions)}]"
        : $"[{string.Join(", ", dimensions.Take(DescribedAxes))}, ... {dimensions.Count} in all]";

    static long Product(long[] dimensions)
    {
        if (dimensions.Contains(0))
        {
            return 0;
        }

        long product = 1;
        foreach (long dimension in dimensions)
        {
            product = checked(product * dimension);
        }

        return product;
    }

    static long Last(long[] dimensions, long[] strides)
    {
        long last = 0;
        for (int axis = 0; axis < dimensions.Length; axis++)
        {
            last = checked(last + (dimensions[axis] - 1) * strides[axis]);
        }

        return last;
    }

    static bool Contiguous(long[] dimensions, long[] strides, long length)
    {
        long expected = 1;
        for (int axis = dimensions.Length - 1; axis >= 0 && length > 0; axis--)
        {
            if (dimensions[axis] != 1 && strides[axis] != expected)
            {
                return false;
            }

            expected *= dimensions[axis];
        }

        return true;
    }
}
