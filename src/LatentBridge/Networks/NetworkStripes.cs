namespace LatentBridge.Networks;

/// <summary>A window of the input's columns and the part of it that the result is good for.</summary>
/// <param name="Start">First column of the window.</param>
/// <param name="First">First column of the good part.</param>
/// <param name="End">The column behind the good part.</param>
readonly record struct NetworkStripe(int Start, int First, int End);

/// <summary>Columns of a ring, the last one excluded.</summary>
readonly record struct ColumnRange(int First, int End);

/// <summary>
/// Cuts a wide input into parts of equal width, each in a window that overlaps its neighbours, so that memory does not grow with the
/// picture's width either.
/// </summary>
/// <remarks>
/// Windows begin on multiples of a tile in every layer, so a tile's inputs, and with them the last bit of its outputs, are those of
/// the undivided picture. A layer computes no more columns of a window than the layers behind it need: the overlap is widest at
/// the input and shrinks to nothing at the output.
/// </remarks>
static class NetworkStripes
{
    /// <summary>Columns of a window at most, at the network's finest.</summary>
    public const int FinestColumns = 3840;

    /// <summary>The width of all windows, and the windows from left to right.</summary>
    /// <param name="network">What is computed.</param>
    /// <param name="width">Columns of the input.</param>
    /// <param name="maximum">Columns of a window at most, if its overlaps leave room; a GroupNorm needs the whole at any width.</param>
    public static (int Width, NetworkStripe[] Stripes) Cut(Network network, int width, int maximum)
    {
        int unit = Winograd.Tile * network.Reduction, halo = Halo(network);
        maximum = Math.Max(maximum, (2 * halo) + (4 * unit));
        if (width <= maximum || network.Layers.Any(layer => layer is GroupNormPoolLayer))
        {
            return (width, [new(0, 0, width)]);
        }

        for (int count = 2; ; count++)
        {
            int[] borders = [.. Enumerable.Range(0, count).Select(i => (int)((long)width * i / count / unit * unit)), width];
            int window = Enumerable.Range(0, count).Max(i => Math.Min(width, borders[i + 1] + halo) - Math.Max(0, borders[i] - halo));

            // As the input's own width modulo the unit: then the last window, flush right, begins on the grid as well.
            window += (width - window) % unit;
            if (window <= maximum)
            {
                return (window, [.. Enumerable.Range(0, count).Select(i => new NetworkStripe(Math.Clamp(borders[i] - halo, 0, width - window), borders[i], borders[i + 1]))]);
            }
        }
    }

    /// <summary>The columns that each layer must compute for a stripe, in its own pixels from its window's border, whole tiles.</summary>
    /// <param name="network">What is computed.</param>
    /// <param name="width">Columns of the input.</param>
    /// <param name="window">Columns of the stripe's window.</param>
    /// <param name="stripe">The stripe.</param>
    public static ColumnRange[] Columns(Network network, int width, int window, in NetworkStripe stripe)
    {
        int[] widths = new int[network.Layers.Count];
        for (int i = 0, columns = window; i < widths.Length; i++)
        {
            widths[i] = columns = network.Layers[i].Reach.Size(columns);
        }

        ColumnRange[] ranges = new ColumnRange[widths.Length];
        int first = network.PixelsOf(stripe.First) - network.PixelsOf(stripe.Start);
        int end = stripe.End == width ? widths[^1] : network.PixelsOf(stripe.End) - network.PixelsOf(stripe.Start);
        for (int i = widths.Length - 1; i >= 0; i--)
        {
            RowReach reach = network.Layers[i].Reach;
            int tile = Tile(network.Layers[i]);
            first &= -tile;
            end = Math.Min((end + tile - 1) & -tile, widths[i]);
            ranges[i] = new(first, end);
            (first, end) = (reach.First(first), reach.End(end));
        }

        return ranges;
    }

    // What is unfolded is made in tiles of the smaller picture.
    static int Tile(NetworkLayer layer) => layer is ConvolutionLayer { IsShuffled: true } ? 2 * Winograd.Tile : Winograd.Tile;

    /// <summary>Columns of the input beyond a part's border that its outputs depend on, in whole tiles of every layer.</summary>
    public static int Halo(Network network)
    {
        const int Far = 1 << 20;
        int column = network.PixelsOf(Far);
        foreach (NetworkLayer layer in network.Layers.Reverse())
        {
            column = layer.Reach.First(column & -Tile(layer)) & -Winograd.Tile;
        }

        int unit = Winograd.Tile * network.Reduction;
        return (Far - column + unit - 1) / unit * unit;
    }
}
