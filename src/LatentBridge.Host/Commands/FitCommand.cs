using System.CommandLine;
using System.Globalization;
using LatentBridge.Decoders;
using LatentBridge.Decoders.Linear;
using LatentBridge.Fitting;
using LatentBridge.Formats;
using LatentBridge.Host.Fit;
using LatentBridge.Host.Output;

namespace LatentBridge.Host.Commands;

/// <summary><c>latentbridge fit PAIR... -f FORMAT</c>: fits colour maps to pairs of latent and picture.</summary>
sealed class FitCommand
{
    static readonly Dictionary<string, ColourMapKind> Kinds = new()
    {
        ["linear-without-bias"] = ColourMapKind.LinearWithoutBias,
        ["linear"] = ColourMapKind.Linear,
        ["quadratic"] = ColourMapKind.Quadratic,
        ["cubic"] = ColourMapKind.Cubic,
        ["mlp"] = ColourMapKind.Mlp,
        ["linear3x3"] = ColourMapKind.Linear3x3,
        ["mlp3x3"] = ColourMapKind.Mlp3x3,
    };

    readonly Terminal _terminal;
    readonly Argument<string[]> _pairs = new Argument<string[]>("PICTURE")
    {
        Description = "PNG pictures, or folders of them, next to latent files of the same names; without latent files, TAESD's encoder makes the latents.",
        Arity = ArgumentArity.OneOrMore,
    }.WithoutOptions();

    readonly Option<string> _format = new Option<string>("--format", "-f") { Description = "Latent format of the map.", HelpName = "ID", Required = true }.OfLatentFormats();
    readonly Option<string[]> _kinds = new("--kind", "-k")
    {
        Description = "What to fit.",
        HelpName = "linear-without-bias|linear|quadratic|cubic|mlp|linear3x3|mlp3x3",
        DefaultValueFactory = _ => ["linear", "quadratic", "cubic"],
        AllowMultipleArgumentsPerToken = true,
    };

    readonly Option<string> _folder = new("--output", "-o") { Description = "Folder for the maps.", HelpName = "DIR", DefaultValueFactory = _ => "." };
    readonly Option<string> _target = new("--target") { Description = "Target colours: the pictures', or those of TAESD's decode of the latents.", HelpName = "picture|taesd", DefaultValueFactory = _ => "picture" };
    readonly Option<int> _heldOut = new Option<int>("--held-out") { Description = "Percentage of the pairs that is held out for measuring.", HelpName = "N", DefaultValueFactory = _ => 25 }.Within(1, 90);
    readonly Option<string[]> _test = new("--test") { Description = "Pictures, or folders of them, to measure with instead of held-out pairs.", HelpName = "PICTURE", DefaultValueFactory = _ => [] };
    readonly Option<int[]> _scales = new("--scales")
    {
        Description = "Divisors: each training picture is reduced to 1/N of its side, for each N.",
        HelpName = "N",
        DefaultValueFactory = _ => [1],
        AllowMultipleArgumentsPerToken = true,
    };

    readonly Option<double> _ridge = new("--ridge") { Description = "How strongly small coefficients are preferred, 0 or more.", HelpName = "X", DefaultValueFactory = _ => 1e-5 };
    readonly Option<int> _seed = new("--seed") { Description = "Seed for the choice of pairs and the mlp's initial weights.", HelpName = "N" };
    readonly Option<int> _hidden = new Option<int>("--hidden") { Description = "Width of the mlp's layers.", HelpName = "N", DefaultValueFactory = _ => 12 }.Within(1, 64);
    readonly Option<int> _steps = new Option<int>("--steps") { Description = "Training steps of the mlp, in batches of 512 cells.", HelpName = "N", DefaultValueFactory = _ => 8000 }.Within(1, 1_000_000);
    readonly Option<string[]> _models = new("--models") { Description = "More folders of weights.", HelpName = "DIR", DefaultValueFactory = _ => [] };
    readonly Option<int> _threads = OptionExtensions.Threads("it");
    readonly Option<bool> _json;

