using System.CommandLine;
using System.Globalization;
using LatentBridge.Decoders;
using LatentBridge.Host.Compare;
using LatentBridge.Host.Output;
using LatentBridge.Previews;
using LatentBridge.Weights;

namespace LatentBridge.Host.Commands;

/// <summary><c>latentbridge compare FILE...</c>: the same latent through the C# decoders and through others'.</summary>
sealed class CompareCommand
{
    const string Any = "python", Onnx = "onnx", Model = ".onnx";

    static readonly string[] Others = [Any, .. References.Libraries, Onnx];

    /// <summary>The endings of what a folder is searched for.</summary>
    static readonly string[] Endings = [".safetensors", ".latent", ".npy", ".npz", ".pt", ".pth"];

    readonly Terminal _terminal;
    readonly Argument<string[]> _files = new Argument<string[]>("FILE") { Description = "Latents, or folders of them.", Arity = ArgumentArity.OneOrMore }.WithoutOptions();
    readonly Option<string[]> _decoders = OptionExtensions.Decoders("all of the format that Python has too");
    readonly Option<string> _against = new("--against") { Description = "numpy: per-pixel decoders; torch: networks; python: both; diffusers: AutoencoderTiny; onnx: networks, converted; or an ONNX model.", HelpName = "python|torch|numpy|diffusers|onnx|FILE.onnx", DefaultValueFactory = _ => Any };
    readonly Option<string?> _python = new("--python") { Description = "The Python to use; default: the first that has NumPy and PyTorch.", HelpName = "PATH" };
    readonly Option<bool> _embedded = new("--embedded") { Description = "Run Python inside this process instead of in a child (not in a published program, which is trimmed)." };
    readonly Option<string?> _report = new("--report", "--output", "-o") { Description = "Write a page with the pictures and their differences.", HelpName = "HTML" };
    readonly Option<int> _tolerance = new Option<int>("--tolerance") { Description = "Largest difference of a value, in levels of 255, that is tolerated; beyond it the exit code is 1.", HelpName = "N", DefaultValueFactory = _ => 1 }.Within(0, 255);
    readonly Option<int> _runs = new Option<int>("--runs") { Description = "Decodes per picture; the fastest counts.", HelpName = "N", DefaultValueFactory = _ => 2 }.Within(1, 1000);
    readonly Option<int> _item = new Option<int>("--item") { Description = "Item of a batch, counted from 0.", HelpName = "I" }.Within(0, int.MaxValue);
    readonly Option<int> _threads = OptionExtensions.Threads("each side");
    readonly Option<string[]> _models = new("--models") { Description = "More folders of weights.", HelpName = "DIR", DefaultValueFactory = _ => [] };
    readonly Option<bool> _json;
    readonly LatentOptions _latent;

