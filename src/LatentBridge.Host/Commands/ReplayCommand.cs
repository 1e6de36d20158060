using System.CommandLine;
using System.Globalization;
using LatentBridge.Decoders;
using LatentBridge.Host.Output;
using LatentBridge.Imaging;
using LatentBridge.Previews;
using LatentBridge.Weights;

namespace LatentBridge.Host.Commands;

/// <summary><c>latentbridge replay FILE</c>: a recorded run again, with any decoder at any size, as frames and a time-lapse.</summary>
sealed class ReplayCommand
{
    /// <summary>How much longer than the others the last frame of the time-lapse stays.</summary>
    const int LastFrameFactor = 5;

    readonly Terminal _terminal;
    readonly WeightLibrary _weights = WeightLibrary.OfThisMachine();
    readonly Argument<string> _file = new Argument<string>("FILE") { Description = "A recording, or any file of latents whose batch is the steps of a run." }.WithoutOptions();
    readonly Option<string> _folder = new("--output", "-o") { Description = "Folder for the frames and the time-lapse.", HelpName = "DIR", DefaultValueFactory = _ => "." };
    readonly Option<string> _decoder = new("--decoder", "-d") { Description = "Decoder: see `models list`; auto takes the best there is.", HelpName = "ID", DefaultValueFactory = _ => "auto" };
    readonly Option<int> _size = new Option<int>("--size") { Description = "Longest side in pixels, 0 to 16384; 0: the decoder's own.", HelpName = "N" }.Within(0, PreviewOptions.MaximumSize);
    readonly Option<int> _milliseconds = new Option<int>("--milliseconds") { Description = "How long a frame of the time-lapse stays.", HelpName = "N", DefaultValueFactory = _ => 200 }.Within(10, 10_000);
    readonly Option<int> _threads = new Option<int>("--threads") { Description = "Threads a decode may use; 0: all cores.", HelpName = "N" }.Within(0, 256);
    readonly LatentOptions _latent;

    ReplayCommand(Terminal terminal, Command command)
    {
        _terminal = terminal;
        command.Add(_file);
        command.Add(_folder);
        command.Add(_decoder);
        _latent = new(command);
        foreach (Option option in new Option[] { _size, _milliseconds, _threads })
        {
            command.Add(option);
        }

        command.SetAction(Run);
    }

    internal static Command Create(Terminal terminal)
    {
        Command command = new("replay", "A recorded run again, with any decoder: PNG frames and an animated PNG.");
        _ = new ReplayCommand(terminal, command);
        return command;
    }

    int Run(ParseResult parsed)
    {
        _latent.Check(parsed);
        string file = parsed.GetValue(_file)!;
        LatentInput input = _latent.Open(parsed, file);
        DecoderEntry entry = LatentDecoders.For(input.Format, _weights).Choose(parsed.GetValue(_decoder)!, input.Format);
        string stem = Path.Combine(parsed.GetValue(_folder)!, $"{Path.GetFileNameWithoutExtension(file)}.{entry.Description.Id.Replace(':', '-')}");
        Directory.CreateDirectory(parsed.GetValue(_folder)!);
        if (input.IsGuess)
        {
            _terminal.Note($"{file}: {input.FormatReason}");
        }

        List<ApngFrame> frames = [];
        int milliseconds = parsed.GetValue(_milliseconds), steps = input.Shape.Batch;
        using ILatentDecoder decoder = entry.Load();
        using PreviewRenderer renderer = new(input.Format);
        _terminal.ForEach([.. Enumerable.Range(0, steps)], step => $"step {step + 1} of {steps}", step =>
        {
            byte[] png = Decode(renderer, decoder, input, new()
            {
                Batch = BatchChoice.Item,
                Item = step,
                Frame = _latent.Frame(parsed),
                Size = parsed.GetValue(_size),
                Threads = parsed.GetValue(_threads) is > 0 and int threads ? threads : Environment.ProcessorCount,
            });
            File.WriteAllBytes(string.Create(CultureInfo.InvariantCulture, $"{stem}.{step:000}.png"), png);
            frames.Add(new(png, step == steps - 1 ? LastFrameFactor * milliseconds : milliseconds));
        });
        File.WriteAllBytes(stem + ".apng", ApngWriter.Write(frames));
        _terminal.Say($"{stem}.apng  {frames.Count} frames  {input.Format.Id}  {entry.Description.Id} ({entry.Description.Source})");
        return ExitCode.Done;
    }

    static byte[] Decode(PreviewRenderer renderer, ILatentDecoder decoder, LatentInput input, PreviewOptions options)
    {
        renderer.Stage(input.View, options);
        byte[] buffer = new byte[renderer.Render(decoder, options, [], CancellationToken.None).ByteLength];
        return buffer[..renderer.Render(decoder, options, buffer, CancellationToken.None).ByteLength];
    }
}
