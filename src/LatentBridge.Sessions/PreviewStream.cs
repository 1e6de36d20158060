using System.Diagnostics;
using LatentBridge.Decoders;
using LatentBridge.Formats;
using LatentBridge.Ipc;
using LatentBridge.Latents;
using LatentBridge.Previews;

namespace LatentBridge.Sessions;

/// <summary>A latent that the shim handed over, with a checked copy of its header.</summary>
readonly record struct SubmittedLatent(int Slot, LatentSlotHeader Header, long Timestamp);

/// <summary>One stream: its run, the latent that waits, what it needs to decode, what it counted.</summary>
/// <remarks>Everything is guarded by the session's lock, but for the members named as the worker's.</remarks>
sealed class PreviewStream(uint id) : IDisposable
{
    const double StepSmoothing = 0.5;
    const double LastStepShare = 0.01;
    const double LastStepMillisecondsAtMost = 500;
    const int MaximumWarnings = 8;

    long _firstSubmit;
    long _lastSubmit;
    int _lastStep;
    (ulong Run, DropReason Reason)? _closedAhead;
    int _pixelsPerCell;
    double? _stepBefore;
    PreviewOptions? _resolvedFrom;
    PreviewOptions _resolved = PreviewOptions.Default;

    public uint Id { get; } = id;

    /// <summary>False until a run began.</summary>
    public bool HasRun { get; private set; }

    public ulong Run { get; private set; }

    /// <summary>Null while the run goes on; else what a latent of it is dropped for.</summary>
    public DropReason? Closed { get; private set; }

    /// <summary>As <c>begin</c> named it, or as guessed from the first latent; null until then.</summary>
    public LatentFormat? Format { get; set; }

    public bool IsFormatGuessed { get; set; }

    public LatentSpace Space { get; private set; }

    /// <summary>What the run's model is called; null when nobody said, or its own colours are not wanted.</summary>
    public string? Model { get; private set; }

    public PreviewOptions Options { get; private set; } = PreviewOptions.Default;

    /// <summary>The one latent that waits; a newer one takes its place.</summary>
    public SubmittedLatent? Waiting { get; set; }

    /// <summary>The worker should get decoders ready.</summary>
    public bool IsWarmUpDue { get; set; }

    public double? StepMilliseconds { get; private set; }

    public long Submitted { get; private set; }

    public long Shown { get; set; }

    public long Replaced { get; set; }

    public long Failed { get; set; }

    /// <summary>The last choice of a decoder, for status.</summary>
    public DecoderChoice? Choice { get; set; }

    /// <summary>What made the run's last picture, and of which step; null before the first.</summary>
    public (DecoderCandidate Decoder, int Step)? OnScreen { get; set; }

    /// <summary>Milliseconds of the last picture, decode and encode.</summary>
    public double? DecodeMilliseconds { get; set; }

    /// <summary>What was noteworthy in this run, each once.</summary>
    public List<string> Warnings { get; } = [];

    /// <summary>The worker's: staging and rendering for <see cref="Format"/>.</summary>
    public PreviewRenderer? Renderer { get; set; }

    /// <summary>The worker's: the decoder that carries something from step to step, and whose it is.</summary>
    public (DecoderCandidate Candidate, ulong Run, ILatentDecoder Instance)? Stateful { get; set; }

    /// <summary>What the last step's picture may take: longer where the whole sampling took long, because a hundredth of it is not missed.</summary>
    public int LastStepMilliseconds(PreviewOptions options)
    {
        double sampling = _lastSubmit == 0 ? 0 : Stopwatch.GetElapsedTime(_firstSubmit, _lastSubmit).TotalMilliseconds;
        return Math.Max(options.LastStepMilliseconds, (int)Math.Min(sampling * LastStepShare, LastStepMillisecondsAtMost));
    }

    /// <summary>Pixels per cell of the run's pictures where no size was named: settled with the first one, so that all have one size, whatever decoder makes them.</summary>
    public int PixelsPerCell(IReadOnlyList<DecoderCandidate> decoders, in FrameDemand demand)
    {
        if (_pixelsPerCell == 0)
        {
            _pixelsPerCell = DecoderChooser.FinestLikely(decoders, demand with { StepMilliseconds = _stepBefore }).Description.PixelsPerCell;
        }

        return _pixelsPerCell;
    }

    /// <summary>The worker's: these options with the number of threads and the size filled in; made anew only when something changed.</summary>
    public PreviewOptions Resolve(PreviewOptions options, int threads, int size)
    {
        if (!ReferenceEquals(_resolvedFrom, options) || _resolved.Threads != threads || _resolved.Size != size)
        {
            _resolvedFrom = options;
            _resolved = options with { Threads = threads, Size = size };
        }

        return _resolved;
    }

    public void Begin(ulong run, LatentFormat? format, LatentSpace space, PreviewOptions options, string? model)
    {
        Model = model;
        Closed = HasRun && run == Run ? Closed : _closedAhead?.Run == run ? _closedAhead?.Reason : null;
        HasRun = true;
        Run = run;
        Format = format;
        IsFormatGuessed = format is null;
        Space = space;
        Options = options;
        _stepBefore = StepMilliseconds ?? _stepBefore;
        StepMilliseconds = null;
        Choice = null;
        OnScreen = null;
        DecodeMilliseconds = null;
        _pixelsPerCell = 0;
        IsWarmUpDue = format is not null;
        _lastSubmit = 0;
        Warnings.Clear();
    }

    /// <summary>Closes a run, now or when it begins: a cancel may overtake the first latent of its run.</summary>
    /// <returns>True when it is the run going on.</returns>
    public bool Close(ulong run, DropReason reason)
    {
        if (HasRun && run == Run)
        {
            Closed ??= reason;
            return true;
        }

        if (!HasRun || run > Run)
        {
            _closedAhead = (run, reason);
        }

        return false;
    }

    public void CountSubmit(int step)
    {
        long now = Stopwatch.GetTimestamp();
        int steps = step - _lastStep;
        if (_lastSubmit != 0 && steps > 0)
        {
            double milliseconds = Stopwatch.GetElapsedTime(_lastSubmit, now).TotalMilliseconds / steps;
            StepMilliseconds = StepMilliseconds + ((milliseconds - StepMilliseconds) * StepSmoothing) ?? milliseconds;
        }

        _firstSubmit = _lastSubmit == 0 ? now : _firstSubmit;
        _lastSubmit = now;
        _lastStep = step;
        Submitted++;
    }

    public void Warn(string message)
    {
        if (Warnings.Count < MaximumWarnings && !Warnings.Contains(message))
        {
            Warnings.Add(message);
        }
    }

    public void Dispose()
    {
        Renderer?.Dispose();
        Renderer = null;
        Stateful?.Instance.Dispose();
        Stateful = null;
    }
}
