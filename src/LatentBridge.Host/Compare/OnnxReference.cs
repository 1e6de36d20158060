using System.Diagnostics;
using LatentBridge.Decoders;
using LatentBridge.Formats;
using LatentBridge.Host.Bench;
using LatentBridge.Host.Sheets;
using LatentBridge.Latents;
using LatentBridge.Onnx;
using LatentBridge.Onnx.Export;
using LatentBridge.Onnx.Model;
using LatentBridge.Onnx.Runtime;

namespace LatentBridge.Host.Compare;

/// <summary>ONNX Runtime, in this process: a model that is given, or each decoder's own network as <c>models convert</c> writes it.</summary>
sealed class OnnxReference : IReference
{
    /// <summary>Decoders whose networks are converted.</summary>
    static readonly string[] Converted = ["taesd", "tiny"];

    readonly OnnxModel? _model;
    readonly Dictionary<string, string> _converted = [];
    readonly TemporaryFolder _folder = new();

    /// <summary>Makes one.</summary>
    /// <param name="model">The model to decode with; null: each decoder's network, converted.</param>
    /// <exception cref="LatentBridgeException">There is no ONNX Runtime here.</exception>
    internal OnnxReference(string? model)
    {
        if (OnnxLibrary.Missing is { } missing)
        {
            throw new LatentBridgeException($"Nothing to compare with: {missing}.");
        }

        try
        {
            _model = model is null ? null : OnnxModel.Read(Path.GetFullPath(model));
        }
        catch (InvalidDataException failure)
        {
            throw new LatentBridgeException($"'{model}': {failure.Message}.");
        }
    }

    public string Name => "ONNX Runtime";

    public string Description => $"ONNX Runtime {OnnxLibrary.Description}";

    public string? Library(DecoderDescription decoder) =>
        _model is not null ? ((_model.PixelsPerCell, _model.Channels) == (decoder.PixelsPerCell, decoder.Channels) ? Path.GetFileName(_model.Path) : null)
        : Converted.Contains(decoder.Id.Split(':')[0]) ? "onnx"
        : null;

    public ReferencePicture Decode(DecoderDescription decoder, LatentPlanes planes, string formatId, string? weights, int threads, int runs)
    {
        using ILatentDecoder reference = OnnxModels.Load(_model?.Path ?? Convert(weights!), LatentFormats.Get(formatId));
        (int width, int height) = reference.Description.OutputSize(planes.Height, planes.Width);
        Picture picture = new(new byte[3 * width * height], width, height);
        double fastest = double.PositiveInfinity;
        for (int run = 0; run < runs; run++)
        {
            long started = Stopwatch.GetTimestamp();
            reference.Decode(planes, picture.Pixels, threads, CancellationToken.None);
            fastest = Math.Min(fastest, Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        }

        return new(picture, fastest, reference.WorkingBytes(planes.Height, planes.Width), null);
    }

    public void Dispose() => _folder.Dispose();

    string Convert(string weights)
    {
        if (!_converted.TryGetValue(weights, out string? path))
        {
            path = _converted[weights] = Path.Combine(_folder.Path, $"{_converted.Count}.onnx");
            File.WriteAllBytes(path, OnnxExport.Convert(LatentDecoders.Networks.Look(weights)[0]));
        }

        return path;
    }
}
