using System.CommandLine;
using System.Globalization;
using System.Security.Cryptography;
using LatentBridge.Decoders;
using LatentBridge.Decoders.Linear;
using LatentBridge.Files;
using LatentBridge.Formats;
using LatentBridge.Host.Output;
using LatentBridge.Onnx.Export;
using LatentBridge.Sessions;
using LatentBridge.Weights;
using Newtonsoft.Json;

namespace LatentBridge.Host.Commands;

/// <summary><c>latentbridge models</c>: which decoders and weights there are, and whether the files are what they seem.</summary>
static class ModelsCommand
{
    internal static Command Create(Terminal terminal)
    {
        Command list = new("list", "List the usable decoders with their weights and latent formats.");
        Option<string?> format = new Option<string?>("--format", "-f") { Description = "Only decoders of this latent format.", HelpName = "ID" }.OfLatentFormats();
        list.Add(format);
        Option<bool> listJson = list.Json();
        list.SetAction(parsed => List(terminal, parsed.GetValue(format), parsed.GetValue(listJson)));

        Command formats = new("formats", "List the latent formats, their properties and the models that use them.");
        Option<bool> formatsJson = formats.Json();
        formats.SetAction(parsed => Formats(terminal, parsed.GetValue(formatsJson)));

        Command verify = new("verify", "Compare the weights found with the checksums of the manifest; exit code 1 if weights that LatentBridge ships differ or are missing.");
        Option<bool> verifyJson = verify.Json();
        verify.SetAction(parsed => Verify(terminal, parsed.GetValue(verifyJson)));

        Command convert = new("convert", "Write a network (TAESD and its relatives, tiny) as an ONNX model: any batch and size, F32. `compare --against onnx` checks it against our own decoder.");
        Argument<string> file = new Argument<string>("FILE") { Description = "A weight file." }.WithoutOptions();
        Option<string?> output = new("--output", "-o") { Description = "The ONNX file; default: FILE's name with .onnx, in the current folder.", HelpName = "ONNX" };
        convert.Add(file);
        convert.Add(output);
        convert.SetAction(parsed => ConvertToOnnx(terminal, parsed.GetValue(file)!, parsed.GetValue(output)));

        return new Command("models", "List decoders, weights and latent formats.") { list, formats, verify, convert, LearnedCommands.Forget(terminal), LearnedCommands.RollBack(terminal) };
    }

    static int ConvertToOnnx(Terminal terminal, string file, string? output)
    {
        if (!File.Exists(file))
        {
            throw new InputException($"\"{file}\" {(Directory.Exists(file) ? "is a folder; a weight file is expected" : "does not exist")}.");
        }

        FoundWeights found = LatentDecoders.Networks.Look(file)[0];
        if (found.Problem is { } problem)
        {
            throw new InputException($"\"{file}\": {problem}");
        }

        output ??= found.Stem + ".onnx";
        byte[] model = OnnxExport.Convert(found);
        File.WriteAllBytes(output, model);
        terminal.Say($"{output}  {found.Title}  {(found.Formats.Count > 0 ? found.Formats[0] : "any format")}  {model.Length / 1e6:0.0} MB");
        return ExitCode.Done;
    }

    static int List(Terminal terminal, string? formatId, bool json)
    {
        WeightLibrary weights = LatentDecoders.WeightsOfThisMachine();
        IReadOnlyList<LatentFormat> formats = formatId is null ? LatentFormats.All : [LatentFormats.Get(formatId)];

        // The same decoder of the same file serves several formats; `built in` maps are one decoder for all of theirs.
        List<FoundDecoder> decoders =
        [
            .. formats
                .SelectMany(format => LatentDecoders.For(format, weights).Select(entry => (entry.Description, Format: format.Id)))
                .GroupBy(pair => (pair.Description.Id, Source: SourceOf(pair.Description)))
                .Select(group => new FoundDecoder(
                    group.First().Description, group.Key.Source, [.. group.Select(pair => pair.Format)], [.. group.Select(pair => pair.Description.MultiplyAddsPerCell)]))
                .OrderByDescending(decoder => decoder.Description.Quality)
                .ThenBy(decoder => decoder.Source, StringComparer.Ordinal),
        ];
        FoundWeights[] useless = [.. weights.Found.Where(found => found.Problem is not null)];
        LearnedModel[] calibrated = [.. LearnedModel.All().Where(model => formatId is null || model.Format.Id == formats[0].Id)];
        LearnedDecoder[] learned = [.. LearnedDecoder.All().Where(space => formatId is null || space.Format == formats[0].Id)];

        if (json)
        {
            terminal.WriteJson(writer => WriteJson(writer, weights, decoders, useless, calibrated, learned));
        }
        else
        {
            Write(terminal, weights, decoders, useless, calibrated);
            LearnedCommands.Write(terminal, learned);
            terminal.Say($"Weights are looked for in {(weights.Folders.Count == 0 ? "no folder" : string.Join(", ", weights.Folders))}; {WeightLibrary.FoldersVariable} names more.");
        }

        return ExitCode.Done;
    }

