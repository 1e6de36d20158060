using System.Globalization;
using System.Net;
using System.Text;
using LatentBridge.Scanning.Checks;
using LatentBridge.Scanning.Sources;

namespace LatentBridge.Scanning.Report;

/// <summary>The contact sheet of a scan: the oddest latents with their thumbnails, on one HTML page that loads nothing; <c>page.html</c> is its frame.</summary>
static class ScanPage
{
    /// <summary>Latents shown: with thumbnails of some 20 kB the page stays below 10 MB.</summary>
    internal const int MaximumCards = 400;

    const int ThumbnailSize = 192;

    /// <summary>Writes the page.</summary>
    public static void Write(ScanReport report, ScanSettings settings, string path)
    {
        List<ReportLine> oddest = Oddest(report.Lines());
        Dictionary<ReportLine, string> pictures = Thumbnails(oddest, settings);
        StringBuilder cards = new();
        foreach (ReportLine line in oddest)
        {
            Card(cards, line, pictures.GetValueOrDefault(line));
        }

        using StreamReader frame = new(typeof(ScanPage).Assembly.GetManifestResourceStream("page.html")!);
        File.WriteAllText(path, frame.ReadToEnd()
            .Replace("{{state}}", report.BadCount == 0 ? "good" : "bad", StringComparison.Ordinal)
            .Replace("{{verdict}}", $"{Number(report.Count)} latents, {(report.BadCount == 0 ? "nothing wrong" : $"{Number(report.BadCount)} with something wrong")}", StringComparison.Ordinal)
            .Replace("{{about}}", oddest.Count < report.Count ? $"The {Number(oddest.Count)} oddest are shown, the oddest first." : "The oddest first.", StringComparison.Ordinal)
            .Replace("{{filters}}", Filters(report), StringComparison.Ordinal)
            .Replace("{{cards}}", cards.ToString(), StringComparison.Ordinal));
    }

    /// <summary>The lines of the largest oddness, oddest first; of equal ones the earlier.</summary>
    internal static List<ReportLine> Oddest(IEnumerable<ReportLine> lines)
    {
        PriorityQueue<ReportLine, (double Oddness, long Order)> kept = new();
        long order = 0;
        foreach (ReportLine line in lines)
        {
            kept.Enqueue(line, (line.Oddness, order--));
            if (kept.Count > MaximumCards)
            {
                kept.Dequeue();
            }
        }

        List<ReportLine> oddest = [];
        while (kept.TryDequeue(out ReportLine? line, out _))
        {
            oddest.Add(line);
        }

        oddest.Reverse();
        return oddest;
    }

    /// <summary>Reads the latents once more; those that are not there any more have no thumbnail.</summary>
    static Dictionary<ReportLine, string> Thumbnails(List<ReportLine> lines, ScanSettings settings)
    {
        Dictionary<ReportLine, string> pictures = new(ReferenceEqualityComparer.Instance);
        using ScanWorker worker = new(settings);
        foreach (IGrouping<string, ReportLine> shard in lines.Where(line => line.Format.Length > 0).GroupBy(line => line.File))
        {
            Dictionary<int, ReportLine> wanted = shard.GroupBy(line => line.Item).ToDictionary(group => group.Key, group => group.First());
            try
            {
                foreach (ShardItem item in LatentShards.Read(shard.Key, settings.Request).TakeWhile(_ => wanted.Count > 0))
                {
                    if (wanted.Remove(item.Item, out ReportLine? line) && item.Latent is not null)
                    {
                        pictures[line] = Convert.ToBase64String(worker.Thumbnail(item, ThumbnailSize));
                    }
                }
            }
            catch (Exception failure) when (failure is LatentBridgeException or IOException or UnauthorizedAccessException)
            {
                // It was readable when it was scanned; without a thumbnail the card says enough.
            }
        }

        return pictures;
    }

    static string Filters(ScanReport report)
    {
        StringBuilder filters = new();
        foreach ((LatentFaults fault, string name) in LatentFaultsExtensions.All.Where(one => report.CountOf(one.Fault) > 0))
        {
            Filter(name, name, report.CountOf(fault));
        }

        if (report.UnreadableCount > 0)
        {
            Filter("unreadable", "not readable", report.UnreadableCount);
        }

        return filters.ToString();

        void Filter(string name, string shown, long count) =>
            filters.Append(CultureInfo.InvariantCulture, $"<label><input type=\"checkbox\" value=\"{name}\"><span>{shown} <b>{count:N0}</b></span></label>\n");
    }

    static void Card(StringBuilder page, ReportLine line, string? picture)
    {
        string[] names = line.Error is null ? [.. line.Faults.Names()] : ["unreadable"];
        page.Append(CultureInfo.InvariantCulture, $"<article class=\"{(line.IsGood ? "good" : "bad")}\" data-faults=\"{string.Join(' ', names)}\">");
        page.Append(picture is null ? "<div class=\"none\">no picture</div>" : $"<img loading=\"lazy\" alt=\"\" src=\"data:image/png;base64,{picture}\">");
        page.Append(CultureInfo.InvariantCulture, $"<h2 title=\"{Text(line.File)}\">{Text(Path.GetFileName(line.File))}<span>{(line.Item > 0 || line.Key.Length > 0 ? $"[{line.Item}]" : "")}</span></h2>");
        page.Append("<p class=\"faults\">").AppendJoin("", names.Select(name => $"<b>{name}</b>")).Append("</p>");
        page.Append(CultureInfo.InvariantCulture, $"<p>{Text(line.Error ?? string.Join("; ", line.Details))}</p>");
        if (line.Error is null)
        {
            page.Append(CultureInfo.InvariantCulture, $"<p class=\"soft\">{Text(line.Format)}, {string.Join(" x ", line.Shape)}, spread {Math.Exp(line.LogSpread / 2):0.00}</p>");
        }

        page.AppendLine("</article>");
    }

    static string Number(long number) => number.ToString("N0", CultureInfo.InvariantCulture);

    static string Text(string text) => WebUtility.HtmlEncode(ShownText.Clean(text));
}
