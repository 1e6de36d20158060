using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using LatentBridge.Decoders;
using LatentBridge.Decoders.Tiny;
using LatentBridge.Files;
using LatentBridge.Fitting;
using LatentBridge.Fitting.Training;
using LatentBridge.Formats;
using LatentBridge.Host.Fit;
using LatentBridge.Host.Output;
using LatentBridge.Weights;

namespace LatentBridge.Host.Commands;

/// <summary><c>latentbridge train PICTURE...</c>: trains a tiny decoder on pairs of latent and picture.</summary>
sealed class TrainCommand
{
    /// <summary>What <c>--format</c> says of a latent space that has no format.</summary>
    const string UnknownFormat = "unknown";

    /// <summary>One pair in so many is only measured with.</summary>
    const int HeldOutShare = 5;

    /// <summary>Of the full picture's side, what the decoder's picture has: half.</summary>
    const int Reduction = 2;

    const int StepsBetweenCheckpoints = 100;

    readonly Terminal _terminal;
    readonly Argument<string[]> _pictures = new Argument<string[]>("PICTURE")
    {
        Description = "Pictures, or folders of them, with their latents: files of the same names, or a trainer's caches. Pictures without latents: --vae.",
        Arity = ArgumentArity.ZeroOrMore,
    }.WithoutOptions();

    readonly Option<string[]> _pairs = new("--pairs") { Description = "The same.", HelpName = "DIR", DefaultValueFactory = _ => [], AllowMultipleArgumentsPerToken = true };
    readonly Option<string?> _format = new("--format", "-f") { Description = "Latent format, or unknown; default: what the first latent's file says.", HelpName = "ID" };
    readonly Option<string?> _vae = new("--vae") { Description = "Make the pairs from pictures: taesd encodes and decodes them.", HelpName = "taesd" };
    readonly Option<int[]> _scales = new("--scales") { Description = "With --vae: each picture is reduced to 1/N of its side, for each N.", HelpName = "N", DefaultValueFactory = _ => [1], AllowMultipleArgumentsPerToken = true };
    readonly Option<int> _early = new Option<int>("--early") { Description = "With --vae: percentage of the pairs whose latents are made like those of a sampler's early steps.", HelpName = "N", DefaultValueFactory = _ => 33 }.Within(0, 100);
    readonly Option<string?> _output = new("--output", "-o") { Description = "The decoder's file; default: tiny-FORMAT.safetensors.", HelpName = "FILE" };
    readonly Option<string[]> _test = new("--test") { Description = "Pictures, or folders of them, to measure with instead of a fifth of the pairs.", HelpName = "PICTURE", DefaultValueFactory = _ => [] };
    readonly Option<int> _side = new Option<int>("--side") { Description = "Pixels per cell and side: 1, 2, 4, 8 or 16; 0: half the picture's side.", HelpName = "N" };
    readonly Option<string> _from = new("--from") { Description = "First weights: auto, linear, or a tiny decoder's file.", HelpName = "FILE", DefaultValueFactory = _ => "auto" };
    readonly Option<int> _steps = new Option<int>("--steps") { Description = "Training steps; 0: as many as the pairs are worth.", HelpName = "N" }.Within(0, 10_000_000);
    readonly Option<double> _rate = new("--rate") { Description = "Adam's first rate; smaller to go on from a decoder that is good already.", HelpName = "N", DefaultValueFactory = _ => TrainingPlan.DefaultRate };
    readonly Option<string?> _checkpoint = new("--checkpoint") { Description = "A file to save the training in now and then, and to go on from.", HelpName = "FILE" };
    readonly Option<int> _seed = new("--seed") { Description = "What batches and first weights follow from.", HelpName = "N" };
    readonly Option<string?> _licence = new("--licence") { Description = "Licence that the file names.", HelpName = "TEXT" };
    readonly Option<string[]> _models = new("--models") { Description = "More folders of weights.", HelpName = "DIR", DefaultValueFactory = _ => [] };
    readonly Option<int> _threads = OptionExtensions.Threads("it");
    readonly Option<bool> _json;

