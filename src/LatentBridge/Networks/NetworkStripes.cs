namespace LatentBridge.Networks;

/// <summary>A window of the input's columns and the part of it that the result is good for.</summary>
/// <param name="Start">First column of the window.</param>
/// <param name="First">First column of the good part.</param>
/// <param name="End">The column behind the good part.</param>
readonly record struct NetworkStripe(int Start, int First, int End);

/// <summary>
/// Cuts a wide input into overlapping windows of one width, so that memory does not grow with the picture's width either.
/// </summary>
/// <remarks>
/// Windows begin on multiples of a tile in every layer, so a tile's inputs, and with them the last bit of its outputs, are those of
/// the undivided picture; the overlap is as wide as what a wrong zero beyond the window's border can reach.
/// </remarks>
static class NetworkStripes
{
    /// <summary>Columns, at the network's finest, from which on a picture is cut.</summary>
    public const int FinestColumns = 5120;

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

        // As the input's own width modulo the unit: then the last window, flush right, begins on the grid as well.
        int window = maximum - ((((maximum - width) % unit) + unit) % unit);
        List<NetworkStripe> stripes = [];
        for (int first = 0; first < width;)
        {
            int start = Math.Min(Math.Max(0, first - halo), width - window);
            int end = start + window == width ? width : (start + window - halo) / unit * unit;
            stripes.Add(new(start, first, end));
            first = end;
        }

        return (window, [.. stripes]);
    }

    /// <summary>Columns of the input beyond a part's border that its outputs depend on, in whole tiles of every layer.</summary>
    public static int Halo(Network network)
    {
        const int Far = 1 << 20;
        int column = network.PixelsOf(Far);
        foreach (NetworkLayer layer in network.Layers.Reverse())
        {
            column = layer.Reach.First(column) & -Winograd.Tile;
        }

        int unit = Winograd.Tile * network.Reduction;
        return (Far - column + unit - 1) / unit * unit;
    }
}
