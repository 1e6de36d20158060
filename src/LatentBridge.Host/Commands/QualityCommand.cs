using System.CommandLine;
using System.Globalization;
using LatentBridge.Host.Output;
using LatentBridge.Host.Photographs;
using LatentBridge.Host.Quality;
using LatentBridge.Host.Sheets;
using LatentBridge.Weights;
using Newtonsoft.Json;

namespace LatentBridge.Host.Commands;

/// <summary><c>latentbridge quality PICTURE...</c>: how near every decoder's pictures are to the full TAESD decode.</summary>
sealed class QualityCommand
{
    /// <summary>A picture must be large enough for SSIM's window at an eighth of its side.</summary>
    const int SmallestSide = 8 * 16;

    /// <summary>The formats that have a TAESD.</summary>
    static readonly string[] Families = ["SD15", "SDXL", "SD3", "Flux", "Flux2"];

    readonly Terminal _terminal;
    readonly PhotographOptions _photographs;
    readonly Option<string[]> _decoders = OptionExtensions.Decoders("all that are available");
    readonly Option<string?> _sheet = new("--sheet") { Description = "Also write a picture: the middle of each photograph, by several decoders side by side.", HelpName = "FILE" };
    readonly Option<string[]> _show = new("--show")
    {
        Description = "Decoders on the sheet, worst first.",
        HelpName = "ID",
        DefaultValueFactory = _ => ["latent2rgb:comfyui", "latent2rgb", "tiny", "taesd"],
        AllowMultipleArgumentsPerToken = true,
    };

    readonly Option<int> _crop = new Option<int>("--crop") { Description = "Side of the part that the sheet shows, in pixels.", HelpName = "N", DefaultValueFactory = _ => 256 }.Within(32, 2048);

    readonly Option<bool> _withoutCost = new("--without-cost") { Description = "Leave out the time and memory of a decode; measuring them takes a second or more per decoder." };

    QualityCommand(Terminal terminal, Command command)
    {
        _terminal = terminal;
        _photographs = new(command, Families, SmallestSide);
        command.Add(_decoders, _sheet, _show, _crop, _withoutCost);
        command.SetAction(Run);
    }

    internal static Command Create(Terminal terminal)
    {
        Command command = new("quality", "Measure how close each decoder's pictures are to the full TAESD decode: PSNR, SSIM, CIEDE2000.");
        _ = new QualityCommand(terminal, command);
        return command;
    }

    int Run(ParseResult parsed)
    {
        string[] files = _photographs.Files(parsed);
        List<QualityRow> rows = [];
        QualitySheet? sheet = parsed.GetValue(_sheet) is null ? null : new(parsed.GetValue(_crop), parsed.GetValue(_show)!);
        foreach (TaesdPair taesd in _photographs.Formats(parsed))
        {
            if (taesd.Missing is { } missing)
            {
                _terminal.Note($"{taesd.Format.Id}: left out, because no TAESD {missing} for it was found among the weights.");
                continue;
            }

            using QualityMeasurement measurement = new(taesd, parsed.Named(_decoders), _photographs.Threads(parsed), sheet);
            _terminal.ForEach(files, file => $"{taesd.Format.Id} {Path.GetFileName(file)}", file => measurement.Add(Path.GetFileName(file), _photographs.Read(file)));
            rows.AddRange(_terminal.While($"{taesd.Format.Id}: what each decoder costs", () => measurement.Rows(withCost: !parsed.GetValue(_withoutCost)).ToArray()));
        }

        if (rows.Count == 0)
        {
            throw new InputException($"There is nothing to compare with. Put TAESD's decoders and encoders into a folder and name it with --models or {WeightLibrary.FoldersVariable}.");
        }

        if (sheet is not null)
        {
            File.WriteAllBytes(parsed.GetValue(_sheet)!, Canvas.ToPng(sheet.Compose()));
        }

        TextTable table = new("format", "decoder", "numbers from", "multiply-adds per cell>", "ms a core>", "memory KB>", "side", "PSNR dB>", "SSIM>", "CIEDE2000>", "95 %>");
        foreach (QualityRow row in rows)
        {
            table.Add(
                row.Format, row.Decoder, row.Source, row.MultiplyAddsPerCell.ToString("N0", CultureInfo.InvariantCulture),
                row.Cost is { } cost ? Number(cost.Milliseconds, cost.Milliseconds < 0.1 ? "0.000" : cost.Milliseconds < 10 ? "0.00" : "0") : "",
                row.Cost is { } memory ? Number(memory.Bytes / 1024.0, "N0") : "", $"1/{row.Divisor}",
                double.IsFinite(row.Psnr) ? Number(row.Psnr, "0.00") : "reference", Number(row.Ssim, "0.0000"), Number(row.Difference, "0.00"), Number(row.Difference95, "0.00"));
        }

        _photographs.Write(
            parsed, _terminal, table,
            $"Means over {rows[0].Pictures} pictures, against the full TAESD decode of each format, reduced by area average to the same side. Milliseconds and memory: 128 x 128 cells on one thread.",
            json => WriteJson(json, rows));
        return ExitCode.Done;
    }

    static void WriteJson(JsonTextWriter writer, List<QualityRow> rows)
    {
        writer.WriteStartArray();
        foreach (QualityRow row in rows)
        {
            writer.WriteStartObject();
            foreach ((string name, object? value) in ((string, object?)[])
            [
                ("format", row.Format), ("decoder", row.Decoder), ("source", row.Source), ("multiplyAddsPerCell", row.MultiplyAddsPerCell),
                ("milliseconds", row.Cost is { } cost ? Math.Round(cost.Milliseconds, 4) : null), ("memoryBytes", row.Cost?.Bytes), ("divisor", row.Divisor), ("pictures", row.Pictures),
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
    }

    static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
