using System.Diagnostics;
using LatentBridge.Decoders;
using LatentBridge.Formats;
using LatentBridge.Ipc;
using LatentBridge.Latents;
using LatentBridge.Previews;
using LatentBridge.Weights;

namespace LatentBridge.Sessions;

/// <summary>
/// Takes latents out of shared memory and puts pictures there: streams, runs, newest wins, one worker that decodes. Knows no pipe: a child process
/// and an in-process host use the same.
/// </summary>
/// <remarks>
/// <para>Design notes. One lock guards all state; a call changes state under it and returns, the worker holds it only between
/// its work. The sink is called under it, so that messages leave in the order of what they tell: after <see cref="Begin"/> of a newer run returned, no
/// picture of the older one is announced. Only <see cref="Attach"/> and <see cref="Dispose"/> wait, until the worker let go of
/// the mapping: a cancelled decode stops within 20 ms.</para>
/// <para>Any thread may call. Nothing is allocated for a frame after warm-up.</para>
/// </remarks>
public sealed partial class PreviewSession : IDisposable
{
    const int MaximumStreams = 64;
    static readonly TimeSpan WorkerPatience = TimeSpan.FromSeconds(2);

    readonly object _gate = new();
    readonly IPreviewSink _sink;
    readonly Func<LatentFormat, IReadOnlyList<DecoderEntry>> _catalogue;
    readonly Func<int>? _threads;
    readonly IReadOnlyList<IPictureEncoder> _encoders;
    readonly long _started = Stopwatch.GetTimestamp();
    readonly List<PreviewStream> _streams = [];
    readonly Queue<(DecodeRequest Request, SubmittedLatent Latent)> _requests = new();
    readonly Thread _worker;

    SharedMapping? _mapping;
    ulong _heldLatentSlots;
    ulong _freeImageSlots;
    PreviewOptions _defaults = PreviewOptions.Default;
    bool _isSearching;
    bool _isStopping;

    /// <summary>Begins; the worker starts at once.</summary>
    /// <param name="sink">Where results go.</param>
    /// <param name="catalogue">The decoders of a format; called on the threads of the session.</param>
    /// <param name="threads">Threads a decode may use when nobody said; called on the worker. Null: half of the idle cores, measured.</param>
    /// <param name="calibrations">The folder where what was learned of models is kept; null: it is forgotten at the end.</param>
    /// <param name="encoders">For the encodings that are not built in; used by the worker only. Null: none.</param>
    public PreviewSession(
        IPreviewSink sink,
        Func<LatentFormat, IReadOnlyList<DecoderEntry>> catalogue,
        Func<int>? threads = null,
        string? calibrations = null,
        IReadOnlyList<IPictureEncoder>? encoders = null)
    {
        _calibrator = new Calibrator(new CalibrationStore(calibrations), catalogue, RefreshCatalogue, LogUnlessStopping);
        _sink = sink;
        _catalogue = catalogue;
        _threads = threads;
        _encoders = encoders ?? [];
        Encodings = [PreviewEncoding.Png, PreviewEncoding.Rgb24, .. _encoders.Select(encoder => encoder.Encoding)];
        _worker = new Thread(Work) { IsBackground = true, Name = "LatentBridge decode" };
        _worker.Start();
    }

