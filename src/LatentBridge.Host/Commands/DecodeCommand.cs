using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using LatentBridge.Decoders;
using LatentBridge.Host.Output;
using LatentBridge.Previews;
using LatentBridge.Scanning.Sources;
using LatentBridge.Weights;
using Newtonsoft.Json;

namespace LatentBridge.Host.Commands;

/// <summary><c>latentbridge decode FILE...</c>: latents to pictures.</summary>
sealed partial class DecodeCommand
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
    readonly Option<bool> _follow = new("--follow") { Description = "Go on with files that appear in the folders given, until Ctrl-C: a cache while a training writes it." };
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
        command.Add(_grid, _item, _threads, _memory, _follow);
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

        string[] files = parsed.GetValue(_files)!;
        using DecodeWork work = new(_kind.Encoders);
        if (parsed.GetValue(_follow))
        {
            Follow(files, file => Decode(file, () => _latent.Open(parsed, file)));
        }
        else
        {
            DecodeAll(parsed, files, Decode);
        }

        work.Finish();

        if (json)
        {
            _terminal.WriteJson(writer => WriteJson(writer, pictures));
        }
        else if (_terminal.HasTables && pictures.Count > 0)
        {
            _terminal.Write(ToTable(pictures));
        }

        return exitCode;

        void Decode(string file, Func<LatentInput> open)
        {
            try
            {
                foreach (DecodedPicture picture in this.Decode(parsed, work, file, open(), folder))
                {
                    if (json || _terminal.HasTables)
                    {
                        pictures.Add(picture);
                    }
                    else
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
        }
    }

    /// <summary>Decodes file after file; the next one is read meanwhile.</summary>
    void DecodeAll(ParseResult parsed, string[] files, Action<string, Func<LatentInput>> decode)
    {
        int next = 0;
        Task<LatentInput> ahead = Read();
        _terminal.ForEach(files, file => Path.GetFileName(file), file =>
        {
            Task<LatentInput> now = ahead;
            decode(file, () =>
            {
                try
                {
                    return now.GetAwaiter().GetResult();
                }
                finally
                {
                    ahead = Read();
                }
            });
        });

        Task<LatentInput> Read()
        {
            string? file = next < files.Length ? files[next++] : null;
            return file is null ? Task.FromResult<LatentInput>(null!) : Task.Run(() => _latent.Open(parsed, file));
        }
    }

    /// <summary>Decodes what is in the folders and what appears there, until Ctrl-C or a request to end.</summary>
    static void Follow(string[] paths, Action<string> decode)
    {
        using ManualResetEventSlim ended = new();
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
        foreach (string file in FolderWatch.Follow(paths, () => !ended.Wait(FolderWatch.Interval)).TakeWhile(_ => !ended.IsSet))
        {
            decode(file);
        }

        void End(PosixSignalContext signal)
        {
            signal.Cancel = true;
            ended.Set();
        }
    }

    IEnumerable<DecodedPicture> Decode(ParseResult parsed, DecodeWork work, string file, LatentInput input, string folder)
    {
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

        PreviewRenderer renderer = work.Begin(input.Format);
        if (_clip.IsAsked(parsed) || _latent.WantsAllFrames(parsed))
        {
            foreach (DecodedPicture picture in DecodeClip(parsed, work, renderer, file, folder, input, options))
            {
                yield return picture;
            }

            yield break;
        }

        bool oneOfMany = batch > 1 && !parsed.GetValue(_grid);
        int[] items = parsed.GetValue(_grid) ? [0] : parsed.GetValue(_item) is { } item ? [item] : [.. Enumerable.Range(0, batch)];
        renderer.Stage(input.View, options with { Item = items[0] });
        if (work.Decoder is null)
        {
            Load(parsed, renderer, work);
        }

        foreach (int index in items)
        {
            if (index != items[0])
            {
                renderer.Stage(input.View, options with { Item = index });
            }

            PreviewResult result = work.Render(options with { Item = index });
            string part = oneOfMany ? string.Create(CultureInfo.InvariantCulture, $".{index}") : "";
            string path = Path.Combine(folder, $"{Path.GetFileNameWithoutExtension(file)}{part}.{work.Description.Id.Replace(':', '-')}.{_kind.Name(parsed)}");
            work.Write(_written.Add(path, file), result.ByteLength);
            yield return new(file, path, input, work.Description, result);
        }
    }

    /// <summary>Loads the decoder asked for, or with <c>auto</c> the best that --memory allows for what is staged.</summary>
    void Load(ParseResult parsed, PreviewRenderer renderer, DecodeWork work)
    {
        IReadOnlyList<DecoderEntry> entries = LatentDecoders.For(renderer.Format, _weights);
        string id = parsed.GetValue(_decoder)!;
        int megabytes = parsed.GetValue(_memory);
        string problem = "";
        foreach (DecoderEntry entry in id == "auto" && megabytes > 0 ? entries : [entries.Choose(id, renderer.Format)])
        {
            ILatentDecoder decoder = entry.Load();
            (int width, int height) = decoder.Description.OutputSize(renderer.PlaneHeight, renderer.PlaneWidth);
            long needed = (decoder.WorkingBytes(renderer.PlaneHeight, renderer.PlaneWidth) + (3L * width * height)) / (1024 * 1024) + 1; // its own, and the picture that it writes into
            if (megabytes == 0 || needed <= megabytes)
            {
                // Another size may need another decoder where memory is limited.
                work.Take(decoder, decoder.Description with { Id = entry.Description.Id }, isKept: !entry.Stateful && megabytes == 0);
                return;
            }

            decoder.Dispose();
            problem = $"{entry.Description.Id} needs {needed} MB for a picture of {width} x {height}, and --memory allows {megabytes} MB. Allow {needed}{(id == "auto" ? "" : ", or choose a smaller decoder with --decoder, or auto")}.";
        }

        throw new LatentBridgeException(problem);
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
