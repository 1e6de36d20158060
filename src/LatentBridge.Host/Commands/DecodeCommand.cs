using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using LatentBridge.Decoders;
using LatentBridge.Host.Output;
using LatentBridge.Previews;
using LatentBridge.Weights;
using Newtonsoft.Json;

namespace LatentBridge.Host.Commands;

/// <summary><c>latentbridge decode FILE...</c>: latents to pictures.</summary>
sealed class DecodeCommand
{
    readonly Terminal _terminal;
    readonly WeightLibrary _weights = LatentDecoders.WeightsOfThisMachine();

    readonly Argument<string[]> _files =
        new Argument<string[]>("FILE") { Description = "Latents: .safetensors, .latent, .npy, .npz, .pt, .pth, each also as .gz", Arity = ArgumentArity.OneOrMore }.WithoutOptions();
    readonly Option<string> _folder = new("--output", "-o") { Description = "Folder for the pictures.", HelpName = "DIR", DefaultValueFactory = _ => "." };
    readonly Option<string> _decoder = new("--decoder", "-d") { Description = "Decoder; `models list` shows them. auto takes the best available.", HelpName = "ID", DefaultValueFactory = _ => "auto" };
    readonly PreviewOptionSet _picture;
    readonly Option<bool> _grid = new("--grid") { Description = "Show a batch as one picture; default: one picture per item." };
    readonly Option<int?> _item = new("--item") { Description = "Only this item of a batch, counted from 0.", HelpName = "I" };
    readonly Option<int> _threads = OptionExtensions.Threads("a decode");
    readonly Option<int> _memory = new Option<int>("--memory") { Description = "Memory limit of a decode in megabytes; auto takes the best decoder within it. 0: no limit.", HelpName = "MB" }.Within(0, int.MaxValue);
    readonly ClipOptions _clip;
    readonly OutputFiles _written = new();
    readonly PictureKind _kind;
    readonly Option<bool> _json;
    readonly LatentOptions _latent;

