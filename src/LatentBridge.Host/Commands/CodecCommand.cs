using System.CommandLine;
using System.Globalization;
using LatentBridge.Formats;
using LatentBridge.Host.Codec;
using LatentBridge.Host.Output;
using LatentBridge.Imaging;
using LatentBridge.Weights;

namespace LatentBridge.Host.Commands;

/// <summary><c>latentbridge codec PICTURE...</c>: how good latents are as files of pictures, beside JPEG and WebP of as many bytes.</summary>
sealed class CodecCommand
{
    /// <summary>SSIM's window must fit, and so must a latent.</summary>
    const int SmallestSide = 16;

    readonly Terminal _terminal;
    readonly Argument<string[]> _pictures =
        new Argument<string[]>("PICTURE") { Description = "PNG pictures, or folders of them.", Arity = ArgumentArity.OneOrMore }.WithoutOptions();
    readonly Option<string[]> _formats = new Option<string[]>("--format", "-f") { Description = "Latent formats.", HelpName = "ID", DefaultValueFactory = _ => ["SDXL", "Flux"], AllowMultipleArgumentsPerToken = true }.OfLatentFormats();
    readonly Option<string[]> _models = new("--models") { Description = "Further folders of weights.", HelpName = "DIR", DefaultValueFactory = _ => [] };
    readonly Option<string?> _plot = new("--plot") { Description = "Also draws the curves, as an SVG picture.", HelpName = "FILE" };
    readonly Option<int> _threads = new Option<int>("--threads") { Description = "Threads it may use; 0: all cores.", HelpName = "N" }.Within(0, 256);
    readonly Option<bool> _markdown = new("--markdown") { Description = "The table as Markdown." };
    readonly Option<bool> _json;

    CodecCommand(Terminal terminal, Command command)
    {
        _terminal = terminal;
        command.Add(_pictures);
        foreach (Option option in new Option[] { _formats, _models, _plot, _threads, _markdown })
        {
            command.Add(option);
        }

        _json = command.Json();
        command.SetAction(Run);
    }

    internal static Command Create(Terminal terminal)
    {
        Command command = new("codec", "Latents as files of pictures, beside JPEG and WebP of as many bytes.");
        _ = new CodecCommand(terminal, command);
        return command;
    }

    int Run(ParseResult parsed)
    {
        string[] files = [.. parsed.GetValue(_pictures)!.SelectMany(PictureFiles.Find)];
        LatentFormat[] formats = [.. parsed.GetValue(_formats)!.Select(LatentFormats.Get)];
        int threads = parsed.GetValue(_threads) is > 0 and var given ? given : Environment.ProcessorCount;
        WeightLibrary weights = WeightLibrary.OfThisMachine(parsed.GetValue(_models));
        List<CodecRow> rows = [];
        using PicturePeers? peers = PicturePeers.TryStart();
        _terminal.Note(peers is null ? "No Python with Pillow was found: there is no JPEG and no WebP to compare with. Install it (python -m pip install pillow)." : $"JPEG and WebP by {peers.Name}.");
        foreach (LatentFormat format in formats)
        {
            using CodecMeasurement measurement = CodecMeasurement.Open(format, weights, threads);
            _terminal.ForEach(files, file => $"{format.Id} {Path.GetFileName(file)}", file => measurement.Add(PictureFiles.Read(file, SmallestSide), peers));
            rows.AddRange(measurement.Rows());
        }

        if (parsed.GetValue(_plot) is { } plot)
        {
            File.WriteAllText(plot, CodecPlot.Draw(rows, files.Length));
        }

        if (parsed.GetValue(_json))
        {
            WriteJson(rows, files.Length);
        }
        else
        {
            Write(rows, files.Length, parsed.GetValue(_markdown));
        }

        return ExitCode.Done;
    }

    void Write(List<CodecRow> rows, int pictures, bool markdown)
    {
        TextTable table = new("stored as", "bytes>", "bits a pixel>", "PSNR dB>", "SSIM>", "CIEDE2000>", "JPEG dB, SSIM, CIEDE2000>", "WebP dB, SSIM, CIEDE2000>");
        foreach (CodecRow row in rows)
        {
            table.Add(
                $"{row.Format}, {row.Storage}", Number(row.Latent.Bytes, "N0"), Number(row.Latent.BitsPerPixel, "0.000"), Number(row.Latent.Psnr, "0.00"),
                Number(row.Latent.Ssim, "0.000"), Number(row.Latent.Difference, "0.00"), Peer(row, "jpeg"), Peer(row, "webp"));
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
        _terminal.Say($"Means over {pictures} pictures, against the photographs. JPEG and WebP have at most the latent's bytes of each picture; \"too short\": not every picture can be made that short.");
    }

    static string Peer(CodecRow row, string kind) => !row.Peers.TryGetValue(kind, out CodecPoint? point) ? ""
        : point is { } p ? $"{Number(p.Psnr, "0.00")}, {Number(p.Ssim, "0.000")}, {Number(p.Difference, "0.00")}"
        : "too short";

    void WriteJson(List<CodecRow> rows, int pictures) => _terminal.WriteJson(json =>
    {
        void WritePoint(string name, CodecPoint? point)
        {
            json.WritePropertyName(name);
            if (point is not { } p)
            {
                json.WriteNull();
                return;
            }

            json.WriteStartObject();
            foreach ((string member, double value) in ((string, double)[])
                [("bytes", p.Bytes), ("bitsPerPixel", p.BitsPerPixel), ("psnr", p.Psnr), ("ssim", p.Ssim), ("ciede2000", p.Difference)])
            {
                json.WritePropertyName(member);
                json.WriteValue(Math.Round(value, 4));
            }

            json.WriteEndObject();
        }

        json.WriteStartObject();
        json.WritePropertyName("pictures");
        json.WriteValue(pictures);
        json.WritePropertyName("rows");
        json.WriteStartArray();
        foreach (CodecRow row in rows)
        {
            json.WriteStartObject();
            json.WritePropertyName("format");
            json.WriteValue(row.Format);
            json.WritePropertyName("storage");
            json.WriteValue(row.Storage);
            WritePoint("latent", row.Latent);
            foreach ((string kind, CodecPoint? point) in row.Peers)
            {
                WritePoint(kind, point);
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    });

    static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
