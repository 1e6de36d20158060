using LatentBridge.Latents;

namespace LatentBridge.Formats;

/// <summary>Decides which axis of an array is which. The one place for it: files and live latents ask here.</summary>
/// <remarks>
/// The orders of the array's rank are tried one after the other; the first that has the format's channels where C stands, and the
/// size that the source says, is taken. <c>tests/Vectors/axes.json</c> has examples; <c>python/latentbridge/axes.py</c> follows the same rules,
/// because a client leaves items and frames out before it copies.
/// </remarks>
public static class LatentAxes
{
    /// <summary>Axes an array may have at most.</summary>
    public const int MaximumRank = 8;

    const string Letters = "one letter an axis: B batch, C channels, T frames, H height, W width, N tokens";

    static readonly string[][] Sequences = [[], [], ["CW", "WC"], ["BCW", "BWC"], ["BBCW"]];
    static readonly string[][] Pictures = [[], [], ["NC"], ["CHW", "BNC", "HWC"], ["BCHW", "CTHW", "BHWC"], ["BCTHW", "BBCHW", "BBHWC"]];
    static readonly string[][] Videos = [[], [], ["NC"], ["CHW", "BNC", "HWC"], ["BCHW", "CTHW", "BHWC"], ["BCTHW", "BTCHW", "BTHWC"]];

    // Without a batch these look like a batch of pictures, so they are read only where the source says how many frames there are.
    static readonly string[] FramesFirst = ["TCHW", "THWC"];

    /// <summary>Reads the axes of an array as a latent of a format.</summary>
    /// <param name="axes">The array's axes, outermost first.</param>
    /// <param name="format">The format.</param>
    /// <param name="said">What the source says of the size.</param>
    /// <param name="fault">Why the result is null, as a sentence; else null.</param>
    /// <param name="isCertain">False when another order would fit as well.</param>
    /// <returns>Null when no order fits.</returns>
    public static AxisReading? Read(ReadOnlySpan<long> axes, LatentFormat format, SaidSize said, out string? fault, out bool isCertain)
    {
        isCertain = true;
        fault = Check(axes);
        if (fault is not null)
        {
            return null;
        }

        AxisReading? found = null;
        foreach (string order in Orders(axes.Length, format.Dimensions, said))
        {
            if (TryRead(axes, order, format, said) is not { } reading)
            {
                continue;
            }

            if (found is null)
            {
                found = reading;
            }
            else if (found.Order == "BCHW" && order == "CTHW" && format.Dimensions == 3)
            {
                // As many pictures as channels, or as many frames? A clip without its batch is the usual one.
                (found, isCertain) = (reading, false);
            }
        }

        if (found is null && !said.IsNothing)
        {
            return Read(axes, format, default, out fault, out isCertain);
        }

        if (found is null)
        {
            string channels = format.StreamChannels == format.PlaneChannels ? $"{format.StreamChannels}" : $"{format.StreamChannels} or {format.PlaneChannels}";
            fault = $"axes {Describe(axes)}: no order of axes fits format {format.Id}, which has {channels} channels{Square(axes, format)}. "
                + $"Name the format that fits, or say which axis is which ({Letters}; {Example(axes.Length, format.Dimensions)})";
        }

        return found;
    }

    /// <summary>Reads the axes of an array in a given order.</summary>
    /// <param name="axes">The array's axes, outermost first.</param>
    /// <param name="order">One letter an axis, as <see cref="AxisReading.Order"/>; small letters too.</param>
    /// <param name="format">The format; its channels tell packed tokens.</param>
    /// <param name="said">What the source says of the size; needed for tokens of a picture that is not square.</param>
    /// <param name="fault">Why the result is null, as a sentence; else null.</param>
    public static AxisReading? Read(ReadOnlySpan<long> axes, string order, LatentFormat format, SaidSize said, out string? fault)
    {
        order = order.ToUpperInvariant();
        bool known = order.Length == axes.Length && order.All("BCTHWN".Contains) && order.Count(letter => letter == 'C') == 1
            && "THWN".All(letter => order.Count(other => other == letter) <= 1)
            && (order.Contains('N') ? !order.Contains('H') && !order.Contains('W') && !order.Contains('T') : order.Contains('W'));
        fault = !known
            ? $"axes {Describe(axes)}: the order \"{Shorten(order)}\" does not fit; expected {axes.Length} letters, {Letters}; {Example(axes.Length, format.Dimensions)}"
            : Check(axes);
        if (fault is not null)
        {
            return null;
        }

        AxisReading? reading = order.Contains('N') ? Tokens(axes, order, format, said) : Plain(axes, order);
        fault = reading is null ? $"axes {Describe(axes)}: the tokens do not make a picture{Square(axes, format)}" : null;
        return reading;
    }

    static IEnumerable<string> Orders(int rank, int dimensions, SaidSize said)
    {
        string[][] orders = dimensions == 1 ? Sequences : dimensions == 2 ? Pictures : Videos;
        int most = Math.Min(rank, orders.Length - 1);
        string more = new('B', rank - most);
        return orders[most].Concat(rank == 4 && dimensions > 1 && said.Frames > 1 ? FramesFirst : []).Select(order => more + order);
    }

