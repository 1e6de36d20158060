namespace LatentBridge.Host.Sheets;

/// <summary>Pictures in rows, each with a caption below, a title above and a note at the foot.</summary>
static class ContactSheet
{
    const int Margin = 20;
    const int Gap = 12;
    const int TitleScale = 3;
    const int CaptionScale = 2;

    const int TitleHeight = (PixelFont.Height * TitleScale) + Gap;
    const int LineHeight = (PixelFont.Height * CaptionScale) + 4;
    const int CaptionHeight = 6 + (PixelFont.Height * CaptionScale);

    /// <summary>Composes a sheet; the pictures are of one size.</summary>
    /// <param name="title">One line in large letters.</param>
    /// <param name="note">A sentence in small letters, broken into lines as needed; or nothing.</param>
    /// <param name="panels">Each picture with its caption; a caption longer than its picture is wide is cut.</param>
    /// <param name="columns">Pictures in a row.</param>
    internal static Picture Compose(string title, string note, IReadOnlyList<(Picture Picture, string Caption)> panels, int columns)
    {
        columns = Math.Min(columns, panels.Count);
        int rows = (panels.Count + columns - 1) / columns;
        int stepX = panels.Max(panel => panel.Picture.Width) + Gap;
        int stepY = panels.Max(panel => panel.Picture.Height) + CaptionHeight + Gap;
        int inside = Math.Max((columns * stepX) - Gap, PixelFont.Measure(title) * TitleScale);
        string[] lines = [.. Wrap(note, inside)];
        int notesTop = Margin + TitleHeight + (rows * stepY);

        Canvas canvas = new(inside + (2 * Margin), notesTop + (lines.Length * LineHeight) - (lines.Length > 0 ? 0 : Gap) + Margin);
        canvas.Write(title, Margin, Margin, TitleScale, Canvas.Ink);
        for (int i = 0; i < panels.Count; i++)
        {
            (Picture picture, string caption) = panels[i];
            int left = Margin + (i % columns * stepX);
            int top = Margin + TitleHeight + (i / columns * stepY);
            canvas.Draw(picture, left, top);
            canvas.Write(Fit(caption, picture.Width), left, top + picture.Height + 6, CaptionScale, Canvas.PaleInk);
        }

        for (int i = 0; i < lines.Length; i++)
        {
            canvas.Write(lines[i], Margin, notesTop + (i * LineHeight), CaptionScale, Canvas.PaleInk);
        }

        return canvas.ToPicture();
    }

    static IEnumerable<string> Wrap(string text, int width)
    {
        string line = "";
        foreach (string word in text.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            string longer = line.Length == 0 ? word : $"{line} {word}";
            if (line.Length > 0 && PixelFont.Measure(longer) * CaptionScale > width)
            {
                yield return line;
                longer = word;
            }

            line = longer;
        }

        if (line.Length > 0)
        {
            yield return line;
        }
    }

    static string Fit(string caption, int width)
    {
        while (caption.Length > 0 && PixelFont.Measure(caption) * CaptionScale > width)
        {
            caption = caption[..^1];
        }

        return caption;
    }
}
