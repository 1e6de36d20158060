using System.CommandLine;
using System.Globalization;
using LatentBridge.Decoders;
using LatentBridge.Host.Output;
using LatentBridge.ImageSharp;
using LatentBridge.Imaging.Png;
using LatentBridge.Previews;
using LatentBridge.Weights;

namespace LatentBridge.Host.Commands;

/// <summary><c>latentbridge replay FILE</c>: a recorded run again, with any decoder at any size, as frames and a time-lapse.</summary>
sealed class ReplayCommand
{
    /// <summary>How much longer than the others the last frame of the time-lapse stays.</summary>
    const int LastFrameFactor = 5;

    const string Apng = "apng";

    readonly IReadOnlyList<IAnimationEncoder> _encoders = ImageSharpEncoders.Animations();
    readonly Terminal _terminal;
    readonly WeightLibrary _weights = LatentDecoders.WeightsOfThisMachine();
    readonly Argument<string> _file = new Argument<string>("FILE") { Description = "A recording, or any latent file whose batch axis is the steps of a run." }.WithoutOptions();
    readonly Option<string> _folder = new("--output", "-o") { Description = "Folder for the frames and the time-lapse.", HelpName = "DIR", DefaultValueFactory = _ => "." };
    readonly Option<string> _decoder = new("--decoder", "-d") { Description = "Decoder; `models list` shows them. auto takes the best available.", HelpName = "ID", DefaultValueFactory = _ => "auto" };
    readonly PreviewOptionSet _picture;
    readonly Option<int> _milliseconds = new Option<int>("--milliseconds") { Description = "Duration of a frame of the time-lapse.", HelpName = "N", DefaultValueFactory = _ => 200 }.Within(10, 10_000);
    readonly Option<string> _animate = new("--animate") { DefaultValueFactory = _ => Apng };
    readonly Option<int> _threads = OptionExtensions.Threads("a decode");
    readonly LatentOptions _latent;

    ReplayCommand(Terminal terminal, Command command)
    {
        _terminal = terminal;
        string[] kinds = [Apng, .. _encoders.Select(encoder => encoder.Extension)];
        _animate.HelpName = string.Join('|', kinds);
        _animate.Description = "Kind of time-lapse: APNG keeps every colour, GIF has 256 per frame.";
        _animate.AcceptOnlyFromAmong(kinds);
        command.Add(_file);
        command.Add(_folder, _decoder);
        _latent = new(command);
        _picture = new(command, PreviewOptions.Default, "size");
        command.Add(_animate, _milliseconds, _threads);
        command.SetAction(Run);
    }

    internal static Command Create(Terminal terminal)
    {
        Command command = new("replay", "Show a recorded run again, with any decoder: PNG frames and a time-lapse.");
        _ = new ReplayCommand(terminal, command);
        return command;
    }

    int Run(ParseResult parsed)
    {
        string file = parsed.GetValue(_file)!;
        LatentInput input = _latent.Open(parsed, file);
        DecoderEntry entry = LatentDecoders.For(input.Format, _weights).Choose(parsed.GetValue(_decoder)!, input.Format);
        string stem = Path.Combine(parsed.GetValue(_folder)!, $"{Path.GetFileNameWithoutExtension(file)}.{entry.Description.Id.Replace(':', '-')}");
        Directory.CreateDirectory(parsed.GetValue(_folder)!);
        if (input.IsGuess)
        {
            _terminal.Note($"{file}: {input.FormatReason}");
        }

        IAnimationEncoder? library = _encoders.FirstOrDefault(encoder => encoder.Extension == parsed.GetValue(_animate));
        List<ApngFrame> pngs = [];
        List<AnimationFrame> pictures = [];
        (int Width, int Height) size = default;
        int milliseconds = parsed.GetValue(_milliseconds), steps = input.Shape.Batch;
        PngEncoder encoder = new();
        using ILatentDecoder decoder = entry.Load();
        using PreviewRenderer renderer = new(input.Format);
        _terminal.ForEach([.. Enumerable.Range(0, steps)], step => $"step {step + 1} of {steps}", step =>
        {
            byte[] rgb = Decode(renderer, decoder, input, _picture.Apply(parsed, _latent.Apply(parsed, PreviewOptions.Default)) with
            {
                Batch = BatchChoice.Item,
                Item = step,
                Encoding = PreviewEncoding.Rgb24,
                Threads = parsed.ThreadCount(_threads),
            }, out size);
            byte[] png = new byte[PngEncoder.MaximumLength(size.Width, size.Height, 3)];
            png = png[..encoder.Encode(rgb, size.Width, size.Height, 3, png)];
            File.WriteAllBytes(string.Create(CultureInfo.InvariantCulture, $"{stem}.{step:000}.png"), png);
            int stays = step == steps - 1 ? LastFrameFactor * milliseconds : milliseconds;
            if (library is null)
            {
                pngs.Add(new(png, stays));
            }
            else
            {
                pictures.Add(new(rgb, stays));
            }
        });
        string lapse = $"{stem}.{parsed.GetValue(_animate)}";
        using (FileStream output = File.Create(lapse))
        {
            if (library is null)
            {
                output.Write(ApngWriter.Write(pngs));
            }
            else
            {
                library.Encode(pictures, size.Width, size.Height, output);
            }
        }

        _terminal.Say($"{lapse}  {steps} frames  {input.Format.Id}  {entry.Description.Id} ({entry.Description.Source})");
        return ExitCode.Done;
    }

    static byte[] Decode(PreviewRenderer renderer, ILatentDecoder decoder, LatentInput input, PreviewOptions options, out (int Width, int Height) size)
    {
        renderer.Stage(input.View, options);
        byte[] rgb = new byte[renderer.Render(decoder, options, [], CancellationToken.None).ByteLength];
        PreviewResult result = renderer.Render(decoder, options, rgb, CancellationToken.None);
        size = (result.Width, result.Height);
        return rgb;
    }
}