    CompareCommand(Terminal terminal, Command command)
    {
        _terminal = terminal;
        _against.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string>() is { } against && !Others.Contains(against) && !against.EndsWith(Model, StringComparison.OrdinalIgnoreCase))
            {
                result.AddError($"--against \"{against}\" is not known: {string.Join(", ", Others)} are, and ONNX models.");
            }
        });
        command.Add(_files);
        _latent = new(command);
        command.Add(_decoders, _against, _python, _embedded, _report, _tolerance, _runs, _item, _threads, _models);
        _json = command.Json();
        command.SetAction(Run);
    }

    internal static Command Create(Terminal terminal)
    {
        Command command = new("compare", "Compare the C# decoders with Python's (NumPy, PyTorch, diffusers) or ONNX Runtime on the same latents: differences, quality, time, memory.");
        _ = new CompareCommand(terminal, command);
        return command;
    }

    int Run(ParseResult parsed)
    {
        string[] files = [.. parsed.GetValue(_files)!.SelectMany(Files)];
        WeightLibrary weights = LatentDecoders.WeightsOfThisMachine(parsed.GetValue(_models));
        int threads = parsed.ThreadCount(_threads);
        using IReference reference = Reference(parsed);
        Comparer comparer = new(weights, reference, threads, parsed.GetValue(_runs));

        List<Comparison> comparisons = [];
        int exitCode = ExitCode.Done;
        _terminal.ForEach(files, file => Path.GetFileName(file), file =>
        {
            try
            {
                Compare(parsed, file, weights, comparer, reference, comparisons, ref exitCode);
            }
            catch (InputException failure)
            {
                _terminal.Note(failure.Message);
                exitCode = ExitCode.Usage;
            }
        });

        comparisons.Sort(Comparison.ByDifference);
        int tolerance = parsed.GetValue(_tolerance);
        Write(comparisons, tolerance, reference, parsed.GetValue(_json));
        if (parsed.GetValue(_report) is { } report && comparisons.Count > 0)
        {
            File.WriteAllText(report, ReportPage.Write(comparisons, tolerance, reference, threads, parsed.GetValue(_runs)));
            _terminal.Note($"Report: {Path.GetFullPath(report)}");
        }

        bool isBeyond = comparisons.Count == 0 || comparisons[0].Difference.Maximum > tolerance;
        return exitCode == ExitCode.Done && isBeyond ? ExitCode.Failed : exitCode;
    }

    void Compare(ParseResult parsed, string file, WeightLibrary weights, Comparer comparer, IReference reference, List<Comparison> comparisons, ref int exitCode)
    {
        LatentInput input = _latent.Open(parsed, file);
        int item = parsed.GetValue(_item);
        if (item >= input.Shape.Batch)
        {
            throw new InputException($"\"{file}\" holds {input.Shape.Batch} {(input.Shape.Batch == 1 ? "latent" : "latents")}; there is no item {item}. Items are counted from 0.");
        }

        using PreviewRenderer renderer = new(input.Format);
        renderer.Stage(input.View, _latent.Apply(parsed, PreviewOptions.Default) with { Batch = BatchChoice.Item, Item = item });
        foreach (DecoderEntry entry in Entries(parsed, input, weights, reference))
        {
            if (comparer.Compare(entry, input, renderer.Planes(0), out string? problem) is { } comparison)
            {
                comparisons.Add(comparison);
                ReportPage.KeepWorst(comparisons, parsed.GetValue(_report) is null ? 0 : ReportPage.MaximumPictures);
            }
            else
            {
                _terminal.Note($"{Path.GetFileName(file)}, {entry.Description.Id}: not compared: {problem}");
                exitCode = Math.Max(exitCode, ExitCode.Failed);
            }
        }
    }

    IEnumerable<DecoderEntry> Entries(ParseResult parsed, LatentInput input, WeightLibrary weights, IReference reference)
    {
        IReadOnlyList<DecoderEntry> all = LatentDecoders.For(input.Format, weights);
        return parsed.Named(_decoders) is { Length: > 0 } named
            ? named.Select(id => all.Choose(id, input.Format))
            : all.Where(entry => reference.Library(entry.Description) is not null);
    }

    IReference Reference(ParseResult parsed)
    {
        string against = parsed.GetValue(_against)!;
        if (against == Onnx || against.EndsWith(Model, StringComparison.OrdinalIgnoreCase))
        {
            return against == Onnx ? new OnnxReference(null)
                : File.Exists(against) ? new OnnxReference(against)
                : throw new InputException($"\"{against}\" does not exist.");
        }

        if (parsed.GetValue(_embedded))
        {
            return new EmbeddedReference(parsed.GetValue(_python), against);
        }

        return new PythonReference(ReferencePython.Start(parsed.GetValue(_python), against == Any ? [References.NumPy, References.Torch] : [against]), against);
    }

    static string[] Files(string path)
    {
        if (!Directory.Exists(path))
        {
            return File.Exists(path) ? [path] : throw new InputException($"\"{path}\" is neither a file nor a folder.");
        }

        string[] files = [.. Directory.GetFiles(path).Where(file => Endings.Contains(Path.GetExtension(file))).Order(StringComparer.Ordinal)];
        return files.Length > 0 ? files : throw new InputException($"The folder \"{path}\" has no latents ({string.Join(", ", Endings)}).");
    }

    void Write(List<Comparison> comparisons, int tolerance, IReference reference, bool json)
    {
        int beyond = comparisons.Count(comparison => comparison.Difference.Maximum > tolerance);
        if (json)
        {
            _terminal.WriteJson(writer =>
            {
                writer.WriteStartObject();
                writer.WritePropertyName("reference");
                writer.WriteValue(reference.Description);
                writer.WritePropertyName("tolerance");
                writer.WriteValue(tolerance);
                writer.WritePropertyName("beyondTolerance");
                writer.WriteValue(beyond);
                writer.WritePropertyName("comparisons");
                writer.WriteStartArray();
                comparisons.ForEach(comparison => comparison.WriteJson(writer, tolerance));
                writer.WriteEndArray();
                writer.WriteEndObject();
            });
            return;
        }

        if (comparisons.Count == 0)
        {
            _terminal.Say("Nothing was compared.");
            return;
        }

        TextTable table = new(
            "latent", "decoder", "against", "size", "max>", "99.9 %>", "mean>", "PSNR dB>", "SSIM>", "CIEDE2000>", "C# ms>", $"{reference.Name} ms>", "C# MB>", $"{reference.Name} MB>", "");
        foreach (Comparison row in comparisons)
        {
            PictureDifference difference = row.Difference;
            table.Add(
                Path.GetFileName(row.File), row.Decoder.Id, row.Reference, row.Size, $"{difference.Maximum}", $"{difference.Percentile999}", Number(difference.Mean, "0.00000"),
                Number(difference.Psnr, "0.0"), Number(difference.Ssim, "0.00000"), Number(difference.ColourMean, "0.0000"), Number(row.Ours.Milliseconds, "0.00"),
                Number(row.Theirs.Milliseconds, "0.00"), Number(row.Ours.MemoryBytes / 1e6, "0.0"), Number(row.Theirs.MemoryBytes / 1e6, "0.0"),
                difference.Maximum > tolerance ? "beyond" : "");
        }

        _terminal.Write(table);
        _terminal.Say($"{comparisons.Count} compared with {reference.Description}, worst first; differences in levels of 255. "
            + (beyond == 0 ? $"None beyond {tolerance}." : $"{beyond} beyond {tolerance}."));
    }

    /// <summary>A number for people: the same everywhere, a dash for none.</summary>
    internal static string Number(double? value, string format) => value switch
    {
        null => "-",
        double.PositiveInfinity => "equal",
        { } number => number.ToString(format, CultureInfo.InvariantCulture),
    };
}
