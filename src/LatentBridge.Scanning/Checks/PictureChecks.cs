namespace LatentBridge.Scanning.Checks;

/// <summary>Black, white, and black bars, told from the decoded picture's brightness.</summary>
static class PictureChecks
{
    // The mean and all but one pixel in 200 must be beyond: fine for decoders that are off by a few levels.
    const int Dark = 16;
    const int Bright = 235;
    const int PlainShare = 200;

    // A bar's pixels; what lies between the bars begins at most two rows behind their edge.
    const int BarMean = 16;
    const int BarMaximum = 44;
    const int ContentMean = 28;
    const int EdgeRows = 2;

    /// <summary>Whether the whole picture is black.</summary>
    public static bool IsBlack(Luminance picture) => Outside(picture, Dark, above: true) * PlainShare <= picture.Values.Length;

    /// <summary>Whether the whole picture is white.</summary>
    public static bool IsWhite(Luminance picture) => Outside(picture, Bright, above: false) * PlainShare <= picture.Values.Length;

    /// <summary>Bars at top and bottom, or left and right, as <c>8 of 64 rows above, 8 below</c>; null when there are none.</summary>
    public static string? Bars(Luminance picture)
    {
        Span<int> sums = new int[Math.Max(picture.Width, picture.Height)], maxima = new int[sums.Length];
        for (int y = 0; y < picture.Height; y++)
        {
            foreach (byte value in picture.Row(y))
            {
                sums[y] += value;
                maxima[y] = Math.Max(maxima[y], value);
            }
        }

        if (Find(sums[..picture.Height], maxima, picture.Width) is var (above, below))
        {
            return $"{above} of {picture.Height} rows above, {below} below";
        }

        sums.Clear();
        maxima.Clear();
        for (int y = 0; y < picture.Height; y++)
        {
            ReadOnlySpan<byte> row = picture.Row(y);
            for (int x = 0; x < row.Length; x++)
            {
                sums[x] += row[x];
                maxima[x] = Math.Max(maxima[x], row[x]);
            }
        }

        return Find(sums[..picture.Width], maxima, picture.Height) is var (left, right) ? $"{left} of {picture.Width} columns at the left, {right} at the right" : null;
    }

    /// <summary>Bars at both ends of about the same size, with an edge.</summary>
    /// <param name="sums">Of each line of pixels.</param>
    /// <param name="maxima">Of each line.</param>
    /// <param name="length">Pixels of a line.</param>
    static (int First, int Last)? Find(ReadOnlySpan<int> sums, ReadOnlySpan<int> maxima, int length)
    {
        int count = sums.Length, first = 0, last = 0;
        while (first < count && IsBar(sums[first], maxima[first], length))
        {
            first++;
        }

        while (last < count - first && IsBar(sums[count - 1 - last], maxima[count - 1 - last], length))
        {
            last++;
        }

        int least = Math.Max(2, count * 3 / 100);
        bool alike = Math.Abs(first - last) <= Math.Max(2, Math.Max(first, last) / 4);
        return first >= least && last >= least && alike && first + last <= count - (2 * EdgeRows)
            && HasEdge(sums[first], sums[Math.Min(first + EdgeRows, count - 1)], length)
            && HasEdge(sums[count - 1 - last], sums[Math.Max(count - 1 - last - EdgeRows, 0)], length)
            ? (first, last)
            : null;
    }

    static bool IsBar(int sum, int maximum, int length) => sum < BarMean * length && maximum < BarMaximum;

    static bool HasEdge(int sum, int further, int length) => Math.Max(sum, further) > ContentMean * length;

    static int Outside(Luminance picture, int limit, bool above)
    {
        int count = 0;
        foreach (byte value in picture.Values)
        {
            count += (above ? value > limit : value < limit) ? 1 : 0;
        }

        return count;
    }
}
