namespace LatentBridge.Host.Sheets;

/// <summary>Pictures in rows, each with a caption below, a title above and a note at the foot.</summary>
static class ContactSheet
{
    const int Margin = 20;
    const int Gap = 12;
    const int TitleScale = 3;
    const int CaptionScale = 2;

    const int TitleHeight = (PixelFont.Height * TitleScale) + Gap;
    const int CaptionHeight = 6 + (PixelFont.Height * CaptionScale);

    /// <summary>Composes a sheet; the pictures are of one size.</summary>
    /// <param name="title">One line in large letters.</param>
    /// <param name="note">One line in small letters, or nothing.</param>
    /// <param name="panels">Each picture with its caption; a caption longer than its picture is wide is cut.</param>
    /// <param name="columns">Pictures in a row.</param>
    internal static Picture Compose(string title, string note, IReadOnlyList<(Picture Picture, string Caption)> panels, int columns)
    {
        columns = Math.Min(columns, panels.Count);
        int rows = (panels.Count + columns - 1) / columns;
        int stepX = panels.Max(panel => panel.Picture.Width) + Gap;
        int stepY = panels.Max(panel => panel.Picture.Height) + CaptionHeight + Gap;
        int noteHeight = note.Length > 0 ? PixelFont.Height * CaptionScale : 0;
        int width = Math.Max(
            columns * stepX - Gap,
            Math.Max(PixelFont.Measure(title) * TitleScale, PixelFont.Measure(note) * CaptionScale)) + (2 * Margin);

        Canvas canvas = new(width, (2 * Margin) + TitleHeight + (rows * stepY) - Gap + (noteHeight > 0 ? Gap + noteHeight : 0));
        canvas.Write(title, Margin, Margin, TitleScale, Canvas.Ink);
        for (int i = 0; i < panels.Count; i++)
        {
            (Picture picture, string caption) = panels[i];
            int left = Margin + (i % columns * stepX);
            int top = Margin + TitleHeight + (i / columns * stepY);
            canvas.Draw(picture, left, top);
            canvas.Write(Fit(caption, picture.Width), left, top + picture.Height + 6, CaptionScale, Canvas.PaleInk);
        }

        canvas.Write(note, Margin, canvas.Height - Margin - noteHeight, CaptionScale, Canvas.PaleInk);
        return canvas.ToPicture();
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
