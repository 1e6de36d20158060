namespace LatentBridge.Networks;

/// <summary>The rows of a tile, up to six: where each begins. Null where there are fewer.</summary>
unsafe struct Six
{
    public float* Row0;
    public float* Row1;
    public float* Row2;
    public float* Row3;
    public float* Row4;
    public float* Row5;

    /// <summary>Rows <paramref name="y"/> and on of a ring, so many floats behind their pixel 0.</summary>
    public Six(RowRing ring, int y, int rows, nint at)
    {
        Row0 = ring.Row(y) + at;
        Row1 = rows > 1 ? ring.Row(y + 1) + at : null;
        Row2 = rows > 2 ? ring.Row(y + 2) + at : null;
        Row3 = rows > 3 ? ring.Row(y + 3) + at : null;
        Row4 = rows > 4 ? ring.Row(y + 4) + at : null;
        Row5 = rows > 5 ? ring.Row(y + 5) + at : null;
    }

    /// <summary>Four rows of a buffer.</summary>
    public Six(float* buffer, nint stride)
    {
        Row0 = buffer;
        Row1 = buffer + stride;
        Row2 = buffer + (2 * stride);
        Row3 = buffer + (3 * stride);
        Row4 = Row5 = null;
    }

    public readonly float* this[int row] => row switch { 0 => Row0, 1 => Row1, 2 => Row2, 3 => Row3, 4 => Row4, _ => Row5 };

    /// <summary>All rows, so many floats further on; what is null stays of no use.</summary>
    public readonly Six Moved(nint by) => new()
    {
        Row0 = Row0 + by,
        Row1 = Row1 + by,
        Row2 = Row2 + by,
        Row3 = Row3 + by,
        Row4 = Row4 + by,
        Row5 = Row5 + by,
    };
}
