using System.CommandLine;
using System.Globalization;
using LatentBridge.Formats;
using LatentBridge.Host.Output;
using LatentBridge.Host.Quality;
using LatentBridge.Host.Sheets;
using LatentBridge.Imaging;
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
    readonly Option<string[]> _formats = new("--format", "-f") { Description = "Latent formats; else those that have a TAESD.", HelpName = "ID", DefaultValueFactory = _ => Families };
    readonly Option<string[]> _models = new("--models") { Description = "Further folders of weights.", HelpName = "DIR", DefaultValueFactory = _ => [] };
    readonly Option<int> _threads = new Option<int>("--threads") { Description = "Threads a decode may use; 0: all cores.", HelpName = "N" }.Within(0, 256);
    readonly Option<bool> _json;

    QualityCommand(Terminal terminal, Command command)
    {
        _terminal = terminal;
        command.Add(_pictures);
        command.Add(_formats);
        command.Add(_models);
        command.Add(_threads);
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
        string[] files = [.. parsed.GetValue(_pictures)!.SelectMany(Files)];
        LatentFormat[] formats = [.. parsed.GetValue(_formats)!.Select(id =>
            LatentFormats.Find(id) ?? throw new InputException($"Latent format \"{id}\" is not known. Known are: {string.Join(", ", LatentFormats.Ids)}."))];
        int threads = parsed.GetValue(_threads) is > 0 and var given ? given : Environment.ProcessorCount;
        WeightLibrary weights = WeightLibrary.OfThisMachine(parsed.GetValue(_models));
        var rows = new List<QualityRow>();
        foreach (LatentFormat format in formats)
        {
            (QualityMeasurement? opened, string? missing) = QualityMeasurement.Open(format, weights, threads);
            if (opened is null)
            {
                _terminal.Note(missing!);
                continue;
            }

            using QualityMeasurement measurement = opened;
            _terminal.ForEach(files, file => $"{format.Id} {Path.GetFileName(file)}", file => measurement.Add(Read(file)));
            rows.AddRange(measurement.Rows());
        }

        if (rows.Count == 0)
        {
            throw new InputException($"There is nothing to compare with: put TAESD's decoders and encoders into a folder and name it by --models or {WeightLibrary.FoldersVariable}.");
        }

        Write(rows, parsed.GetValue(_json));
        return ExitCode.Done;
    }

    static string[] Files(string path)
    {
        if (!Directory.Exists(path))
        {
            return File.Exists(path) ? [path] : throw new InputException($"\"{path}\" is neither a file nor a folder.");
        }

        string[] files = [.. Directory.GetFiles(path, "*.png").Order(StringComparer.Ordinal)];
        return files.Length > 0 ? files : throw new InputException($"The folder \"{path}\" has no PNG pictures.");
    }

    static Picture Read(string file)
    {
        PngImage image = PngReader.Read(File.ReadAllBytes(file));
        return Math.Min(image.Width, image.Height) >= SmallestSide
            ? new(image.ToRgb(), image.Width, image.Height)
            : throw new InputException($"\"{file}\" is {image.Width} x {image.Height}; at least {SmallestSide} x {SmallestSide} pixels are needed.");
    }

    void Write(List<QualityRow> rows, bool json)
    {
        if (!json)
        {
            TextTable table = new("format", "decoder", "numbers from", "multiply-adds a cell>", "side", "PSNR dB>", "SSIM>", "CIEDE2000 mean>", "95 %>");
            foreach (QualityRow row in rows)
            {
                table.Add(
                    row.Format, row.Decoder, row.Source, row.MultiplyAddsPerCell.ToString("N0", CultureInfo.InvariantCulture), $"1/{row.Divisor}",
                    Number(row.Psnr, "0.00"), Number(row.Ssim, "0.0000"), Number(row.Difference, "0.00"), Number(row.Difference95, "0.00"));
            }

            _terminal.Write(table);
            _terminal.Say($"Means over {rows[0].Pictures} pictures, against the full TAESD decode of each format reduced by area to the same side.");
            return;
        }

        _terminal.WriteJson(writer =>
        {
            writer.WriteStartArray();
            foreach (QualityRow row in rows)
            {
                writer.WriteStartObject();
                foreach ((string name, object value) in ((string, object)[])
                [
                    ("format", row.Format), ("decoder", row.Decoder), ("source", row.Source), ("multiplyAddsPerCell", row.MultiplyAddsPerCell), ("divisor", row.Divisor),
                    ("pictures", row.Pictures), ("psnr", Math.Round(row.Psnr, 3)), ("ssim", Math.Round(row.Ssim, 5)),
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
    }

    static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
