using System.Globalization;
using LatentBridge.Host.Output;
using LatentBridge.Scanning;
using LatentBridge.Scanning.Checks;
using LatentBridge.Scanning.Report;
using LatentBridge.Scanning.Sources;

namespace LatentBridge.Host.Bench;

/// <summary><c>bench planted</c>: a made-up data set of which one latent in a hundred has each fault, and what a scan says of it.</summary>
static class PlantedBench
{
    /// <summary>What was planted and found of one fault.</summary>
    /// <param name="Name">The fault.</param>
    /// <param name="Planted">Latents with it.</param>
    /// <param name="Found">Of these, those that the scan named so.</param>
    /// <param name="Named">All that the scan named so.</param>
    internal sealed record Row(string Name, int Planted, int Found, int Named)
    {
        internal double Recall => Planted == 0 ? 1 : (double)Found / Planted;

        internal double Precision => Named == 0 ? 1 : (double)Found / Named;
    }

    /// <summary>Measures and returns the table.</summary>
    internal static TextTable Run(int count)
    {
        TextTable table = new("fault", "planted>", "found>", "named>", "recall>", "precision>");
        foreach (Row row in Measure(count, 1))
        {
            table.Add(row.Name, Text(row.Planted), Text(row.Found), Text(row.Named), Text(row.Recall), Text(row.Precision));
        }

        return table;

        static string Text(double value) => value.ToString("0.####", CultureInfo.InvariantCulture);
    }

    /// <summary>Makes a set of so many latents, each fault in so many of a hundred, and scans it.</summary>
    internal static IReadOnlyList<Row> Measure(int count, int percent)
    {
        using TemporaryFolder folder = new();
        (string latents, string pictures) = (Path.Combine(folder.Path, "latents"), Path.Combine(folder.Path, "pictures"));
        Dictionary<string, LatentFaults> planted = PlantedSet.Write(latents, pictures, count, percent);
        ScanSettings settings = new()
        {
            Threads = Environment.ProcessorCount,
            Images = pictures,
            ReadPicture = file =>
            {
                var image = Commands.PictureFiles.ReadImage(file);
                return (image.ToRgb(), image.Width, image.Height);
            },
        };
        List<(LatentFaults Planted, LatentFaults Named)> pairs = [];
        using ScanReport report = ScanReport.Temporary();
        new DatasetScan(settings, report).Run(
            LatentShards.Find(latents), line => pairs.Add((planted[Path.GetFileName(line.File)], line.Faults)), static _ => { }, CancellationToken.None);
        return [.. LatentFaultsExtensions.All.Select(one => new Row(
            one.Name,
            pairs.Count(pair => pair.Planted == one.Fault),
            pairs.Count(pair => pair.Planted == one.Fault && pair.Named.HasFlag(one.Fault)),
            pairs.Count(pair => pair.Named.HasFlag(one.Fault))))];
    }
}
