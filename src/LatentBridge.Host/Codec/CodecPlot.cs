using System.Globalization;
using System.Net;
using System.Text;

namespace LatentBridge.Host.Codec;

/// <summary>Draws bits per pixel against PSNR as an SVG picture: a line for each latent format, one for each peer.</summary>
static class CodecPlot
{
    const int Width = 820;
    const int Height = 480;
    const int Left = 60;
    const int Right = 110;
    const int Top = 54;
    const int Bottom = 52;

    /// <summary>Lines' colours, which are told apart by colour-blind eyes too (Okabe and Ito).</summary>
    static readonly string[] Colours = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#555555"];

    static readonly double[] Ticks = [0.05, 0.1, 0.2, 0.5, 1, 2, 5];

    /// <summary>The SVG file.</summary>
    /// <param name="rows">All rows of one or more formats.</param>
    /// <param name="pictures">How many pictures the means are over.</param>
    internal static string Draw(IReadOnlyList<CodecRow> rows, int pictures)
    {
        List<(string Name, (double X, double Y)[] Points)> lines =
        [
            .. rows.GroupBy(row => row.Format).Select(group => ($"{group.Key} latent", group.Select(row => Point(row.Latent)).ToArray())),
            .. PicturePeers.Kinds.Select(kind => (kind == "jpeg" ? "JPEG" : "WebP", rows.Select(row => row.Peers.GetValueOrDefault(kind)).OfType<CodecPoint>().Select(Point).Order().ToArray())),
        ];
        lines.RemoveAll(line => line.Points.Length == 0);
        (double X, double Y)[] all = [.. lines.SelectMany(line => line.Points)];
        (double lowX, double highX) = (Math.Log10(all.Min(p => p.X) / 1.15), Math.Log10(all.Max(p => p.X) * 1.15));
        (double lowY, double highY) = (Math.Floor(all.Min(p => p.Y) / 2) * 2, Math.Ceiling(all.Max(p => p.Y) / 2) * 2);
        string X(double value) => Number(Left + ((Math.Log10(value) - lowX) / (highX - lowX) * (Width - Left - Right)));
        string Y(double value) => Number(Height - Bottom - ((value - lowY) / (highY - lowY) * (Height - Top - Bottom)));

        StringBuilder svg = new();
        svg.AppendLine(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Width} {Height}\" width=\"{Width}\" height=\"{Height}\" font-family=\"system-ui, sans-serif\" font-size=\"13\">");
        svg.AppendLine("<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>");
        Text(svg, Left.ToString(CultureInfo.InvariantCulture), "26", "Photographs stored as quantised latents, and as JPEG and WebP with as many bytes", "start", "#222222", 15);
        Text(svg, Left.ToString(CultureInfo.InvariantCulture), "44", $"PSNR in dB against the photograph, over bits per pixel; means over {pictures} pictures", "start", "#666666", 12);
        foreach (double tick in Ticks.Where(tick => Math.Log10(tick) >= lowX && Math.Log10(tick) <= highX))
        {
            Line(svg, X(tick), Y(lowY), X(tick), Y(highY), "#e6e6e6");
            Text(svg, X(tick), Number(Height - Bottom + 18), tick.ToString(CultureInfo.InvariantCulture), "middle", "#444444");
        }

        for (double tick = lowY; tick <= highY; tick += 2)
        {
            Line(svg, X(Math.Pow(10, lowX)), Y(tick), X(Math.Pow(10, highX)), Y(tick), "#e6e6e6");
            Text(svg, Number(Left - 8), Number(double.Parse(Y(tick), CultureInfo.InvariantCulture) + 4), tick.ToString(CultureInfo.InvariantCulture), "end", "#444444");
        }

        Text(svg, Number((Left + Width - Right) / 2.0), Number(Height - 10), "bits per pixel", "middle", "#444444");
        for (int i = 0; i < lines.Count; i++)
        {
            (string name, (double X, double Y)[] points) = lines[i];
            string colour = Colours[i % Colours.Length];
            svg.AppendLine(CultureInfo.InvariantCulture, $"<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{string.Join(' ', points.Select(p => $"{X(p.X)},{Y(p.Y)}"))}\"/>");
            foreach ((double x, double y) in points)
            {
                svg.AppendLine(CultureInfo.InvariantCulture, $"<circle cx=\"{X(x)}\" cy=\"{Y(y)}\" r=\"3\" fill=\"{colour}\"/>");
            }

            // The name stands where the line ends.
            Text(svg, Number(double.Parse(X(points[^1].X), CultureInfo.InvariantCulture) + 8), Number(double.Parse(Y(points[^1].Y), CultureInfo.InvariantCulture) + 4), name, "start", colour);
        }

        return svg.AppendLine("</svg>").ToString();
    }

    static (double X, double Y) Point(CodecPoint point) => (point.BitsPerPixel, point.Psnr);

    static void Line(StringBuilder svg, string x1, string y1, string x2, string y2, string colour) =>
        svg.AppendLine(CultureInfo.InvariantCulture, $"<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" stroke=\"{colour}\"/>");

    static void Text(StringBuilder svg, string x, string y, string text, string anchor, string colour, int size = 13) =>
        svg.AppendLine(CultureInfo.InvariantCulture, $"<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\" fill=\"{colour}\" font-size=\"{size}\">{WebUtility.HtmlEncode(text)}</text>");

    static string Number(double value) => value.ToString("0.0", CultureInfo.InvariantCulture);
}
