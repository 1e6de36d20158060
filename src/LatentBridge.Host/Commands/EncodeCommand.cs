using System.CommandLine;
using System.Globalization;
using LatentBridge.Decoders;
using LatentBridge.Decoders.Taesd;
using LatentBridge.Files;
using LatentBridge.Formats;
using LatentBridge.Host.Output;
using LatentBridge.Host.Photographs;
using LatentBridge.Imaging;
using LatentBridge.Imaging.Png;
using LatentBridge.Latents;

namespace LatentBridge.Host.Commands;

/// <summary><c>latentbridge encode PICTURE...</c>: pictures to latents, through the format's tiny encoder.</summary>
sealed class EncodeCommand
{
    readonly Terminal _terminal;
    readonly Argument<string[]> _pictures =
        new Argument<string[]>("PICTURE") { Description = "PNG pictures.", Arity = ArgumentArity.OneOrMore }.WithoutOptions();
    readonly Option<string> _format = new Option<string>("--format", "-f") { Description = "Latent format: SD15, SDXL, SD3, Flux, Flux2.", HelpName = "ID", DefaultValueFactory = _ => "SDXL" }.OfLatentFormats();
    readonly Option<string> _folder = new("--output", "-o") { Description = "Folder for the latents.", HelpName = "DIR", DefaultValueFactory = _ => "." };
    readonly Option<string> _kind = new("--as") { Description = "Kind of file: F16 numbers, or a grey picture of the latent.", HelpName = "safetensors|png", DefaultValueFactory = _ => "safetensors" };
    readonly Option<string[]> _models = new("--models") { Description = "More folders of weights.", HelpName = "DIR", DefaultValueFactory = _ => [] };
    readonly Option<int> _bits = new Option<int>("--bits") { Description = "Bits per value in a picture of the latent; fewer make smaller files.", HelpName = "N", DefaultValueFactory = _ => 8 }.Within(1, 8);
    readonly Option<int> _threads = OptionExtensions.Threads("an encode");
    readonly OutputFiles _written = new();

    EncodeCommand(Terminal terminal, Command command)
    {
        _terminal = terminal;
        _kind.AcceptOnlyFromAmong("safetensors", "png");
        command.Add(_pictures);
        command.Add(_format, _folder, _kind, _bits, _models, _threads);
        command.SetAction(Run);
    }

    internal static Command Create(Terminal terminal)
    {
        Command command = new("encode", "Turn pictures into latents, with a TAESD encoder.");
        _ = new EncodeCommand(terminal, command);
        return command;
    }

    int Run(ParseResult parsed)
    {
        LatentFormat format = LatentFormats.Get(parsed.GetValue(_format)!);
        int threads = parsed.ThreadCount(_threads);
        using TaesdPair taesd = new(format, LatentDecoders.WeightsOfThisMachine(parsed.GetValue(_models)), threads);
        TaesdEncoder encoder = taesd.Encoder;
        string folder = parsed.GetValue(_folder)!;
        Directory.CreateDirectory(folder);
        int exitCode = ExitCode.Done;
        _terminal.ForEach(parsed.GetValue(_pictures)!, file => Path.GetFileName(file), file =>
        {
            try
            {
                _terminal.Note(Encode(encoder, format, file, folder, parsed.GetValue(_kind) == "png" ? parsed.GetValue(_bits) : null, threads));
            }
            catch (LatentBridgeException failure)
            {
                _terminal.Note(failure is InputException ? failure.Message : $"\"{file}\": {failure.Message}");
                exitCode = Math.Max(exitCode, failure is InputException ? ExitCode.Usage : ExitCode.Failed);
            }
        });
        return exitCode;
    }

    string Encode(TaesdEncoder encoder, LatentFormat format, string file, string folder, int? bits, int threads)
    {
        PngImage image = PictureFiles.ReadImage(file);
        (byte[] pixels, int width, int height) = ToWholeCells(image, format.Unpack);
        (int across, int down) = encoder.LatentSize(width, height);
        float[] values = new float[encoder.Channels * across * down];
        encoder.Encode(pixels, width, height, values, threads, CancellationToken.None);

        string path = _written.Add(Path.Combine(folder, $"{Path.GetFileNameWithoutExtension(file)}.{format.Id}.{(bits is null ? "safetensors" : "png")}"), file);
        if (bits is { } depth)
        {
            File.WriteAllBytes(path, LatentPicture.Write(new LatentPlanes(values, encoder.Channels, down, across), format.Id, depth));
        }
        else
        {
            Dictionary<string, string> metadata = new() { ["latent_format"] = format.Id };
            SafetensorsWriter.Write(path, [StoredTensor.FromValues("latent", values, [1, encoder.Channels, down, across], TensorElementType.F16)], metadata);
        }

        string padded = (width, height) == (image.Width, image.Height) ? "" : $", its edge repeated up to {width} x {height}";
        return string.Create(CultureInfo.InvariantCulture, $"{path}: [1, {encoder.Channels}, {down}, {across}] of {image.Width} x {image.Height} pixels{padded}");
    }

    // A latent has whole cells of 8 pixels, FLUX.2's packed one whole pairs of them: the picture's right and lower edge is repeated up to there.
    static (byte[] Pixels, int Width, int Height) ToWholeCells(PngImage image, int unpack)
    {
        int cell = 8 * unpack;
        int width = (image.Width + cell - 1) / cell * cell, height = (image.Height + cell - 1) / cell * cell;
        byte[] rgb = image.ToRgb();
        if ((width, height) == (image.Width, image.Height))
        {
            return (rgb, width, height);
        }

        byte[] padded = new byte[3 * width * height];
        for (int y = 0; y < height; y++)
        {
            ReadOnlySpan<byte> row = rgb.AsSpan(3 * image.Width * Math.Min(y, image.Height - 1), 3 * image.Width);
            Span<byte> target = padded.AsSpan(3 * width * y, 3 * width);
            row.CopyTo(target);
            for (int x = row.Length; x < target.Length; x++)
            {
                target[x] = target[x - 3];
            }
        }

        return (padded, width, height);
    }
}