    static void WriteJson(JsonTextWriter writer, WeightLibrary weights, List<FoundDecoder> decoders, FoundWeights[] useless, LearnedModel[] calibrated, LearnedDecoder[] learned)
    {
        writer.WriteStartObject();
        WriteArray(writer, "folders", weights.Folders, folder => writer.WriteValue(folder));
        WriteArray(writer, "decoders", decoders, decoder =>
        {
            writer.WriteStartObject();
            WriteMember(writer, "id", decoder.Description.Id);
            WriteMember(writer, "source", decoder.Source);
            WriteMember(writer, "pixelsPerCell", decoder.Description.PixelsPerCell);
            WriteMember(writer, "multiplyAddsPerCell", decoder.Description.MultiplyAddsPerCell);
            WriteArray(writer, "formats", decoder.Formats, id => writer.WriteValue(id));
            writer.WriteEndObject();
        });
        WriteArray(writer, "unusable", useless, found =>
        {
            writer.WriteStartObject();
            WriteMember(writer, "file", found.Path);
            WriteMember(writer, "network", found.Title);
            WriteMember(writer, "problem", found.Problem!);
            writer.WriteEndObject();
        });
        WriteArray(writer, "calibrated", calibrated, model =>
        {
            writer.WriteStartObject();
            WriteMember(writer, "model", model.Model);
            WriteMember(writer, "format", model.Format.Id);
            WriteMember(writer, "pictures", model.Map.PictureCount);
            WriteMember(writer, "decibels", Math.Round(model.Map.Psnr, 2));
            WriteMember(writer, "shippedMap", ShippedMap(model) is { } shipped ? Math.Round(shipped, 2) : null);
            WriteMember(writer, "used", IsUsed(model, weights));
            WriteMember(writer, "when", model.When.ToUniversalTime());
            writer.WriteEndObject();
        });
        WriteArray(writer, "learned", learned, space =>
        {
            writer.WriteStartObject();
            WriteMember(writer, "space", space.Space);
            WriteMember(writer, "format", space.Format);
            WriteMember(writer, "kept", space.Kept);
            WriteMember(writer, "bytes", space.Bytes);
            WriteMember(writer, "pictures", space.Pictures);
            WriteMember(writer, "decibels", space.Psnr);
            WriteMember(writer, "when", space.When?.ToUniversalTime());
            WriteMember(writer, "canRollBack", space.HasBefore);
            writer.WriteEndObject();
        });
        writer.WriteEndObject();
    }