    /// <summary>Begins with the decoders of <see cref="LatentDecoders"/>. The library's folders are searched in the background: until then previews are made by the built-in decoders, and single pictures wait.</summary>
    /// <param name="sink">Where results go.</param>
    /// <param name="weights">Where networks' numbers are.</param>
    /// <param name="data">The folder for what is kept from run to run; null: this user's.</param>
    /// <param name="encoders">As the constructor takes them.</param>
    public static PreviewSession Start(IPreviewSink sink, WeightLibrary weights, string? data = null, IReadOnlyList<IPictureEncoder>? encoders = null)
    {
        var none = LatentDecoders.Weights([]);
        WeightLibrary known = none;
        var session = new PreviewSession(sink, format => LatentDecoders.For(format, Volatile.Read(ref known)), calibrations: CalibrationStore.FolderIn(data), encoders: encoders) { _isSearching = true };
        var search = new Thread(() =>
        {
            BackgroundPriority.Apply();
            try
            {
                _ = weights.Found;
                Volatile.Write(ref known, weights);
                session.RefreshCatalogue();
            }
#pragma warning disable CA1031 // A folder that cannot be searched costs its decoders, not the host.
            catch (Exception e)
#pragma warning restore CA1031
            {
                session.LogUnlessStopping($"The search for weights failed: {Describe(e)}");
            }

            lock (session._gate)
            {
                session._isSearching = false;
                Monitor.PulseAll(session._gate);
            }
        })
        { IsBackground = true, Name = "LatentBridge weight search" };
        search.Start();
        return session;
    }

