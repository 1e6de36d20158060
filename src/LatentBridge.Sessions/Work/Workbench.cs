namespace LatentBridge.Sessions;

/// <summary>What the worker is at: no picture or one, which others may stop.</summary>
/// <remarks>The session's lock guards it. Only the worker starts and ends a job, so it may read its own without the lock.</remarks>
sealed class Workbench(SlotTable slots) : IDisposable
{
    readonly Job _job = new();
    CancellationTokenSource _cancellation = new();

    /// <summary>The picture being made; null when none is.</summary>
    public Job? Current { get; private set; }

    /// <summary>The session stops: no job is started any more.</summary>
    public bool IsStopping { get; private set; }

    /// <summary>Cancelled when <see cref="Current"/> is stopped.</summary>
    public CancellationToken Cancellation => _cancellation.Token;

    /// <summary>Starts a job; an image slot must be free.</summary>
    public void Start(RenderContext context, PreviewStream? stream, DecodeRequest? request, in SubmittedLatent latent)
    {
        if (!_cancellation.TryReset())
        {
            _cancellation.Dispose();
            _cancellation = new CancellationTokenSource();
        }

        _job.Start(context, stream, request, latent, slots.TakeImageSlot());
        Current = _job;
    }

    /// <summary>Stops the job when it is of this stream (null: a single picture), unless it is of this run.</summary>
    public void Stop(PreviewStream? stream, DropReason reason, ulong? unlessRun = null)
    {
        if (Current is { Stopped: null } job && job.Stream == stream && job.Latent.Header.Run != unlessRun)
        {
            job.Stopped = reason;
            _cancellation.Cancel();
        }
    }

    /// <summary>The job is done.</summary>
    public void End() => Current = null;

    /// <summary>Cancels what is in work, and lets nothing start any more.</summary>
    public void StopForGood()
    {
        IsStopping = true;
        _cancellation.Cancel();
    }

    public void Dispose() => _cancellation.Dispose();
}