    static void Write(Terminal terminal, WeightLibrary weights, List<FoundDecoder> decoders, FoundWeights[] useless, LearnedModel[] models)
    {
        TextTable table = new("decoder", "weights", "pixels per cell>", "multiply-adds per cell>", "latent formats");
        foreach (FoundDecoder decoder in decoders)
        {
            string[] ids = decoder.Formats;
            table.Add(
                decoder.Description.Id, decoder.Source, Number(decoder.Description.PixelsPerCell), Range(decoder.MultiplyAddsPerCell),
                ids.Length > 8 ? $"{string.Join(", ", ids.Take(6))} and {ids.Length - 6} more" : string.Join(", ", ids));
        }

        terminal.Write(table);
        foreach (FoundWeights found in useless)
        {
            terminal.Say($"unusable: {found.Path} ({found.Title}): {found.Problem}");
        }

        if (models.Length > 0)
        {
            TextTable calibrated = new("calibrated: model", "latent format", "pictures>", "dB>", "over the shipped map>", "used", "learned");
            foreach (LearnedModel model in models)
            {
                calibrated.Add(
                    model.Model, model.Format.Id, Number(model.Map.PictureCount), model.Map.Psnr.ToString("0.0", CultureInfo.InvariantCulture),
                    ShippedMap(model) is { } shipped ? (model.Map.Psnr - shipped).ToString("+0.0;-0.0", CultureInfo.InvariantCulture) : "there is none",
                    IsUsed(model, weights) ? "yes" : "no", model.When.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture));
            }

            terminal.Write(calibrated);
        }
    }

    /// <summary>What the table that comes with LatentBridge reached over the same pictures, in dB; null where there is none.</summary>
    static double? ShippedMap(LearnedModel model) => model.Map.Measured.TryGetValue(LinearDecoder.Id, out double decibels) ? decibels : null;

    static bool IsUsed(LearnedModel model, WeightLibrary weights) => model.Map.Rank(LatentDecoders.For(model.Format, weights).Select(entry => entry.Description)) is not null;

    static int Formats(Terminal terminal, bool json)
    {
        if (json)
        {
            terminal.WriteJson(writer => WriteArray(writer, null, LatentFormats.All, format =>
            {
                writer.WriteStartObject();
                WriteMember(writer, "id", format.Id);
                WriteMember(writer, "channels", format.Channels);
                WriteMember(writer, "dimensions", format.Dimensions);
                WriteMember(writer, "spatialCompression", format.SpatialCompression);
                WriteMember(writer, "temporalCompression", format.TemporalCompression);
                WriteMember(writer, "scaleFactor", format.ScaleFactor);
                WriteMember(writer, "latent2rgb", format.Rgb?.Name);
                WriteMember(writer, "tinyAutoencoder", format.TinyAutoencoder);
                WriteArray(writer, "models", format.Models, model => writer.WriteValue(model));
                writer.WriteEndObject();
            }));
            return ExitCode.Done;
        }

        TextTable table = new("format", "channels>", "dimensions>", "pixels per cell>", "colour map", "tiny autoencoder", "models");
        foreach (LatentFormat format in LatentFormats.All)
        {
            table.Add(
                format.Id, Number(format.Channels), Number(format.Dimensions), Number(format.SpatialCompression), format.Rgb?.Name ?? "", format.TinyAutoencoder ?? "",
                string.Join(", ", format.Models));
        }

        terminal.Write(table);
        return ExitCode.Done;
    }

    static int Verify(Terminal terminal, bool json)
    {
        WeightLibrary weights = LatentDecoders.WeightsOfThisMachine();
        FoundWeights[] known = [.. weights.Found.Where(found => found.Known is not null)];
        List<(string File, string Id, string Result, bool IsBad)> results = [];
        terminal.ForEach(known, found => found.FileName, found =>
        {
            using FileStream file = RegularFile.OpenRead(found.Path);
            bool same = Convert.ToHexStringLower(SHA256.HashData(file)) == found.Known!.Sha256;
            string result = same ? "byte for byte the published file"
                : found.Known.Bundled ? "differs from the file that LatentBridge ships; unpack it again"
                : "the published numbers, stored differently";
            results.Add((found.Path, found.Known.Id, result, !same && found.Known.Bundled));
        });
        foreach (KnownWeights missing in WeightManifest.Known.Where(entry => entry.Bundled && !known.Any(found => found.Known == entry)))
        {
            results.Add((missing.File, missing.Id, "missing: LatentBridge ships it in its models folder", true));
        }

        if (json)
        {
            terminal.WriteJson(writer => WriteArray(writer, null, results, entry =>
            {
                writer.WriteStartObject();
                WriteMember(writer, "file", entry.File);
                WriteMember(writer, "id", entry.Id);
                WriteMember(writer, "result", entry.Result);
                WriteMember(writer, "good", !entry.IsBad);
                writer.WriteEndObject();
            }));
        }
        else
        {
            TextTable table = new("weights", "result", "file");
            foreach (var (file, id, result, _) in results)
            {
                table.Add(id, result, file);
            }

            terminal.Write(table);
        }

        return results.Exists(entry => entry.IsBad) ? ExitCode.Failed : ExitCode.Done;
    }

    // A colour map names its format ("comfyui SD15"): with a row each, they would bury the rest.
    static string SourceOf(DecoderDescription description) => description.Id is "latent2rgb" or "estimated" ? "built in" : description.Source;

    static string Range(IEnumerable<long> values)
    {
        (long least, long most) = (values.Min(), values.Max());
        return least == most ? Number(least) : $"{Number(least)} to {Number(most)}";
    }

    static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    static void WriteMember(JsonTextWriter json, string name, object? value)
    {
        json.WritePropertyName(name);
        json.WriteValue(value);
    }

    static void WriteArray<T>(JsonTextWriter json, string? name, IEnumerable<T> items, Action<T> write)
    {
        if (name is not null)
        {
            json.WritePropertyName(name);
        }

        json.WriteStartArray();
        foreach (T item in items)
        {
            write(item);
        }

        json.WriteEndArray();
    }

    /// <summary>A decoder and the formats it serves.</summary>
    sealed record FoundDecoder(DecoderDescription Description, string Source, string[] Formats, long[] MultiplyAddsPerCell);
}
