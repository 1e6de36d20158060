using System.Collections.Concurrent;
using LatentBridge.Decoders;
using LatentBridge.Formats;
using LatentBridge.Onnx.Model;
using LatentBridge.Onnx.Runtime;
using LatentBridge.Weights;

namespace LatentBridge.Onnx;

/// <summary>Makes <c>.onnx</c> files known to the weight folders and the catalogue of decoders.</summary>
public static class OnnxModels
{
    /// <summary>What <see cref="FoundWeights.Architecture"/> says of them.</summary>
    public const string Architecture = "onnx";

    /// <summary>Models by the path they were read from.</summary>
    static readonly ConcurrentDictionary<string, OnnxModel> Known = new();

    static readonly ModelKind Kind = new(".onnx", Recognise);

    /// <summary>From now on, weight libraries find ONNX models and the catalogue has decoders <c>onnx:FILE</c>. To be called once.</summary>
    public static void Register() => LatentDecoders.Add(Kind, Entry);

    /// <summary>The decoder of an ONNX file, for latents of a format that need not be the one it was recognised for.</summary>
    /// <exception cref="LatentBridgeException">The file is of no use; the message says why.</exception>
    public static ILatentDecoder Load(string path, LatentFormat format)
    {
        FoundWeights found = Recognise(path);
        return Known.TryGetValue(path, out OnnxModel? model) && model.Channels == format.PlaneChannels && OnnxLibrary.Missing is null
            ? Entry(found, format).Load()
            : throw new LatentBridgeException($"'{path}': {found.Problem ?? $"it reads {found.Channels} channels; {format.Id} has {format.PlaneChannels}."}");
    }

    /// <summary>What an ONNX file holds, or why it is of no use.</summary>
    public static FoundWeights Recognise(string path)
    {
        FoundWeights found = new() { Path = path, Architecture = Architecture, Title = "ONNX model" };
        try
        {
            OnnxModel model = OnnxModel.Read(path);
            Known[path] = model;
            found = WithFormats(found with { Title = $"ONNX model, {model.Channels} channels", Channels = model.Channels }, model.Notes);
            return found.Problem is null && OnnxLibrary.Missing is { } missing ? found with { Problem = missing } : found;
        }
        catch (Exception failure) when (failure is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            return found with { Problem = $"{failure.Message}." };
        }
    }

    static FoundWeights WithFormats(FoundWeights found, OnnxNotes notes)
    {
        if (notes.Format is { } format)
        {
            return found with { Formats = WeightManifest.WithKin(format), ToldBy = notes.FormatToldBy };
        }

        if (WeightRecognition.ByName(found) is { } named)
        {
            return named;
        }

        LatentFormat[] formats = [.. LatentFormats.All.Where(format => format.PlaneChannels == found.Channels && format.Dimensions == 2)];
        return formats switch
        {
            [] => found with { Problem = $"no latent format has {found.Channels} channels." },
            [var only] => found with { Formats = WeightManifest.WithKin(only.Id), ToldBy = "its shape" },
            _ => found with
            {
                Problem = $"{found.Channels} channels are those of {string.Join(", ", formats.Select(format => format.Id))}. "
                    + $"Name one in a file '{found.Stem}.json' next to it: {{ \"format\": \"{formats[0].Id}\" }}.",
            },
        };
    }

    static DecoderEntry Entry(FoundWeights found, LatentFormat format)
    {
        OnnxModel model = Known[found.Path];
        DecoderDescription description = new(
            $"{Architecture}:{found.Stem}", found.FileName, model.Channels, model.PixelsPerCell, (long)Math.Max(1, model.Cost.MultiplyAddsPerCell), model.Quality);
        return new(description, Stateful: false, () => OnnxLibrary.Load(model, format, description));
    }
}
