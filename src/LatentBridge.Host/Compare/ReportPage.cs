using System.Globalization;
using System.Net;
using System.Text;
using LatentBridge.Host.Sheets;
using LatentBridge.Imaging.Png;
using LatentBridge.Simd;

namespace LatentBridge.Host.Compare;

/// <summary>The report of <c>compare</c>: one HTML page that loads nothing, pictures included; <c>report.html</c> is its frame.</summary>
static class ReportPage
{
    /// <summary>Comparisons that are shown with pictures, the worst ones: a 1024 x 1024 pair takes some 4 MB.</summary>
    internal const int MaximumPictures = 12;

    /// <summary>Lower ends of the histogram's bars.</summary>
    static readonly int[] Bars = [0, 1, 2, 3, 4, 8, 16, 32, 64, 128, 256];

    /// <summary>Gives up the pictures of all but the worst.</summary>
    internal static void KeepWorst(List<Comparison> comparisons, int count)
    {
        foreach (Comparison comparison in comparisons.Where(comparison => comparison.Pictures is not null).Order(System.Collections.Generic.Comparer<Comparison>.Create(Comparison.ByDifference)).Skip(count))
        {
            comparison.Pictures = null;
        }
    }

    /// <summary>The whole page.</summary>
    /// <param name="comparisons">Worst first.</param>
    /// <param name="tolerance">Levels of 255 that a value may differ by.</param>
    /// <param name="reference">What decoded beside us.</param>
    /// <param name="threads">Threads of each side.</param>
    /// <param name="runs">Decodes of each.</param>
    internal static string Write(IReadOnlyList<Comparison> comparisons, int tolerance, IReference reference, int threads, int runs)
    {
        int beyond = comparisons.Count(comparison => comparison.Difference.Maximum > tolerance);
        string verdict = beyond == 0
            ? $"{Count(comparisons.Count, "comparison")}, none beyond {Count(tolerance, "level")}"
            : $"{beyond} of {Count(comparisons.Count, "comparison")} beyond {Count(tolerance, "level")}";
        StringBuilder rows = new();
        StringBuilder cards = new();
        for (int i = 0; i < comparisons.Count; i++)
        {
            Row(rows, comparisons[i], i, tolerance);
            if (comparisons[i].Pictures is { } pictures)
            {
                Card(cards, comparisons[i], pictures.Ours, pictures.Theirs, reference.Name, i, tolerance);
            }
        }

        using StreamReader reader = new(typeof(ReportPage).Assembly.GetManifestResourceStream("report.html")!);
        return reader.ReadToEnd()
            .Replace("{{state}}", beyond == 0 ? "good" : "bad", StringComparison.Ordinal)
            .Replace("{{verdict}}", verdict, StringComparison.Ordinal)
            .Replace("{{about}}", Text(
                $"LatentBridge {typeof(ReportPage).Assembly.GetName().Version?.ToString(3)}, {Kernel.Name} kernels, {Count(threads, "thread")} each, "
                + $"fastest of {Count(runs, "run")}; {reference.Description}"), StringComparison.Ordinal)
            .Replace("{{reference}}", reference.Name, StringComparison.Ordinal)
            .Replace("{{rows}}", rows.ToString(), StringComparison.Ordinal)
            .Replace("{{cards}}", cards.ToString(), StringComparison.Ordinal);
    }

    static void Row(StringBuilder page, Comparison row, int number, int tolerance)
    {
        PictureDifference difference = row.Difference;
        string name = Text(Path.GetFileName(row.File));
        page.Append(CultureInfo.InvariantCulture, $"<tr class=\"{State(row, tolerance)}\"><td>{(row.Pictures is null ? name : $"<a href=\"#c{number}\">{name}</a>")}</td>");
        page.Append(CultureInfo.InvariantCulture, $"<td>{Text(row.Decoder.Id)}</td><td>{Text(row.Reference)}</td><td>{row.Size}</td>");
        foreach (string value in (string[])
        [
            $"{difference.Maximum}", $"{difference.Percentile999}", Number(difference.Mean, "0.00000"), Number(difference.Psnr, "0.0"),
            Number(difference.Ssim, "0.00000"), Number(difference.ColourMean, "0.0000"), Number(row.Ours.Milliseconds, "0.00"), Number(row.Theirs.Milliseconds, "0.00"),
            Number(row.Ours.MemoryBytes / 1e6, "0.0"), Number(row.Theirs.MemoryBytes / 1e6, "0.0"),
        ])
        {
            page.Append(CultureInfo.InvariantCulture, $"<td class=\"n\">{value}</td>");
        }

