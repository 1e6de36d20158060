using LatentBridge.Decoders;
using LatentBridge.Formats;
using LatentBridge.Latents;
using LatentBridge.Onnx.Model;
using Microsoft.ML.OnnxRuntime;

namespace LatentBridge.Onnx.Runtime;

/// <summary>Decodes with an ONNX model in ONNX Runtime. The model stays loaded; a further decode of a size allocates nothing managed.</summary>
/// <remarks>
/// The first execution provider that loads is taken. One that fails, when it is loaded or later, is left for the next in the list for good, and <see cref="Description"/> says which
/// one computes and why. A cancelled decode stops at the end of the operation it is in, which in a large picture can take longer than the 20 ms of the other decoders.
/// </remarks>
sealed class OnnxDecoder : ILatentDecoder
{
    /// <summary>Decodes in a row that must ask for more threads before the model is reloaded with them; fewer take effect at once.</summary>
    const int PatienceForThreads = 3;

    /// <summary>Cells along a side of the noise that shows a model's range.</summary>
    const int ProbeSide = 8;

    /// <summary>Characters of a reason that are shown.</summary>
    const int MaximumReason = 500;

    readonly OnnxModel _model;
    readonly DecoderDescription _description;
    readonly Queue<OnnxProvider> _providers;
    readonly float[] _scale;
    readonly float[] _shift;
    readonly List<string> _failures = [];
    OnnxSession? _session;
    PictureRange? _range;
    int _moreThreads;

    public OnnxDecoder(OnnxModel model, LatentFormat format, DecoderDescription description, IReadOnlyList<OnnxProvider>? providers = null)
    {
        (_model, _description, Description) = (model, description, description);
        _providers = new(providers ?? OnnxProvider.Choose(model.Notes.Providers));
        _range = model.Output.ElementType == OnnxFile.U8 ? PictureRange.Bytes : model.Notes.Range;
        (_scale, _shift) = Scales(model, format);
    }

    /// <inheritdoc/>
    public DecoderDescription Description { get; private set; }

    /// <inheritdoc/>
    /// <remarks>The file, which holds the weights, and the largest convolution's values: an estimate.</remarks>
    public long WorkingBytes(int latentHeight, int latentWidth) =>
        new FileInfo(_model.Path).Length + (long)(sizeof(float) * _model.Cost.PeakFloatsPerCell * latentHeight * latentWidth);

    /// <inheritdoc/>
    public void Decode(in LatentPlanes latent, Span<byte> destination, int threads, CancellationToken cancellation)
    {
        DecoderArguments.Check(Description, latent, destination);
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        cancellation.ThrowIfCancellationRequested();
        (int height, int width) = _model.OnlySize;
        if ((height > 0 && height != latent.Height) || (width > 0 && width != latent.Width))
        {
            throw new LatentBridgeException(
                $"'{_model.Path}' decodes latents of {Axis(height)} x {Axis(width)} cells only; this one has {latent.Height} x {latent.Width}. Export it with dynamic height and width (dynamic_axes).");
        }

        TakeThreads(threads);
        _range ??= FindRange(threads, cancellation);
        Run(latent, threads, cancellation);
        OnnxPixels.WritePicture(_session!.Output, _model, _range.Value, destination, cancellation);
    }

    /// <inheritdoc/>
    public void Dispose() => _session?.Dispose();

    /// <summary>The library's own part of a decode, once more, of what was decoded last: what the rest is measured against.</summary>
    internal void RunAgain() => _session!.Run(CancellationToken.None);

    void Run(in LatentPlanes latent, int threads, CancellationToken cancellation)
    {
        while (true)
        {
            OnnxSession session = _session ??= Load(threads);
            try
            {
                session.Bind(latent.Height, latent.Width);
                OnnxPixels.ReadLatent(latent, _model, _scale, _shift, session.Input);
                session.Run(cancellation);
                return;
            }
            catch (OnnxRuntimeException failure)
            {
                _session = null;
                session.Dispose();
                Failed(session.Provider, failure);
            }
        }
    }

