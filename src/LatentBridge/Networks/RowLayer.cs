namespace LatentBridge.Networks;

/// <summary>One layer of a network at one picture size: makes its output rows from its inputs' rows, a few at a time.</summary>
abstract unsafe class RowLayer
{
    readonly List<(RowRing Ring, RowReach Reach)> _inputs = [];

    protected RowLayer(int height, RowRing? output)
    {
        Height = height;
        StepRows = height;
        Output = output;
        Columns = new(0, output?.Width ?? 0);
    }

    /// <summary>Output rows.</summary>
    public int Height { get; }

    /// <summary>Where they go; null if they leave the network here.</summary>
    public RowRing? Output { get; }

    /// <summary>Columns of its output that it makes, from a tile's first on; the rest of a stripe's window nobody reads.</summary>
    public ColumnRange Columns { get; set; }

    /// <summary>Output rows made in one step.</summary>
    public int StepRows { get; protected init; }

    /// <summary>Floats of scratch memory that <see cref="Run"/> needs.</summary>
    public virtual long ScratchLength => 0;

    /// <summary>Output rows finished.</summary>
    public int Done { get; set; }

    /// <summary>Whether the next step can run: its inputs are there and its output has room.</summary>
    public bool IsReady
    {
        get
        {
            if (Done >= Height)
            {
                return false;
            }

            int end = StepEnd;
            foreach ((RowRing ring, RowReach reach) in _inputs)
            {
                if (ring.Produced < Math.Min(reach.End(end), ring.Height))
                {
                    return false;
                }
            }

            return Output is null || (end - Output.Capacity <= Output.Oldest && (Output.Replaced is null || end <= Output.Replaced.Oldest));
        }
    }

    /// <summary>The row behind the next step's last.</summary>
    public int StepEnd => Math.Min(Done + StepRows, Height);

    /// <summary>Number of independent parts that making these rows falls into.</summary>
    public virtual int Parts(int first, int end) => 1;

    /// <summary>Makes one part of rows <paramref name="first"/> to <paramref name="end"/> - 1.</summary>
    public abstract void Run(int first, int end, int part, Workspace workspace);

    /// <summary>Rows its output has room for beyond what one thread needs: a step, unless a step alone has as many parts as keep the threads busy.</summary>
    public int SlackRows(int busyParts) => Parts(0, Math.Min(StepRows, Height)) < busyParts ? StepRows : 0;

    /// <summary>Called once all rows are made, before any layer that waits for them goes on.</summary>
    public virtual void Complete()
    {
    }

    /// <summary>Rows in a step, so that it has about <paramref name="pixels"/> pixels; a multiple of 4.</summary>
    protected static int RowsOf(int pixels, int width) => Math.Max(1, pixels / 4 / Math.Max(width, 1)) * 4;

    protected void Reads(RowRing ring, RowReach reach)
    {
        _inputs.Add((ring, reach));
        ring.AddReader(this, reach);
    }
}