    DecodeCommand(Terminal terminal, Command command)
    {
        _terminal = terminal;
        _item.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && (!int.TryParse(result.Tokens[0].Value, out int item) || item < 0))
            {
                result.AddError($"--item {result.Tokens[0].Value}: expected 0 or more.");
            }
        });
        command.Add(_files);
        command.Add(_folder, _decoder);
        _latent = new(command, takesAllFrames: true);
        _clip = new(command);
        _picture = new(command, PreviewOptions.Default, "size", "scaling");
        command.Add(_grid, _item, _threads, _memory);
        _kind = new(command);
        _json = command.Json();
        command.SetAction(Run);
    }

    internal static Command Create(Terminal terminal)
    {
        Command command = new("decode", "Turn latents into pictures.");
        _ = new DecodeCommand(terminal, command);
        return command;
    }

    int Run(ParseResult parsed)
    {
        string folder = parsed.GetValue(_folder)!;
        Directory.CreateDirectory(folder);
        bool json = parsed.GetValue(_json);
        List<DecodedPicture> pictures = [];
        int exitCode = ExitCode.Done;

        _terminal.ForEach(parsed.GetValue(_files)!, file => Path.GetFileName(file), file =>
        {
            try
            {
                foreach (DecodedPicture picture in Decode(parsed, file, folder))
                {
                    pictures.Add(picture);
                    if (!json && !_terminal.HasTables)
                    {
                        _terminal.Say(picture.ToString());
                    }
                }
            }
            catch (LatentBridgeException failure)
            {
                _terminal.Note(failure.Message);
                exitCode = Math.Max(exitCode, failure is InputException ? ExitCode.Usage : ExitCode.Failed);
            }
        });

        if (json)
        {
            _terminal.WriteJson(writer => WriteJson(writer, pictures));
        }
        else if (_terminal.HasTables && pictures.Count > 0)
        {
            _terminal.Write(ToTable(pictures));
        }

        return exitCode;
    }

    IEnumerable<DecodedPicture> Decode(ParseResult parsed, string file, string folder)
    {
        LatentInput input = _latent.Open(parsed, file);
        PreviewOptions options = _kind.Apply(parsed, _picture.Apply(parsed, _latent.Apply(parsed, PreviewOptions.Default))) with
        {
            Threads = parsed.ThreadCount(_threads),
            Batch = parsed.GetValue(_grid) ? BatchChoice.Grid : BatchChoice.Item,
        };
        int batch = input.Shape.Batch;
        if (parsed.GetValue(_item) >= batch)
        {
            throw new InputException($"\"{file}\" holds {batch} {(batch == 1 ? "latent" : "latents")}; there is no item {parsed.GetValue(_item)}. Items are counted from 0.");
        }

        if (input.IsGuess)
        {
            _terminal.Note($"{file}: {input.FormatReason}");
        }

        foreach (string note in input.Loaded.Notes)
        {
            _terminal.Note($"{file}: {note}");
        }

        using PreviewRenderer renderer = new(input.Format, _kind.Encoders);
        if (_clip.IsAsked(parsed) || _latent.WantsAllFrames(parsed))
        {
            foreach (DecodedPicture picture in DecodeClip(parsed, file, folder, input, renderer, options))
            {
                yield return picture;
            }

            yield break;
        }

        bool oneOfMany = batch > 1 && !parsed.GetValue(_grid);
        int[] items = parsed.GetValue(_grid) ? [0] : parsed.GetValue(_item) is { } item ? [item] : [.. Enumerable.Range(0, batch)];
        renderer.Stage(input.View, options with { Item = items[0] });
        using ILatentDecoder decoder = Load(parsed, renderer, out DecoderDescription description);
        byte[] buffer = [];
        foreach (int index in items)
        {
            if (index != items[0])
            {
                renderer.Stage(input.View, options with { Item = index });
            }

            PreviewResult result = Render(renderer, decoder, options with { Item = index }, ref buffer);
            string part = oneOfMany ? string.Create(CultureInfo.InvariantCulture, $".{index}") : "";
            string path = Path.Combine(folder, $"{Path.GetFileNameWithoutExtension(file)}{part}.{description.Id.Replace(':', '-')}.{_kind.Name(parsed)}");
            File.WriteAllBytes(_written.Add(path, file), buffer.AsSpan(0, result.ByteLength));
            yield return new(file, path, input, description, result);
        }
    }

    /// <summary>All pictures of a video: as one animation, or as a file each.</summary>
    IEnumerable<DecodedPicture> DecodeClip(ParseResult parsed, string file, string folder, LatentInput input, PreviewRenderer renderer, PreviewOptions options)
    {
        PreviewOptions rgb = options with { Batch = BatchChoice.Item, Item = parsed.GetValue(_item) ?? 0, Encoding = PreviewEncoding.Rgb24 };
        renderer.Stage(input.View, rgb with { Frame = FrameChoice.First });
        using ILatentDecoder decoder = Load(parsed, renderer, out DecoderDescription description);
        var clip = new ClipReader(renderer, decoder, rgb);
        ClipWriter writer = _clip.Writer(parsed, clip.RateOf(_clip.Rate(parsed, input.Format)));
        string stem = Path.Combine(folder, $"{Path.GetFileNameWithoutExtension(file)}");
        long start = Stopwatch.GetTimestamp();
        double decoding = 0;
        foreach ((int index, byte[] pixels, int width, int height) in clip.Read(() => input.View, input.Shape.Frames, options.Threads, CancellationToken.None))
        {
            decoding += Stopwatch.GetElapsedTime(start).TotalMilliseconds;
            start = Stopwatch.GetTimestamp();
            if (!_clip.IsAsked(parsed))
            {
                byte[] png = ClipWriter.Png(pixels, width, height);
                string path = string.Create(CultureInfo.InvariantCulture, $"{stem}.{index:0000}.{description.Id.Replace(':', '-')}.png");
                File.WriteAllBytes(_written.Add(path, file), png);
                yield return new(file, path, input, description, Result(png.Length, width, height));
                decoding = 0;
            }
            else
            {
                writer.Add(pixels, width, height);
            }

            start = Stopwatch.GetTimestamp();
        }

        if (_clip.IsAsked(parsed))
        {
            string path = Path.Combine(folder, parsed.GetValue(_clip.File)!);
            int bytes = writer.Write(_written.Add(path, file));
            yield return new(file, path, input, description, Result(bytes, writer.Width, writer.Height)) { Pictures = writer.Count };
        }

        PreviewResult Result(int bytes, int width, int height) =>
            new(bytes, width, height, PreviewEncoding.Png, decoding, Stopwatch.GetElapsedTime(start).TotalMilliseconds, renderer.NonFiniteCount, Fits: true);
    }

    /// <summary>The decoder asked for, or with <c>auto</c> the best that --memory allows.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="renderer">Has staged what is to be decoded.</param>
    /// <param name="description">The decoder's own, under the name that people gave.</param>
    ILatentDecoder Load(ParseResult parsed, PreviewRenderer renderer, out DecoderDescription description)
    {
        IReadOnlyList<DecoderEntry> entries = LatentDecoders.For(renderer.Format, _weights);
        string id = parsed.GetValue(_decoder)!;
        int megabytes = parsed.GetValue(_memory);
        string problem = "";
        foreach (DecoderEntry entry in id == "auto" && megabytes > 0 ? entries : [entries.Choose(id, renderer.Format)])
        {
            ILatentDecoder decoder = entry.Load();
            description = decoder.Description with { Id = entry.Description.Id };
            (int width, int height) = decoder.Description.OutputSize(renderer.PlaneHeight, renderer.PlaneWidth);
            long needed = (decoder.WorkingBytes(renderer.PlaneHeight, renderer.PlaneWidth) + (3L * width * height)) / (1024 * 1024) + 1; // its own, and the picture that it writes into
            if (megabytes == 0 || needed <= megabytes)
            {
                return decoder;
            }

            decoder.Dispose();
            problem = $"{entry.Description.Id} needs {needed} MB for a picture of {width} x {height}, and --memory allows {megabytes} MB. Allow {needed}{(id == "auto" ? "" : ", or choose a smaller decoder with --decoder, or auto")}.";
        }

        throw new LatentBridgeException(problem);
    }

    static PreviewResult Render(PreviewRenderer renderer, ILatentDecoder decoder, PreviewOptions options, ref byte[] buffer)
    {
        PreviewResult result = renderer.Render(decoder, options, buffer, CancellationToken.None);
        while (!result.Fits)
        {
            buffer = new byte[result.ByteLength];
            result = renderer.Render(decoder, options, buffer, CancellationToken.None);
        }

        return result;
    }

    static TextTable ToTable(List<DecodedPicture> pictures)
    {
        bool hasNotes = pictures.Exists(picture => picture.Note.Length > 0);
        TextTable table = new(["picture", "size", "format", "decoder", "decode>", "encode>", "bytes>", .. hasNotes ? (string[])["note"] : []]);
        foreach (DecodedPicture picture in pictures)
        {
            table.Add(
            [
                picture.Output, picture.Size, picture.Input.Format.Id, picture.DecoderAndSource, DecodedPicture.Milliseconds(picture.Result.DecodeMilliseconds),
                DecodedPicture.Milliseconds(picture.Result.EncodeMilliseconds), picture.Result.ByteLength.ToString("N0", CultureInfo.InvariantCulture),
                .. hasNotes ? (string[])[picture.Note] : [],
            ]);
        }

        return table;
    }

    static void WriteJson(JsonTextWriter json, List<DecodedPicture> pictures)
    {
        json.WriteStartObject();
        json.WritePropertyName("pictures");
        json.WriteStartArray();
        foreach (DecodedPicture picture in pictures)
        {
            picture.WriteJson(json);
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }
}