    FitCommand(Terminal terminal, Command command)
    {
        _terminal = terminal;
        _kinds.AcceptOnlyFromAmong([.. Kinds.Keys]);
        _target.AcceptOnlyFromAmong("picture", "taesd");
        _ridge.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && !(double.TryParse(result.Tokens[0].Value, CultureInfo.InvariantCulture, out double value) && value is >= 0 and <= 1))
            {
                result.AddError($"--ridge {result.Tokens[0].Value}: expected a number from 0 to 1.");
            }
        });
        _scales.Validators.Add(result =>
        {
            if (result.Tokens.Any(token => !int.TryParse(token.Value, out int divisor) || divisor is < 1 or > 16))
            {
                result.AddError("--scales: expected numbers from 1 to 16.");
            }
        });
        command.Add(_pairs);
        command.Add(_format, _kinds, _folder, _target, _heldOut, _test, _scales, _ridge, _seed, _hidden, _steps, _models, _threads);
        _json = command.Json();
        command.SetAction(Run);
    }

    internal static Command Create(Terminal terminal)
    {
        Command command = new("fit", "Fit colour maps to pairs of latent and picture: linear, quadratic, cubic, a small perceptron.");
        _ = new FitCommand(terminal, command);
        return command;
    }

    int Run(ParseResult parsed)
    {
        LatentFormat format = LatentFormats.Get(parsed.GetValue(_format)!);
        ColourMapKind[] kinds = [.. parsed.GetValue(_kinds)!.Select(kind => Kinds[kind]).Distinct()];
        int threads = parsed.ThreadCount(_threads);
        int seed = parsed.GetValue(_seed);
        int[] scales = [.. parsed.GetValue(_scales)!.Distinct().Order()];
        (TrainingPair[] fitted, TrainingPair[] heldOut) = FindPairs(parsed, seed);

        int degree = kinds.Contains(ColourMapKind.Cubic) ? 3 : kinds.Contains(ColourMapKind.Quadratic) ? 2 : 1;
        ColourFit? cells = kinds.All(LooksAround) ? null : new(format.PlaneChannels, degree, seed);
        ColourFit? neighbourhoods = kinds.Any(LooksAround) ? new(format.PlaneChannels, 1, seed, side: 3) : null;
        ColourFit fit = (cells ?? neighbourhoods)!;
        (TrainingPair Pair, int Divisor, bool HeldOut)[] readings =
            [.. fitted.SelectMany(pair => scales.Select(divisor => (pair, divisor, false))), .. heldOut.Select(pair => (pair, 1, true))];
        using (PairReader reader = new(format, LatentDecoders.WeightsOfThisMachine(parsed.GetValue(_models)), parsed.GetValue(_target) == "taesd", threads))
        {
            _terminal.ForEach(readings, reading => Path.GetFileName(reading.Pair.Picture), reading =>
            {
                (float[] planes, int width, byte[] rgb) = reader.Read(reading.Pair, reading.Divisor);
                cells?.Add(planes, rgb, reading.HeldOut, threads);
                neighbourhoods?.Add(planes, rgb, reading.HeldOut, threads, width);
            });
        }

        // Nothing is written before all of it is there: a failure leaves the old maps as they are.
        string source = Describe(parsed, fitted.Length, heldOut, scales, fit, seed);
        (FittedMap Map, double Psnr, string Path)[] maps = [.. kinds.Select(kind => Solve(parsed, kind, (LooksAround(kind) ? neighbourhoods : cells)!, format))];
        Directory.CreateDirectory(parsed.GetValue(_folder)!);
        foreach ((FittedMap map, double psnr, string path) in maps)
        {
            map.Write(path, format.Id, string.Create(CultureInfo.InvariantCulture, $"{source}; held-out PSNR {psnr:0.00} dB"));
        }

        (string Name, double Psnr)[] present = [.. format.RgbMaps.Select(map =>
        {
            using LinearDecoder decoder = new(format, map);
            return (decoder.Description.Id, fit.HeldOutPsnr(decoder));
        })];
        if (parsed.GetValue(_json))
        {
            WriteJson(fit, heldOut.Length, maps, present);
        }
        else
        {
            Write(fit, fitted.Length, heldOut.Length, maps, present);
        }

        return ExitCode.Done;
    }

    (FittedMap Map, double Psnr, string Path) Solve(ParseResult parsed, ColourMapKind kind, ColourFit fit, LatentFormat format)
    {
        FittedMap map = kind is ColourMapKind.Mlp or ColourMapKind.Mlp3x3
            ? _terminal.While("training the perceptron", () => fit.Train(parsed.GetValue(_hidden), parsed.GetValue(_steps)))
            : fit.Solve(kind, parsed.GetValue(_ridge));
        using ILatentDecoder decoder = map.ToDecoder();
        string name = Kinds.First(pair => pair.Value == kind).Key;
        return (map, fit.HeldOutPsnr(decoder), Path.Combine(parsed.GetValue(_folder)!, $"{name}-{format.Id}.safetensors"));
    }

    /// <summary>What a map's file says of its origin.</summary>
    string Describe(ParseResult parsed, int fittedCount, TrainingPair[] heldOut, int[] scales, ColourFit fit, int seed)
    {
        string measured = heldOut.Length <= 24 ? string.Join(" ", heldOut.Select(pair => Path.GetFileNameWithoutExtension(pair.Picture)).Order(StringComparer.Ordinal)) : $"{heldOut.Length} pictures";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"latentbridge fit: {fittedCount} pictures at 1/{string.Join(", 1/", scales)}, {fit.TrainingCellCount} cells, target {parsed.GetValue(_target)}, ridge {parsed.GetValue(_ridge)}, seed {seed}; held out {measured}");
    }

    /// <summary>The pairs to fit to, and the others to measure with.</summary>
    (TrainingPair[] Fitted, TrainingPair[] HeldOut) FindPairs(ParseResult parsed, int seed)
    {
        if (parsed.GetValue(_test) is { Length: > 0 } test)
        {
            return ([.. TrainingPair.Find(parsed.GetValue(_pairs)!, 1, _terminal.Note)], [.. TrainingPair.Find(test, 1, _terminal.Note)]);
        }

        TrainingPair[] pairs = [.. TrainingPair.Find(parsed.GetValue(_pairs)!, 2, _terminal.Note)];
        TrainingPair[] shuffled = [.. pairs];
        new Random(seed).Shuffle(shuffled);
        HashSet<TrainingPair> heldOut = [.. shuffled.Take(Math.Clamp((int)Math.Round(pairs.Length * parsed.GetValue(_heldOut) / 100.0), 1, pairs.Length - 1))];
        return ([.. pairs.Where(pair => !heldOut.Contains(pair))], [.. pairs.Where(heldOut.Contains)]);
    }

    void Write(ColourFit fit, int fitted, int heldOut, (FittedMap Map, double Psnr, string Path)[] maps, (string Name, double Psnr)[] present)
    {
        TextTable table = new("map", "numbers>", "held-out PSNR dB>", "file");
        foreach ((string name, double psnr) in present)
        {
            table.Add($"{name}, as it is", "", Number(psnr), "");
        }

        foreach ((FittedMap map, double psnr, string path) in maps)
        {
            table.Add(Kinds.First(kind => kind.Value == map.Kind).Key, map.NumberCount.ToString("N0", CultureInfo.InvariantCulture), Number(psnr), path);
        }

        _terminal.Write(table);
        _terminal.Say($"Fitted to {fitted} pictures, {fit.TrainingCellCount.ToString("N0", CultureInfo.InvariantCulture)} cells; measured on {heldOut} others. Put a map into a folder of weights to use it; `models list` shows it.");
    }

    void WriteJson(ColourFit fit, int heldOut, (FittedMap Map, double Psnr, string Path)[] maps, (string Name, double Psnr)[] present) => _terminal.WriteJson(json =>
    {
        json.WriteStartObject();
        json.WritePropertyName("trainingCells");
        json.WriteValue(fit.TrainingCellCount);
        json.WritePropertyName("heldOutPictures");
        json.WriteValue(heldOut);
        json.WritePropertyName("heldOutPsnr");
        json.WriteStartObject();
        foreach ((string name, double psnr) in present.Concat(maps.Select(map => (map.Path, map.Psnr))))
        {
            json.WritePropertyName(name);
            json.WriteValue(Math.Round(psnr, 3));
        }

        json.WriteEndObject();
        json.WriteEndObject();
    });

    static bool LooksAround(ColourMapKind kind) => kind is ColourMapKind.Linear3x3 or ColourMapKind.Mlp3x3;

    static string Number(double value) => value.ToString("0.00", CultureInfo.InvariantCulture);
}
