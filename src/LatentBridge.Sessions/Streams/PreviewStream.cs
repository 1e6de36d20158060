using LatentBridge.Formats;
using LatentBridge.Ipc;
using LatentBridge.Latents;
using LatentBridge.Previews;

namespace LatentBridge.Sessions;

/// <summary>One stream: its run, the latent that waits, what it counted.</summary>
/// <remarks>The session's lock guards it.</remarks>
sealed class PreviewStream(uint id, TimeProvider time) : IDisposable
{
    const double StepSmoothing = 0.5;
    const double LastStepShare = 0.01;
    const double LastStepMillisecondsAtMost = 500;
    const int MaximumWarnings = 8;

    long _firstSubmit;
    long? _lastSubmit;
    int _lastStep;
    (ulong Run, DropReason Reason)? _closedAhead;
    int _pixelsPerCell;
    double? _stepBefore;

    public uint Id { get; } = id;

    /// <summary>False until a run began.</summary>
    public bool HasRun { get; private set; }

    public ulong Run { get; private set; }

    /// <summary>Null while the run goes on; else what a latent of it is dropped for.</summary>
    public DropReason? Closed { get; private set; }

    /// <summary>What pictures the run wants, and what the worker keeps for them.</summary>
    public RenderContext Context { get; } = new();

    /// <summary>The run's moving picture.</summary>
    public StreamClip Clip { get; } = new();

    public bool IsFormatGuessed { get; private set; }

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

    /// <summary>The picture that was announced last, also after its run; null before the first.</summary>
    public (LatentSlotHeader Header, string Decoder)? Picture { get; set; }

    /// <summary>Milliseconds of the last picture, decode and encode.</summary>
    public double? DecodeMilliseconds { get; set; }

    /// <summary>What was noteworthy in this run, each once.</summary>
    public List<string> Warnings { get; } = [];

    /// <summary>What was wrong with the run last; null when nothing was.</summary>
    public RunAlarm? Alarm { get; private set; }

    /// <summary>What the last step's picture may take: longer where the whole sampling took long, because a hundredth of it is not missed.</summary>
    public int LastStepMilliseconds(PreviewOptions options)
    {
        double sampling = _lastSubmit is { } last ? time.GetElapsedTime(_firstSubmit, last).TotalMilliseconds : 0;
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

    public void Begin(ulong run, LatentFormat? format, LatentSpace space, PreviewOptions options, string? model)
    {
        Closed = HasRun && run == Run ? Closed : _closedAhead?.Run == run ? _closedAhead?.Reason : null;
        HasRun = true;
        Run = run;
        Context.Want(format, space, options, model);
        Clip.Forget();
        IsFormatGuessed = format is null;
        _stepBefore = StepMilliseconds ?? _stepBefore;
        StepMilliseconds = null;
        Choice = null;
        OnScreen = null;
        _pixelsPerCell = 0;
        DecodeMilliseconds = null;
        IsWarmUpDue = format is not null;
        _lastSubmit = null;
        Alarm = null;
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
        long now = time.GetTimestamp();
        int steps = step - _lastStep;
        if (_lastSubmit is { } last && steps > 0)
        {
            double milliseconds = time.GetElapsedTime(last, now).TotalMilliseconds / steps;
            StepMilliseconds = StepMilliseconds + ((milliseconds - StepMilliseconds) * StepSmoothing) ?? milliseconds;
        }

        _firstSubmit = _lastSubmit is null ? now : _firstSubmit;
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

    public void Raise(RunAlarm? alarm)
    {
        if (alarm is { } wrong)
        {
            Alarm = wrong;
            Warn(wrong.Sentence());
        }
    }

    public StreamStatus Status() => new(
        Id, Run, Context.Format?.Id, IsFormatGuessed, Choice?.Decoder.Description.Id, Choice?.Decoder.Source, Choice?.Reason,
        StepMilliseconds, DecodeMilliseconds, Submitted, Shown, Replaced, Failed, [.. Warnings], Alarm);

    public void Dispose()
    {
        Context.Dispose();
        Clip.Dispose();
    }
}