        page.AppendLine("</tr>");
    }

    static void Card(StringBuilder page, Comparison row, Picture ours, Picture theirs, string reference, int number, int tolerance)
    {
        PictureDifference difference = row.Difference;
        string ratio = row.Ours.Milliseconds > 0 ? Number(row.Theirs.Milliseconds / row.Ours.Milliseconds, "0.0") : "-";
        page.Append(CultureInfo.InvariantCulture, $"""
            <article id="c{number}" class="{State(row, tolerance)}">
            <h2>{Text(Path.GetFileName(row.File))} <span>{Text(row.Decoder.Id)}</span></h2>
            <p class="facts">{Text(row.Decoder.Source)}, {Text(row.FormatId)}, {row.Size}. Largest difference <b>{Count(difference.Maximum, "level")}</b> of 255, mean {Number(difference.Mean, "0.00000")}.
            {reference} takes <b>{ratio}</b> times as long.</p>
            <div class="pair">
            <figure><div class="slider" style="--cut:50%;aspect-ratio:{ours.Width}/{ours.Height}"><img src="{Source(theirs)}" alt="Decoded by {reference}"><img class="over" src="{Source(ours)}" alt="Decoded by C#">
            <b class="left">C#</b><b class="right">{reference}, {Text(row.Reference)}</b><input type="range" min="0" max="100" value="50" step="0.1" aria-label="How much of the C# picture to show"></div></figure>
            <figure>
            """);
        page.AppendLine(difference.Maximum == 0
            ? $"<div class=\"none\" style=\"aspect-ratio:{ours.Width}/{ours.Height}\">No value differs.</div></figure></div>"
            : $"<div class=\"map\" style=\"aspect-ratio:{ours.Width}/{ours.Height}\"><img src=\"{Source(difference.HeatMap(ours, theirs))}\" alt=\"Where they differ\"></div>"
              + $"<figcaption><span>0</span><i></i><span>{Count(difference.Maximum, "level")}</span><em>difference, amplified {Number(255.0 / difference.Maximum, "0.#")} times</em></figcaption></figure></div>");
        Histogram(page, difference.Histogram, difference.Maximum);
        page.AppendLine("</article>");
    }

    // Lengths are logarithmic, from one value to all: what is rare is what matters here.
    static void Histogram(StringBuilder page, long[] histogram, int maximum)
    {
        long all = histogram.Sum();
        page.Append("<table class=\"histogram\"><caption>Values by their difference (lengths are logarithmic)</caption>");
        for (int i = 0; i + 1 < Bars.Length && Bars[i] <= Math.Max(maximum, 1); i++)
        {
            (int from, int to) = (Bars[i], Bars[i + 1] - 1);
            long count = histogram.AsSpan(from, to - from + 1).ToArray().Sum();
            double share = count == 0 ? 0 : Math.Log(count + 1.0) / Math.Log(all + 1.0) * 100;
            string name = from == to ? $"{from}" : $"{from} to {to}";
            page.Append(CultureInfo.InvariantCulture, $"<tr><th>{name}</th><td class=\"bar\"><i style=\"width:{Number(share, "0.#")}%\"></i></td>");
            page.Append(CultureInfo.InvariantCulture, $"<td class=\"n\">{count:N0}</td><td class=\"n\">{Number(100.0 * count / all, "0.0000")} %</td></tr>");
        }

        page.AppendLine("</table>");
    }

    static string Source(Picture picture)
    {
        byte[] png = new byte[PngEncoder.MaximumLength(picture.Width, picture.Height, 3)];
        int length = new PngEncoder().Encode(picture.Pixels, picture.Width, picture.Height, 3, png);
        return $"data:image/png;base64,{Convert.ToBase64String(png, 0, length)}";
    }

    static string State(Comparison row, int tolerance) => row.Difference.Maximum > tolerance ? "bad" : "good";

    static string Count(int number, string what) => $"{number} {what}{(number == 1 ? "" : "s")}";

    static string Text(string text) => WebUtility.HtmlEncode(text);

    static string Number(double? value, string format) => Commands.CompareCommand.Number(value, format);
}
