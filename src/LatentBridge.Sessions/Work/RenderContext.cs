using LatentBridge.Decoders;
using LatentBridge.Formats;
using LatentBridge.Latents;
using LatentBridge.Previews;

namespace LatentBridge.Sessions;

/// <summary>What pictures are wanted, and what the worker keeps from one picture to the next.</summary>
/// <remarks>The session's lock guards what is wanted; the methods are the worker's alone.</remarks>
sealed class RenderContext : IDisposable
{
    PreviewRenderer? _renderer;
    (DecoderCandidate Candidate, ulong Run, ILatentDecoder Instance)? _stateful;
    PreviewOptions? _resolvedFrom;
    PreviewOptions _resolved = PreviewOptions.Default;

    /// <summary>As somebody named it, or as guessed from the first latent; null until then.</summary>
    public LatentFormat? Format { get; set; }

    public LatentSpace Space { get; private set; }

    /// <summary>What the model is called; null when nobody said, or its own colours are not wanted.</summary>
    public string? Model { get; private set; }

    public PreviewOptions Options { get; private set; } = PreviewOptions.Default;

    /// <summary>The same for a latent of which the shim says that its last frame is shown.</summary>
    public PreviewOptions OptionsForLastFrame { get; private set; } = PreviewOptions.Default with { Frame = FrameChoice.Last };

    public void Want(LatentFormat? format, LatentSpace space, PreviewOptions options, string? model)
    {
        Format = format;
        Space = space;
        Options = options;
        OptionsForLastFrame = options with { Frame = FrameChoice.Last };
        Model = model;
    }

    public bool Uses(LatentFormat format, string? model) => Format?.Id == format.Id && Model == model;

    /// <summary>Looks whether the run goes wrong.</summary>
    public RunWatch Watch { get; } = new();

    /// <summary>The renderer that made the last picture; null before the first.</summary>
    public PreviewRenderer? Renderer => _renderer;

    /// <summary>The renderer of this format; kept until another format comes.</summary>
    public PreviewRenderer RendererOf(LatentFormat format, IReadOnlyList<IPictureEncoder> encoders)
    {
        if (_renderer?.Format != format)
        {
            _renderer?.Dispose();
            _renderer = new PreviewRenderer(format, encoders);
        }

        return _renderer;
    }

    /// <summary>The decoder to use; one that carries something from step to step is kept for its run.</summary>
    public ILatentDecoder InstanceOf(DecoderCandidate candidate, ulong run)
    {
        if (!candidate.IsStateful)
        {
            return candidate.Load();
        }

        if (_stateful is not { } kept || kept.Candidate != candidate || kept.Run != run)
        {
            _stateful?.Instance.Dispose();
            _stateful = null;
            _stateful = kept = (candidate, run, candidate.Load());
        }

        return kept.Instance;
    }

    /// <summary>These options with the number of threads and the size filled in; made anew only when something changed.</summary>
    public PreviewOptions Resolve(PreviewOptions options, int threads, int size)
    {
        if (!ReferenceEquals(_resolvedFrom, options) || _resolved.Threads != threads || _resolved.Size != size)
        {
            _resolvedFrom = options;
            _resolved = options with { Threads = threads, Size = size };
        }

        return _resolved;
    }

    public void Dispose()
    {
        _renderer?.Dispose();
        _renderer = null;
        _stateful?.Instance.Dispose();
        _stateful = null;
    }
}