    OnnxSession Load(int threads)
    {
        while (true)
        {
            OnnxProvider provider = _providers.Peek();
            try
            {
                OnnxSession session = new(_model, provider, threads);
                string failed = _failures.Count > 0 ? $"; {string.Join("; ", _failures)}" : "";
                Description = _description with { Source = $"{_description.Source}, {provider.Name}{failed}" };
                return session;
            }
            catch (Exception failure) when (OnnxSession.IsFailure(failure))
            {
                Failed(provider, failure);
            }
        }
    }

    // The last provider stays in the list: what failed may have been this latent's size, or memory.
    void Failed(OnnxProvider provider, Exception failure)
    {
        string reason = Shorten(failure.Message);
        if (_providers.Count == 1)
        {
            // Said by the library where a picture has not the size of the memory given for it.
            string hint = reason.Contains("output shape", StringComparison.Ordinal)
                ? $" A cell was expected to become {_model.PixelsPerCell} x {_model.PixelsPerCell} pixels; \"pixelsPerCell\" in '{Path.GetFileNameWithoutExtension(_model.Path)}.json' says otherwise."
                : "";
            throw new LatentBridgeException($"'{_model.Path}' on {provider.Name}: {reason}{hint}", failure);
        }

        _providers.Dequeue();
        _failures.Add($"{provider.Name} failed: {reason}");
    }

    void TakeThreads(int threads)
    {
        if (_session is null || _session.Provider.IsElsewhere || threads == _session.Threads)
        {
            _moreThreads = 0;
        }
        else if (threads < _session.Threads || ++_moreThreads == PatienceForThreads)
        {
            _moreThreads = 0;
            _session.Dispose();
            _session = null;
        }
    }

    PictureRange FindRange(int threads, CancellationToken cancellation)
    {
        (int height, int width) = (_model.OnlySize.Height > 0 ? _model.OnlySize.Height : ProbeSide, _model.OnlySize.Width > 0 ? _model.OnlySize.Width : ProbeSide);
        Random random = new(1);
        float[] noise = new float[_model.Channels * height * width];
        for (int i = 0; i < noise.Length; i++)
        {
            noise[i] = MathF.Sqrt(-2 * MathF.Log(1 - random.NextSingle())) * MathF.Cos(MathF.Tau * random.NextSingle());
        }

        Run(new LatentPlanes(noise, _model.Channels, height, width), threads, cancellation);
        return PictureRange.Of(OnnxPixels.Values(_session!.Output, _model));
    }

    // What a channel of the sampler's scale is multiplied by, and what is added then, to be as the model wants it.
    static (float[] Scale, float[] Shift) Scales(OnnxModel model, LatentFormat format)
    {
        float[] scale = new float[model.Channels], shift = new float[model.Channels];
        bool isVae = model.Notes.Affine is null && model.Space == LatentSpace.Vae;
        if (isVae && (format.Unpack > 1 || format.Process == LatentProcess.Unknown))
        {
            throw new LatentBridgeException(
                $"'{model.Path}' reads the VAE's scale, which {format.Id}'s latents cannot be brought to here. If it reads the sampler's, say so in '{Path.GetFileNameWithoutExtension(model.Path)}.json': {{ \"space\": \"sampler\" }}.");
        }

        for (int channel = 0; channel < model.Channels; channel++)
        {
            (float forward, float offset) = isVae ? format.ToSampler(channel) : (1, 0);
            (scale[channel], shift[channel]) = model.Notes.Affine ?? (1 / forward, -offset / forward);
        }

        return (scale, shift);
    }

    static string Axis(int axis) => axis > 0 ? $"{axis}" : "any";

    // "[ErrorCode:Fail] Non-zero status code returned ... Status Message: FILE:LINE FUNCTION [ONNXRuntimeError] : 1 : FAIL : what went wrong": the end of it is for people.
    static string Shorten(string message)
    {
        string line = message.Split('\n')[0].Trim();
        int inner = line.LastIndexOf("[ONNXRuntimeError]", StringComparison.Ordinal);
        line = inner < 0 ? line[(line.StartsWith('[') ? line.IndexOf(']', StringComparison.Ordinal) + 1 : 0)..].TrimStart() : string.Join(" : ", line[inner..].Split(" : ").Skip(3));
        return line.Length > MaximumReason ? $"{line[..MaximumReason]} ..." : line;
    }
}
