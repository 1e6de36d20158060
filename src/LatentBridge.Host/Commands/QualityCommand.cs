using System.CommandLine;
using System.Globalization;
using LatentBridge.Formats;
using LatentBridge.Host.Output;
using LatentBridge.Host.Quality;
using LatentBridge.Host.Sheets;
using LatentBridge.Weights;

namespace LatentBridge.Host.Commands;

/// <summary><c>latentbridge quality PICTURE...</c>: how near every decoder's pictures are to the full TAESD decode.</summary>
sealed class QualityCommand
{
    /// <summary>A picture must be large enough for SSIM's window at an eighth of its side.</summary>
    const int SmallestSide = 8 * 16;

    /// <summary>The formats that have a TAESD.</summary>
    static readonly string[] Families = ["SD15", "SDXL", "SD3", "Flux", "Flux2"];

    readonly Terminal _terminal;
    readonly Argument<string[]> _pictures =
        new Argument<string[]>("PICTURE") { Description = "PNG pictures, or folders of them.", Arity = ArgumentArity.OneOrMore }.WithoutOptions();
    readonly Option<string[]> _formats = new Option<string[]>("--format", "-f") { Description = "Latent formats; else those that have a TAESD.", HelpName = "ID", DefaultValueFactory = _ => Families, AllowMultipleArgumentsPerToken = true }.OfLatentFormats();
    readonly Option<string[]> _decoders = new("--decoder", "-d") { Description = "Only these decoders; else all there are.", HelpName = "ID", DefaultValueFactory = _ => [], AllowMultipleArgumentsPerToken = true };
    readonly Option<string[]> _models = new("--models") { Description = "Further folders of weights.", HelpName = "DIR", DefaultValueFactory = _ => [] };
    readonly Option<int> _threads = new Option<int>("--threads") { Description = "Threads a decode may use; 0: all cores.", HelpName = "N" }.Within(0, 256);
    readonly Option<string?> _sheet = new("--sheet") { Description = "Also writes a picture: the middle of each photograph by several decoders, side by side.", HelpName = "FILE" };
    readonly Option<string[]> _show = new("--show")
    {
        Description = "Decoders in the sheet, worst first.",
        HelpName = "ID",
        DefaultValueFactory = _ => ["latent2rgb:comfyui", "latent2rgb", "tiny", "taesd"],
        AllowMultipleArgumentsPerToken = true,
    };

    readonly Option<int> _crop = new Option<int>("--crop") { Description = "Side in pixels of the middle that the sheet shows.", HelpName = "N", DefaultValueFactory = _ => 256 }.Within(32, 2048);
    readonly Option<bool> _markdown = new("--markdown") { Description = "The table as Markdown." };
    readonly Option<bool> _json;

    QualityCommand(Terminal terminal, Command command)
    {
        _terminal = terminal;
        command.Add(_pictures);
        foreach (Option option in new Option[] { _formats, _decoders, _models, _threads, _sheet, _show, _crop, _markdown })
        {
            command.Add(option);
        }

        _json = command.Json();
        command.SetAction(Run);
    }

    internal static Command Create(Terminal terminal)
    {
        Command command = new("quality", "How near every decoder's pictures are to the full TAESD decode: PSNR, SSIM, CIEDE2000.");
        _ = new QualityCommand(terminal, command);
        return command;
    }

    int Run(ParseResult parsed)
    {
        string[] files = [.. parsed.GetValue(_pictures)!.SelectMany(PictureFiles.Find)];
        LatentFormat[] formats = [.. parsed.GetValue(_formats)!.Select(LatentFormats.Get)];
        int threads = parsed.GetValue(_threads) is > 0 and var given ? given : Environment.ProcessorCount;
        WeightLibrary weights = WeightLibrary.OfThisMachine(parsed.GetValue(_models));
        var rows = new List<QualityRow>();
        QualitySheet? sheet = parsed.GetValue(_sheet) is null ? null : new(parsed.GetValue(_crop), parsed.GetValue(_show)!);
        foreach (LatentFormat format in formats)
        {
            (QualityMeasurement? opened, string? missing) = QualityMeasurement.Open(format, weights, parsed.GetValue(_decoders)!, threads, sheet);
            if (opened is null)
            {
                _terminal.Note(missing!);
                continue;
            }

            using QualityMeasurement measurement = opened;
            _terminal.ForEach(files, file => $"{format.Id} {Path.GetFileName(file)}", file => measurement.Add(Path.GetFileName(file), PictureFiles.Read(file, SmallestSide)));
            rows.AddRange(measurement.Rows());
        }

        if (rows.Count == 0)
        {
            throw new InputException($"There is nothing to compare with: put TAESD's decoders and encoders into a folder and name it by --models or {WeightLibrary.FoldersVariable}.");
        }

        if (sheet is not null)
        {
            File.WriteAllBytes(parsed.GetValue(_sheet)!, Canvas.ToPng(sheet.Compose()));
        }

        if (parsed.GetValue(_json))
        {
            WriteJson(rows);
        }
        else
        {
            Write(rows, parsed.GetValue(_markdown));
        }

        return ExitCode.Done;
    }

    void Write(List<QualityRow> rows, bool markdown)
    {
        TextTable table = new("format", "decoder", "numbers from", "multiply-adds a cell>", "ms a core>", "memory KB>", "side>", "PSNR dB>", "SSIM>", "CIEDE2000 mean>", "95 %>");
        foreach (QualityRow row in rows)
        {
            table.Add(
                row.Format, row.Decoder, row.Source, row.MultiplyAddsPerCell.ToString("N0", CultureInfo.InvariantCulture),
                Number(row.Cost.Milliseconds, row.Cost.Milliseconds < 0.1 ? "0.000" : row.Cost.Milliseconds < 10 ? "0.00" : "0"), Number(row.Cost.Bytes / 1024.0, "N0"), $"1/{row.Divisor}",
                double.IsFinite(row.Psnr) ? Number(row.Psnr, "0.00") : "reference", Number(row.Ssim, "0.0000"), Number(row.Difference, "0.00"), Number(row.Difference95, "0.00"));
        }

        if (markdown)
        {
            foreach (string line in table.ToMarkdown())
            {
                _terminal.Say(line);
            }

            return;
        }

        _terminal.Write(table);
        _terminal.Say($"Means over {rows[0].Pictures} pictures, against the full TAESD decode of each format reduced by area to the same side. Milliseconds and memory are those of 128 x 128 cells on one thread.");
    }

    void WriteJson(List<QualityRow> rows) => _terminal.WriteJson(writer =>
    {
        writer.WriteStartArray();
        foreach (QualityRow row in rows)
        {
            writer.WriteStartObject();
            foreach ((string name, object? value) in ((string, object?)[])
            [
                ("format", row.Format), ("decoder", row.Decoder), ("source", row.Source), ("multiplyAddsPerCell", row.MultiplyAddsPerCell),
                ("milliseconds", Math.Round(row.Cost.Milliseconds, 4)), ("memoryBytes", row.Cost.Bytes), ("divisor", row.Divisor), ("pictures", row.Pictures),
                ("psnr", double.IsFinite(row.Psnr) ? Math.Round(row.Psnr, 3) : null), ("ssim", Math.Round(row.Ssim, 5)),
                ("ciede2000", Math.Round(row.Difference, 3)), ("ciede2000Percentile95", Math.Round(row.Difference95, 3)),
            ])
            {
                writer.WritePropertyName(name);
                writer.WriteValue(value);
            }

            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    });

    static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