    TrainCommand(Terminal terminal, Command command)
    {
        _terminal = terminal;
        _vae.AcceptOnlyFromAmong("taesd");
        _side.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && result.Tokens[0].Value != "0" && !TinyDecoder.Sides.Select(side => $"{side}").Contains(result.Tokens[0].Value))
            {
                result.AddError($"--side {result.Tokens[0].Value}: expected 0, 1, 2, 4, 8 or 16.");
            }
        });
        command.Add(_pictures);
        command.Add(_pairs, _format, _vae, _scales, _early, _output, _test, _side, _from, _steps, _rate, _checkpoint, _seed, _licence, _models, _threads);
        _json = command.Json();
        command.SetAction(Run);
    }

    internal static Command Create(Terminal terminal)
    {
        Command command = new("train", "Train a tiny decoder, sharp and fast, on pairs of latent and picture.");
        _ = new TrainCommand(terminal, command);
        return command;
    }

    int Run(ParseResult parsed)
    {
        int threads = parsed.ThreadCount(_threads), seed = parsed.GetValue(_seed);
        WeightLibrary weights = LatentDecoders.WeightsOfThisMachine(parsed.GetValue(_models));
        (TrainingPair[] training, TrainingPair[] heldOut) = FindPairs(parsed, seed);
        LatentFormat format = FormatOf(parsed, training[0]);
        int side = SideOf(parsed, training[0], format);
        (PicturePair[] pairs, PicturePair[] others) = Read(parsed, format, weights, training, heldOut, side, threads);

        (TrainedWeights first, string from) = First(parsed, pairs, format, weights, seed, threads);
        TrainingPlan plan = new(parsed.GetValue(_steps) is > 0 and int steps ? steps : TrainingPlan.StepsFor(pairs.Length), seed, parsed.GetValue(_rate));
        TimeSpan before = Process.GetCurrentProcess().TotalProcessorTime;
        TrainedWeights trained = Train(pairs, first, plan, threads, parsed.GetValue(_checkpoint));
        double minutes = (Process.GetCurrentProcess().TotalProcessorTime - before).TotalMinutes;

        List<(string Name, DecoderMeasure Measure)> rows = Measure(format, weights, pairs, others, threads);
        using ILatentDecoder decoder = trained.ToDecoder();
        DecoderMeasure reached = DecoderMeasure.Of(decoder, others, threads);
        string path = parsed.GetValue(_output) ?? $"tiny-{format.Id}.safetensors";
        trained.Write(path, Metadata(parsed, format, pairs.Length, others.Length, reached, from, plan));
        Write(parsed, path, pairs.Length, others.Length, [.. rows, ("trained", reached)], minutes, from, plan);
        return ExitCode.Done;
    }

    (TrainingPair[] Training, TrainingPair[] HeldOut) FindPairs(ParseResult parsed, int seed)
    {
        string[] places = [.. parsed.GetValue(_pictures)!, .. parsed.GetValue(_pairs)!];
        if (places.Length == 0)
        {
            throw new InputException("No pictures were named: give a folder of pictures and their latents, or pictures and --vae taesd.");
        }

        string[] test = parsed.GetValue(_test)!;
        TrainingPair[] all = [.. TrainingPair.Find(places, test.Length > 0 ? 1 : 2, _terminal.Note)];
        if (all[0].Latent is null != (parsed.GetValue(_vae) is not null))
        {
            throw new InputException(all[0].Latent is null
                ? $"\"{all[0].Picture}\" and the others have no latents next to them. --vae taesd makes them; for another VAE put each latent next to its picture, under the same name."
                : $"\"{all[0].Picture}\" has its latent \"{all[0].Latent}\"; --vae is for pictures without. Leave it out.");
        }

        if (test.Length > 0)
        {
            return (all, [.. TrainingPair.Find(test, 1, _terminal.Note)]);
        }

        new Random(seed).Shuffle(all);
        int held = Math.Max(1, all.Length / HeldOutShare);
        return (all[held..], all[..held]);
    }

    LatentFormat FormatOf(ParseResult parsed, TrainingPair first)
    {
        string? id = parsed.GetValue(_format);
        if (id == UnknownFormat || id is null)
        {
            string file = first.Latent ?? throw new InputException("With --vae the latent format is needed: --format SDXL, for instance.");
            LatentInput input = LatentInput.Open(file, new());
            if (id is null)
            {
                _terminal.Note($"Format {input.Format.Id} ({input.FormatReason}).");
                return input.Format;
            }

            return LatentFormat.Unknown(input.Shape.Channels, input.Shape.Frames > 1 ? 3 : 2);
        }

        return LatentFormats.Find(id) ?? throw new InputException($"There is no latent format \"{id}\". Name one that `models list` shows, or {UnknownFormat}.");
    }

    /// <summary>Half the full picture's side, or the nearest there is below.</summary>
    int SideOf(ParseResult parsed, TrainingPair first, LatentFormat format)
    {
        if (parsed.GetValue(_side) is > 0 and int asked)
        {
            return asked;
        }

        int compression = format.SpatialCompression / format.Unpack;
        if (format.Process == LatentProcess.Unknown && first.Latent is { } file)
        {
            compression = Math.Max(1, PictureFiles.Read(first.Picture, 1).Width / LatentInput.Open(file, new()).Shape.Width);
        }

        return TinyDecoder.Sides.Last(side => side <= Math.Max(1, compression / Reduction));
    }

    (PicturePair[] Pairs, PicturePair[] Others) Read(
        ParseResult parsed, LatentFormat format, WeightLibrary weights, TrainingPair[] training, TrainingPair[] heldOut, int side, int threads)
    {
        int[] scales = parsed.GetValue(_vae) is null ? [1] : [.. parsed.GetValue(_scales)!.Distinct()];
        Random random = new(parsed.GetValue(_seed));
        int early = parsed.GetValue(_vae) is null ? 0 : parsed.GetValue(_early);
        using PairReader reader = new(format, weights, parsed.GetValue(_vae) is not null, threads);
        List<PicturePair> pairs = [], others = [];
        (TrainingPair Pair, int Scale, List<PicturePair> To)[] readings =
            [.. training.SelectMany(pair => scales.Select(scale => (pair, scale, pairs))), .. heldOut.Select(pair => (pair, 1, others))];
        _terminal.ForEach(readings, reading => Path.GetFileName(reading.Pair.Picture), reading =>
        {
            PicturePair pair = reader.Read(reading.Pair, side, reading.Scale, reading.To == pairs && random.Next(100) < early ? new(random) : null);
            if (pair.Channels != format.PlaneChannels)
            {
                throw new InputException($"\"{reading.Pair.Latent}\" has {pair.Channels} channels; format {format.Id} has {format.PlaneChannels}. Say which format it is: --format.");
            }

            if (PairCheck.Problem(pair) is { } problem)
            {
                _terminal.Note($"{reading.Pair.Picture} is left out: {problem}");
            }
            else
            {
                reading.To.Add(pair);
            }
        });
        return pairs.Count > 0 && others.Count > 0 ? ([.. pairs], [.. others]) : throw new InputException("Too few pairs are left: at least one to learn from and one to measure with.");
    }

    (TrainedWeights First, string From) First(ParseResult parsed, PicturePair[] pairs, LatentFormat format, WeightLibrary weights, int seed, int threads)
    {
        string from = parsed.GetValue(_from)!;
        if (from == "linear")
        {
            return (FirstWeights.FromLinearFit(pairs, pairs[0].Side, seed), "the linear fit");
        }

        string[] files = from != "auto" ? [from]
            : [.. weights.Found.Where(found => found.Architecture == TrainedWeights.ArchitectureName && found.Channels == format.PlaneChannels && found.Problem is null).Select(found => found.Path)];
        if (from != "auto")
        {
            TrainedWeights given = TrainedWeights.Read(from);
            return given.Channels == pairs[0].Channels && given.Side % pairs[0].Side == 0 ? (given.Reduce(pairs[0].Side), Path.GetFileName(from))
                : throw new InputException($"--from \"{from}\" reads {given.Channels} channels and shows {given.Side} pixels a cell; {pairs[0].Channels} and a multiple of {pairs[0].Side} were expected.");
        }

        (TrainedWeights best, int relative) = FirstWeights.Choose(pairs, [.. files.Select(TrainedWeights.Read)], seed, threads);
        return (best, relative < 0 ? "the linear fit" : Path.GetFileName(files[relative]));
    }

    TrainedWeights Train(PicturePair[] pairs, TrainedWeights first, TrainingPlan plan, int threads, string? checkpoint)
    {
        using TinyTrainer trainer = new(pairs, first, plan, threads);
        if (checkpoint is not null && File.Exists(checkpoint))
        {
            using TensorFile saved = TensorFile.Open(checkpoint);
            if (!trainer.Restore(saved))
            {
                throw new InputException($"--checkpoint \"{checkpoint}\" is of another training: other channels or pixels a cell. Name another file, or delete this one.");
            }

            _terminal.Note($"Goes on after step {trainer.StepsDone}.");
        }

        _terminal.ForEach([.. Enumerable.Range(trainer.StepsDone, Math.Max(0, plan.Steps - trainer.StepsDone))], step => $"step {step + 1}", step =>
        {
            trainer.Step();
            if (checkpoint is not null && trainer.StepsDone % StepsBetweenCheckpoints == 0)
            {
                SafetensorsWriter.Write(checkpoint, trainer.Save(), new Dictionary<string, string>());
            }
        });
        return trainer.Weights();
    }

    /// <summary>The linear map of the same pairs, and what there is for the format anyway.</summary>
    static List<(string Name, DecoderMeasure Measure)> Measure(LatentFormat format, WeightLibrary weights, PicturePair[] pairs, PicturePair[] others, int threads)
    {
        ColourFit fit = new(format.PlaneChannels, 1);
        foreach (PicturePair pair in pairs)
        {
            fit.Add(pair.Planes, pair.Reduce(1).Pixels, heldOut: false, threads);
        }

        using ILatentDecoder linear = fit.Solve(ColourMapKind.Linear).ToDecoder();
        List<(string Name, DecoderMeasure Measure)> rows = [("linear map of these pairs", DecoderMeasure.Of(linear, others, threads))];
        foreach (DecoderEntry entry in LatentDecoders.For(format, weights).Where(entry => !entry.Stateful && entry.Description.MultiplyAddsPerCell < 1_000_000))
        {
            using ILatentDecoder decoder = entry.Load();
            rows.Add(($"{entry.Description.Id} ({entry.Description.Source})", DecoderMeasure.Of(decoder, others, threads)));
        }

        return rows;
    }

    Dictionary<string, string> Metadata(ParseResult parsed, LatentFormat format, int pairs, int others, DecoderMeasure reached, string from, TrainingPlan plan)
    {
        Dictionary<string, string> metadata = new()
        {
            ["latent_format"] = format.Id,
            ["pairs"] = pairs.ToString(CultureInfo.InvariantCulture),
            ["psnr"] = reached.Psnr.ToString("0.00", CultureInfo.InvariantCulture),
            ["source"] = string.Create(
                CultureInfo.InvariantCulture,
                $"latentbridge train: {pairs} pairs, from {from}, {plan.Steps} steps, seed {plan.Seed}; {reached.Psnr:0.00} dB, CIEDE2000 {reached.Colour:0.00} on {others} others"),
        };
        if (parsed.GetValue(_vae) is { } vae)
        {
            metadata["distilled_from"] = vae;
            metadata["early"] = $"{parsed.GetValue(_early)} % of the latents as of early steps";
        }

        if (parsed.GetValue(_licence) is { } licence)
        {
            metadata["licence"] = licence;
        }

        return metadata;
    }

    void Write(ParseResult parsed, string path, int pairs, int others, (string Name, DecoderMeasure Measure)[] rows, double minutes, string from, TrainingPlan plan)
    {
        if (parsed.GetValue(_json))
        {
            _terminal.WriteJson(json =>
            {
                json.WriteStartObject();
                json.WritePropertyName("file");
                json.WriteValue(path);
                json.WritePropertyName("pairs");
                json.WriteValue(pairs);
                json.WritePropertyName("processorMinutes");
                json.WriteValue(Math.Round(minutes, 2));
                foreach ((string name, DecoderMeasure measure) in rows)
                {
                    json.WritePropertyName(name);
                    json.WriteStartArray();
                    json.WriteValue(Math.Round(measure.Psnr, 2));
                    json.WriteValue(Math.Round(measure.Colour, 2));
                    json.WriteEndArray();
                }

                json.WriteEndObject();
            });
            return;
        }

        TextTable table = new("decoder", "PSNR dB>", "CIEDE2000>");
        foreach ((string name, DecoderMeasure measure) in rows)
        {
            table.Add(name, measure.Psnr.ToString("0.00", CultureInfo.InvariantCulture), measure.Colour.ToString("0.00", CultureInfo.InvariantCulture));
        }

        _terminal.Write(table);
        _terminal.Say(string.Create(
            CultureInfo.InvariantCulture,
            $"{path}: trained on {pairs} pairs from {from}, {plan.Steps} steps, {minutes:0.0} minutes of one core; measured on {others} others, one pixel a cell. Put it into a folder of weights to use it; `models list` shows it."));
    }
}
