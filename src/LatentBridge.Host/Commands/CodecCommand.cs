using System.CommandLine;
using System.Globalization;
using LatentBridge.Host.Codec;
using LatentBridge.Host.Output;
using LatentBridge.Host.Photographs;
using Newtonsoft.Json;

namespace LatentBridge.Host.Commands;

/// <summary><c>latentbridge codec PICTURE...</c>: how good latents are as files of pictures, beside JPEG and WebP of as many bytes.</summary>
sealed class CodecCommand
{
    /// <summary>SSIM's window must fit, and so must a latent.</summary>
    const int SmallestSide = 16;

    readonly Terminal _terminal;
    readonly PhotographOptions _photographs;
    readonly Option<string?> _plot = new("--plot", "--output", "-o") { Description = "Also draw the curves, as an SVG file.", HelpName = "FILE" };

    CodecCommand(Terminal terminal, Command command)
    {
        _terminal = terminal;
        _photographs = new(command, ["SDXL", "Flux"], SmallestSide);
        command.Add(_plot);
        command.SetAction(Run);
    }

    internal static Command Create(Terminal terminal)
    {
        Command command = new("codec", "Store latents as picture files and compare them with JPEG and WebP of as many bytes.");
        _ = new CodecCommand(terminal, command);
        return command;
    }

    int Run(ParseResult parsed)
    {
        string[] files = _photographs.Files(parsed);
        TaesdPair[] formats = _photographs.Formats(parsed);
        using PicturePeers? peers = PicturePeers.TryStart();
        using CodecMeasurement measurement = new(formats, peers, _photographs.Threads(parsed));
        _terminal.Note(peers is null ? "No Python with Pillow was found, so JPEG and WebP are not compared. Install it (python -m pip install pillow)." : $"JPEG and WebP by {peers.Name}.");
        _terminal.ForEach(files, file => Path.GetFileName(file), file => measurement.Add(_photographs.Read(file)));
        CodecRow[] rows = [.. measurement.Rows()];
        if (parsed.GetValue(_plot) is { } plot)
        {
            File.WriteAllText(plot, CodecPlot.Draw(rows, files.Length));
        }

        TextTable table = new("stored as", "bytes>", "bits a pixel>", "dB, SSIM, CIEDE2000>", "JPEG>", "WebP>");
        foreach (CodecRow row in rows)
        {
            table.Add($"{row.Format}, {row.Storage}", Number(row.Latent.Bytes, "N0"), Number(row.Latent.BitsPerPixel, "0.000"), Measured(row.Latent), Peer(row, "jpeg"), Peer(row, "webp"));
        }

        _photographs.Write(
            parsed, _terminal, table,
            $"Means over {files.Length} pictures, against the photographs. JPEG and WebP take at most as many bytes as the latent; \"too short\": not every picture can be made that short.",
            json => WriteJson(json, rows, files.Length));
        return ExitCode.Done;
    }

    static string Peer(CodecRow row, string kind) => !row.Peers.TryGetValue(kind, out CodecPoint? point) ? "" : point is { } p ? Measured(p) : "too short";

    static string Measured(CodecPoint point) => $"{Number(point.Psnr, "0.00")}, {Number(point.Ssim, "0.000")}, {Number(point.Difference, "0.00")}";

    static void WriteJson(JsonTextWriter json, CodecRow[] rows, int pictures)
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
    }

    static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