    /// <summary>The catalogue has others now: it is asked again. Decoders that stay keep their weights and times.</summary>
    public void RefreshCatalogue()
    {
        lock (_gate)
        {
            _decoders.ForEach(d => d.IsStale = true);
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Maps the shim's memory, in place of what was mapped before. What is in work or waits is dropped first.</summary>
    /// <exception cref="MappingException">It cannot be mapped; what was attached before stays.</exception>
    public void Attach(MappingSource source, long length, uint generation)
    {
        var mapping = SharedMapping.Open(source, length, generation);
        lock (_gate)
        {
            foreach (PreviewStream stream in _streams)
            {
                DropWaiting(stream, DropReason.Cancelled);
                StopWork(stream, DropReason.Cancelled);
            }

            StopWork(_single, DropReason.Cancelled);
            while (_requests.TryDequeue(out (DecodeRequest Request, SubmittedLatent Latent) waiting))
            {
                Release(waiting.Latent);
                _sink.DecodeFailed(waiting.Request, Drop(waiting.Latent.Header, DropReason.Cancelled));
            }

            while (_work is not null)
            {
                Monitor.Wait(_gate);
            }

            _mapping?.Dispose();
            _mapping = mapping;
            _heldLatentSlots = 0;
            _freeImageSlots = ulong.MaxValue >> (64 - mapping.ImageSlotCount);
        }
    }

    /// <summary>True once a mapping is attached.</summary>
    public bool IsAttached
    {
        get
        {
            lock (_gate)
            {
                return _mapping is not null;
            }
        }
    }

    /// <summary>What pictures can be encoded as.</summary>
    public IReadOnlyList<PreviewEncoding> Encodings { get; }

    /// <summary>The options that hold where a run does not say otherwise.</summary>
    public PreviewOptions Defaults
    {
        get
        {
            lock (_gate)
            {
                return _defaults;
            }
        }

        set
        {
            lock (_gate)
            {
                _defaults = value;
            }
        }
    }

    /// <summary>A run starts on a stream. What waits or is decoded there of an older run is dropped.</summary>
    /// <param name="streamId">The stream.</param>
    /// <param name="run">Greater than the stream's last; an older one is ignored, the same one only changes its settings.</param>
    /// <param name="format">Null: guess from the first latent.</param>
    /// <param name="space">Scale of the values.</param>
    /// <param name="options">What pictures are wanted.</param>
    /// <param name="model">What the model is called, for its own colours where they were learned; null: nobody said.</param>
    public void Begin(uint streamId, ulong run, LatentFormat? format, LatentSpace space, PreviewOptions options, string? model = null)
    {
        lock (_gate)
        {
            if (FindStream(streamId) is not { } stream || (stream.HasRun && run < stream.Run))
            {
                _sink.Log($"Run {run} of stream {streamId} is not begun: {(_streams.Count >= MaximumStreams ? $"{MaximumStreams} streams are busy" : "a newer one came before")}.");
                return;
            }

            if (run != stream.Run)
            {
                DropWaiting(stream, DropReason.Ended);
            }

            StopWork(stream, DropReason.Ended, unless: run);
            stream.Begin(run, format, space, options, options.Calibrate ? model : null);
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>The latent slot is the session's. Answered by exactly one <c>Ready</c> or <c>Dropped</c>.</summary>
    public void Submit(int slot, ulong sequence)
    {
        lock (_gate)
        {
            if (TakeSlot(slot, sequence, out SubmittedLatent latent) is { } problem)
            {
                _sink.Dropped(problem);
                return;
            }

            LatentSlotHeader header = latent.Header;
            if (FindStream(header.Stream) is not { } stream)
            {
                Release(latent);
                _sink.Dropped(Drop(header, DropReason.Failed, $"{MaximumStreams} streams are busy"));
                return;
            }

            if (header.Run > stream.Run || !stream.HasRun)
            {
                DropWaiting(stream, DropReason.Ended);
                StopWork(stream, DropReason.Ended);
                stream.Begin(header.Run, null, LatentSpace.Sampler, _defaults, null);
            }

            DropReason? closed = header.Run < stream.Run ? DropReason.Ended : stream.Closed;
            if (closed is { } reason)
            {
                Release(latent);
                _sink.Dropped(Drop(header, reason));
                return;
            }

            stream.CountSubmit(header.Step);
            if (DropWaiting(stream, DropReason.Replaced))
            {
                stream.Replaced++;
            }

            if ((header.Flags & FrameMarks.LastStep) != 0 && (_job.Latent.Header.Flags & FrameMarks.LastStep) == 0)
            {
                // The sampler waits for this one, and only for so long: what is being decoded must not stand in its way, unless it is a last step itself.
                // Some samplers go on beyond the number of steps that they said: each of those would stop the one before.
                StopWork(stream, DropReason.Replaced);
            }

            stream.Waiting = latent;
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>The image slot is the session's again.</summary>
    public void Release(int slot)
    {
        lock (_gate)
        {
            if (_mapping is null || (uint)slot >= (uint)_mapping.ImageSlotCount)
            {
                _sink.Log($"Image slot {slot} was given back, but does not exist.");
                return;
            }

            if (slot != _work?.ImageSlot)
            {
                _freeImageSlots |= 1UL << slot;
                Monitor.PulseAll(_gate);
            }
        }
    }

    /// <summary>Stops a run: what waits or is decoded of it is dropped, nothing of it is shown any more.</summary>
    public void Cancel(uint streamId, ulong run) => Close(streamId, run, DropReason.Cancelled);

    /// <summary>The run is over: what waits is dropped, what is being decoded is not shown.</summary>
    public void End(uint streamId, ulong run) => Close(streamId, run, DropReason.Ended);

    /// <summary>Decodes one latent that somebody waits for, before anything that waits in a stream. Answered by one <c>Decoded</c> or <c>DecodeFailed</c>.</summary>
    public void Decode(DecodeRequest request)
    {
        lock (_gate)
        {
            if (TakeSlot(request.Slot, request.Sequence, out SubmittedLatent latent) is { } problem)
            {
                _sink.DecodeFailed(request, problem);
                return;
            }

            _requests.Enqueue((request, latent));
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>What goes on at the moment.</summary>
    public SessionStatus Status()
    {
        lock (_gate)
        {
            return new SessionStatus(
                Stopwatch.GetElapsedTime(_started).TotalMilliseconds,
                Environment.WorkingSet,
                _mapping?.Generation ?? 0,
                [.. _streams.Select(s => new StreamStatus(
                    s.Id, s.Run, s.Format?.Id, s.IsFormatGuessed, s.Choice?.Decoder.Description.Id, s.Choice?.Decoder.Source, s.Choice?.Reason,
                    s.StepMilliseconds, s.DecodeMilliseconds, s.Submitted, s.Shown, s.Replaced, s.Failed, [.. s.Warnings]))],
                [.. _decoders.SelectMany(d => d.Candidates.Select(c => new DecoderStatus(
                    c.Description.Id, d.Format.Id, c.Source, c.IsLoaded, c.Times.LastMilliseconds, c.Failure))).Distinct()]);
        }
    }

    /// <summary>Stops the worker and unmaps. Nothing is announced any more; a slot that is still handed over is answered as one without a mapping.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_isStopping)
            {
                return;
            }

            _isStopping = true;
            _calibrator.Dispose();
            _cancellation.Cancel();
            Monitor.PulseAll(_gate);
        }

        // A decoder that does not stop keeps the mapping: better a leak at the end than a read of unmapped memory.
        if (_worker.Join(WorkerPatience))
        {
            lock (_gate)
            {
                _mapping?.Dispose();
                _mapping = null;
            }

            _cancellation.Dispose();
        }
    }

    void Close(uint streamId, ulong run, DropReason reason)
    {
        lock (_gate)
        {
            if (FindStream(streamId) is { } stream && stream.Close(run, reason))
            {
                DropWaiting(stream, reason);
                StopWork(stream, reason);
            }
        }
    }

    /// <summary>Checks a slot that was handed over, with a copy of its header.</summary>
    /// <returns>Null when it is the session's now; else what to answer.</returns>
    DroppedLatent? TakeSlot(int slot, ulong sequence, out SubmittedLatent latent)
    {
        latent = default;
        if (_mapping is null)
        {
            return new(sequence, 0, 0, 0, DropReason.BadSlot, "no mapping is attached");
        }

        if ((uint)slot >= (uint)_mapping.LatentSlotCount)
        {
            return new(sequence, 0, 0, 0, DropReason.BadSlot, $"latent slot {slot} does not exist, there are {_mapping.LatentSlotCount}");
        }

        if ((_heldLatentSlots & (1UL << slot)) != 0)
        {
            return new(sequence, 0, 0, 0, DropReason.BadSlot, $"latent slot {slot} is the host's already");
        }

        LatentSlotHeader header = _mapping.ReadLatentHeader(slot);
        string? problem = header.Validate(_mapping.Generation, _mapping.LatentCapacity);
        problem ??= header.Sequence != sequence ? $"sequence {header.Sequence} in the slot, the message said {sequence}" : null;
        latent = new SubmittedLatent(slot, header, Stopwatch.GetTimestamp());
        if (problem is not null)
        {
            _sink.Released(slot, sequence);
            return new(sequence, header.Run < Protocol.NumberLimit ? header.Run : 0, header.Stream, header.Step, DropReason.BadSlot, problem);
        }

        _heldLatentSlots |= 1UL << slot;
        return null;
    }

    void Release(in SubmittedLatent latent)
    {
        _heldLatentSlots &= ~(1UL << latent.Slot);
        _sink.Released(latent.Slot, latent.Header.Sequence);
    }

    static DroppedLatent Drop(in LatentSlotHeader header, DropReason reason, string? detail = null, long needed = 0) =>
        new(header.Sequence, header.Run, header.Stream, header.Step, reason, detail, needed);

    bool DropWaiting(PreviewStream stream, DropReason reason)
    {
        if (stream.Waiting is not { } latent)
        {
            return false;
        }

        stream.Waiting = null;
        Release(latent);
        _sink.Dropped(Drop(latent.Header, reason));
        return true;
    }

    /// <summary>The stream, made when it is new; null when there are too many and none is idle.</summary>
    PreviewStream? FindStream(uint id)
    {
        foreach (PreviewStream stream in _streams)
        {
            if (stream.Id == id)
            {
                return stream;
            }
        }

        if (_streams.Count >= MaximumStreams)
        {
            int idle = _streams.FindIndex(s => (s.Closed is not null || !s.HasRun) && s.Waiting is null && s != _work?.Stream);
            if (idle < 0)
            {
                return null;
            }

            _streams[idle].Dispose();
            _streams.RemoveAt(idle);
        }

        var made = new PreviewStream(id);
        _streams.Add(made);
        return made;
    }
}
