namespace LatentBridge.Host.Output;

/// <summary>Rows under headers, shown by <see cref="Terminal.Write"/>. A header that ends in <c>&gt;</c> aligns its column to the right.</summary>
sealed class TextTable(params string[] headers)
{
    readonly List<string[]> _rows = [];

    /// <summary>The headers, without their mark.</summary>
    internal IReadOnlyList<string> Headers { get; } = [.. headers.Select(header => header.TrimEnd('>'))];

    internal IReadOnlyList<string[]> Rows => _rows;

    internal bool IsRightAligned(int column) => headers[column].EndsWith('>');

    /// <summary>Adds a row of as many cells as there are headers.</summary>
    internal void Add(params string[] cells) => _rows.Add(cells);

    /// <summary>The table as lines of plain text, columns two spaces apart.</summary>
    internal IEnumerable<string> ToLines()
    {
        int[] widths = [.. Headers.Select((header, column) => _rows.Select(row => row[column].Length).Append(header.Length).Max())];
        return _rows.Prepend([.. Headers]).Select(row => string.Join("  ", row.Select((cell, column) =>
            IsRightAligned(column) ? cell.PadLeft(widths[column]) : cell.PadRight(widths[column]))).TrimEnd());
    }

    /// <summary>The table as lines of Markdown.</summary>
    internal IEnumerable<string> ToMarkdown() =>
    [
        $"| {string.Join(" | ", Headers)} |",
        $"| {string.Join(" | ", Headers.Select((_, column) => IsRightAligned(column) ? "---:" : "---"))} |",
        .. _rows.Select(row => $"| {string.Join(" | ", row)} |"),
    ];
}
