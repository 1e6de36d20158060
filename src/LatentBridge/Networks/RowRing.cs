namespace LatentBridge.Networks;

/// <summary>
/// One layer's output on its way to the next: the newest rows of a picture, [row][pixel][channel], the place of a row being
/// its number modulo <see cref="Capacity"/>. Around the picture everything reads as zero.
/// </summary>
/// <remarks>
/// <code>
///   row y:  | 0 | pixel 0 | pixel 1 | ... | pixel Width-1 | 0 ... 0 |      one zero pixel before, at least one behind,
///                                                                         as many as fill up the last tile
/// </code>
/// </remarks>
sealed unsafe class RowRing(int height, int width, int channels)
{
    /// <summary>Spare pixels behind the last row: a block of results at the right border reads that far.</summary>
    const int SparePixels = 16;

    readonly List<(RowLayer Layer, RowReach Reach)> _readers = [];
    float* _rows;

    public int Height { get; } = height;

    public int Width { get; } = width;

    /// <summary>Floats of a pixel; a multiple of 16 where a vectorised convolution reads it.</summary>
    public int Channels { get; } = channels;

    /// <summary>Rows it has room for.</summary>
    public int Capacity { get; set; } = height;

    /// <summary>A ring in the same memory: a row is written only once nobody needs that one's any more. Null for none.</summary>
    public RowRing? Replaced { get; set; }

    /// <summary>Rows 0 to Produced - 1 have been written.</summary>
    public int Produced { get; set; }

    /// <summary>Floats from one row to the next.</summary>
    public nint RowLength => (((Width + Winograd.Tile - 1) / Winograd.Tile * Winograd.Tile) + 2) * (nint)Channels;

    /// <summary>Floats it takes: its rows, one row of zeros and the spare pixels.</summary>
    public long Length => ((Capacity + 1) * (long)RowLength) + (SparePixels * Channels);

    /// <summary>The first row that a reader still needs.</summary>
    public int Oldest
    {
        get
        {
            int oldest = Height;
            foreach ((RowLayer layer, RowReach reach) in _readers)
            {
                if (layer.Done < layer.Height)
                {
                    oldest = Math.Min(oldest, reach.First(layer.Done));
                }
            }

            return oldest;
        }
    }

    public void AddReader(RowLayer layer, RowReach reach) => _readers.Add((layer, reach));

    /// <summary>Gives it its memory, all zero.</summary>
    public void Place(float* memory) => _rows = memory;

    /// <summary>Pixel 0 of a row, which must be in the ring; rows above and below the picture are zeros.</summary>
    public float* Row(int y) => _rows + Channels + (RowLength * ((uint)y < (uint)Height ? y % Capacity : Capacity));
}

/// <summary>Which input rows a layer needs for output rows first to end - 1 (end being the first row not asked for).</summary>
enum RowReach
{
    /// <summary>The same rows.</summary>
    Same,

    /// <summary>One more above and below: a 3x3 convolution.</summary>
    Neighbours,

    /// <summary>Three more above and below: a 7x7 convolution.</summary>
    Far,

    /// <summary>A 3x3 convolution of the input doubled; first is even.</summary>
    Doubled,

    /// <summary>A 3x3 convolution of stride 2, padding 1.</summary>
    Halved,
}

static class RowReaches
{
    /// <summary>Rows, or columns, of the output.</summary>
    public static int Size(this RowReach reach, int input) => reach switch
    {
        RowReach.Doubled => 2 * input,
        RowReach.Halved => (input + 1) / 2,
        _ => input,
    };

    /// <summary>The first input row needed, not below 0.</summary>
    public static int First(this RowReach reach, int first) => Math.Max(0, reach switch
    {
        RowReach.Neighbours => first - 1,
        RowReach.Far => first - 3,
        RowReach.Doubled => (first / 2) - 1,
        RowReach.Halved => (2 * first) - 1,
        _ => first,
    });

    /// <summary>The input row behind the last one needed; may lie below the picture.</summary>
    public static int End(this RowReach reach, int end) => reach switch
    {
        RowReach.Neighbours => end + 1,
        RowReach.Far => end + 3,
        RowReach.Doubled => ((end + 1) / 2) + 1,
        RowReach.Halved => 2 * end,
        _ => end,
    };
}