    static AxisReading? TryRead(ReadOnlySpan<long> axes, string order, LatentFormat format, SaidSize said)
    {
        if (order.Contains('N'))
        {
            return Tokens(axes, order, format, said);
        }

        long channels = axes[order.IndexOf('C')];
        AxisReading? reading = channels == format.StreamChannels || channels == format.PlaneChannels ? Plain(axes, order)
            : channels == 4L * format.StreamChannels && order == "BHWC" ? TokenGrid(axes, order, format)
            : null;
        return reading is { Shape: var shape } && said.Allows(shape.Frames, shape.Height, shape.Width) ? reading : null;
    }

    static AxisReading? Plain(ReadOnlySpan<long> axes, string order)
    {
        List<(long, long)> factors = [];
        long[] sizes = [1, 1, 1, 1, 1];
        long[] strides = Strides(axes);
        for (int target = 0; target < 5; target++)
        {
            for (int axis = 0; axis < order.Length; axis++)
            {
                if (order[axis] == "BCTHW"[target])
                {
                    factors.Add((axes[axis], strides[axis]));
                    sizes[target] *= axes[axis];
                }
            }
        }

        return new(order, new((int)sizes[0], (int)sizes[1], (int)sizes[2], (int)sizes[3], (int)sizes[4]), [.. factors]);
    }

    /// <summary>
    /// Tokens, one row of values each, as transformers have them: a cell with its channels, or 2 x 2 cells with
    /// <c>value = channel * 4 + dy * 2 + dx</c>. The picture is as large as the source says, else square.
    /// </summary>
    static AxisReading? Tokens(ReadOnlySpan<long> axes, string order, LatentFormat format, SaidSize said, string? written = null)
    {
        long[] strides = Strides(axes);
        int n = order.IndexOf('N'), c = order.IndexOf('C');
        long count = axes[n], values = axes[c], token = strides[n], value = strides[c];
        long side = values == format.StreamChannels ? 1 : values == 4L * format.StreamChannels && format.Unpack == 1 && !format.PixelSpace ? 2 : 0;
        if (side == 0)
        {
            return null;
        }

        long frames = said.Frames ?? 1, height, width;
        if (said is { Height: { } h, Width: { } w } && frames * (h / side) * (w / side) == count)
        {
            (height, width) = (h / side, w / side);
        }
        else
        {
            // A row of unpacked tokens is told from a picture's row by its format alone: FLUX.2 packs with its VAE.
            long root = (long)Math.Sqrt(count);
            if (root * root != count || (side == 1 && format.Unpack == 1))
            {
                return null;
            }

            (frames, height, width) = (1, root, root);
        }

        List<(long, long)> factors = [];
        long batch = 1;
        for (int axis = 0; axis < order.Length; axis++)
        {
            if (order[axis] == 'B')
            {
                factors.Add((axes[axis], strides[axis]));
                batch *= axes[axis];
            }
        }

        factors.AddRange([(values / (side * side), side * side * value), (frames, height * width * token), (height, width * token), (side, side * value), (width, token), (side, value)]);
        return new(written ?? order, new((int)batch, (int)(values / (side * side)), (int)frames, (int)(height * side), (int)(width * side)), [.. factors]);
    }

    /// <summary>Tokens of 2 x 2 cells that stand in the rows and columns of their picture.</summary>
    static AxisReading? TokenGrid(ReadOnlySpan<long> axes, string order, LatentFormat format)
    {
        long rows = axes[^3], columns = axes[^2];
        return Tokens([axes[0], rows * columns, axes[^1]], "BNC", format, new(Height: 2 * rows, Width: 2 * columns), order);
    }

    static string? Check(ReadOnlySpan<long> axes)
    {
        if (axes.Length is < 2 or > MaximumRank)
        {
            return $"axes {Describe(axes)}: {axes.Length} of them, expected 2 to {MaximumRank}";
        }

        double length = 1;
        foreach (long axis in axes)
        {
            if (axis is < 1 or > LatentShape.MaximumAxis)
            {
                return $"axes {Describe(axes)}: every axis must be from 1 to {LatentShape.MaximumAxis}, found {axis}";
            }

            length *= axis;
        }

        return length > LatentShape.MaximumLength ? $"axes {Describe(axes)}: {length:0} elements, at most {LatentShape.MaximumLength} are supported" : null;
    }

    static long[] Strides(ReadOnlySpan<long> axes)
    {
        long[] strides = new long[axes.Length];
        long next = 1;
        for (int axis = axes.Length - 1; axis >= 0; axis--)
        {
            strides[axis] = next;
            next *= axes[axis];
        }

        return strides;
    }

    static string Square(ReadOnlySpan<long> axes, LatentFormat format) =>
        axes.Length is 2 or 3 && axes[^1] == 4L * format.StreamChannels ? $"; {axes[^2]} tokens make a picture only where they are a square number or the source says its size" : "";

    static string Example(int rank, int dimensions) => rank switch
    {
        2 => "for example CW",
        3 => dimensions == 1 ? "for example BCW" : "for example CHW or BNC",
        4 => "for example BCHW or CTHW",
        _ => "for example BCTHW",
    };

    static string Shorten(string text) => text.Length <= 16 ? text : $"{text[..16]}...";

    static string Describe(ReadOnlySpan<long> axes) => axes.Length <= 12 ? $"[{string.Join(", ", axes.ToArray())}]" : $"[{string.Join(", ", axes[..12].ToArray())}, ...]";
}
