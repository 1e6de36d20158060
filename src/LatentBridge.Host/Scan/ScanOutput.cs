using System.Buffers;
using System.Globalization;
using System.Text;
using LatentBridge.Host.Output;
using LatentBridge.Scanning.Checks;
using LatentBridge.Scanning.Report;

namespace LatentBridge.Host.Scan;

/// <summary>What <c>scan</c> prints: with <c>--json</c> and <c>--csv</c> a line for each latent, else one for each that has something wrong, and a summary.</summary>
sealed class ScanOutput
{
    readonly Terminal _terminal;
    readonly bool _json;
    readonly bool _csv;
    readonly ArrayBufferWriter<byte> _line = new();

    internal ScanOutput(Terminal terminal, bool json, bool csv)
    {
        (_terminal, _json, _csv) = (terminal, json, csv);
        if (csv)
        {
            terminal.WriteLine("file,item,key,faults,details,error,format,space,shape,oddness");
        }
    }

    /// <summary>Prints a latent.</summary>
    internal void Write(ReportLine line)
    {
        if (_json)
        {
            _line.ResetWrittenCount();
            line.Write(_line);
            _terminal.WriteLine(Encoding.UTF8.GetString(_line.WrittenSpan));
        }

        if (_csv)
        {
            _terminal.WriteLine(string.Join(',', ((string[])
            [
                line.File, line.Item.ToString(CultureInfo.InvariantCulture), line.Key, string.Join(' ', line.Faults.Names()), string.Join("; ", line.Details), line.Error ?? "",
                line.Format, line.Space, string.Join('x', line.Shape), line.Oddness.ToString("0.###", CultureInfo.InvariantCulture),
            ]).Select(Quote)));
        }

        if (!_json && !_csv && !line.IsGood)
        {
            string what = line.Error ?? string.Join(", ", line.Faults.Names()) + (line.Details.Count > 0 ? $" ({string.Join("; ", line.Details)})" : "");
            _terminal.Say($"{line}: {what}");
        }
    }

    /// <summary>Prints how many latents there are and how many have each fault.</summary>
    internal void WriteSummary(ScanReport report, string? folder)
    {
        string verdict = $"{Count(report.Count, "latent")}, {(report.BadCount == 0 ? "nothing wrong" : $"{report.BadCount} with something wrong")}";
        if (_json || _csv)
        {
            _terminal.Note(verdict);
            return;
        }

        TextTable table = new("fault", "latents>");
        foreach ((LatentFaults fault, string name) in LatentFaultsExtensions.All.Where(one => report.CountOf(one.Fault) > 0))
        {
            table.Add(name, report.CountOf(fault).ToString("N0", CultureInfo.InvariantCulture));
        }

        if (report.UnreadableCount > 0)
        {
            table.Add("not readable", report.UnreadableCount.ToString("N0", CultureInfo.InvariantCulture));
        }

        if (table.Rows.Count > 0)
        {
            _terminal.Write(table);
        }

        _terminal.Say(folder is null ? verdict : $"{verdict}. The report is in {folder}.");
    }

    static string Count(long number, string what) => string.Create(CultureInfo.InvariantCulture, $"{number:N0} {what}{(number == 1 ? "" : "s")}");

    static string Quote(string value) => value.AsSpan().ContainsAny("\",\r\n") ? $"\"{value.Replace("\"", "\"\"", StringComparison.Ordinal)}\"" : value;
}
