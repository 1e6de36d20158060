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
/// <para>Design notes. The session is the door; behind it are rooms, each a folder: <c>Slots</c> (the mapping and who owns each slot), <c>Streams</c>
/// (runs, newest wins), <c>Work</c> (the worker and its picture), <c>Decoders</c> (which there are, what they cost, which is chosen), <c>Calibration</c>
/// (what is learned of a model), <c>Clips</c> (moving pictures of videos). The rooms have no lock of their own: the session's guards them all. A call takes it once, changes state and
/// returns; the worker holds it only between its work. The sink is called under it, so that messages leave in the order of what they tell: after
/// <see cref="Begin"/> of a newer run returned, no picture of the older one is announced. Only <see cref="Attach"/> and <see cref="Dispose"/> wait, until
/// the worker let go of the mapping: a cancelled decode stops within 20 ms. Further work for the worker is a further <see cref="IDuty"/>.</para>
/// <para>Any thread may call. Nothing is allocated for a frame after warm-up.</para>
/// </remarks>
public sealed class PreviewSession : IDisposable
{
    static readonly TimeSpan WorkerPatience = TimeSpan.FromSeconds(2);

    readonly object _gate = new();
    readonly IPreviewSink _sink;
    readonly TimeProvider _time;
    readonly long _started;
    readonly SlotTable _slots;
    readonly Workbench _bench;
    readonly StreamTable _streams;
    readonly PictureCopies _copies;
    readonly ClipMaker _clips;
    readonly SinglePictures _singles;
    readonly Calibrator _calibrator;
    readonly Lessons _lessons;
    readonly Learner _learner;
    readonly DecoderPool _decoders;
    readonly IdleCores? _idle;
    readonly Worker _worker;
    volatile bool _isLearning;

    /// <summary>Begins; the worker starts at once.</summary>
    /// <param name="sink">Where results go.</param>
    /// <param name="catalogue">The decoders of a format; called on the threads of the session.</param>
    /// <param name="threads">Threads a decode may use when nobody said; called on the worker. Null: half of the idle cores, measured.</param>
    /// <param name="calibrations">The folder where what was learned of models is kept; null: it is forgotten at the end.</param>
    /// <param name="encoders">For the encodings that are not built in; used by the worker only. Null: none.</param>
    /// <param name="avoid">Decoders to leave out. Null: none.</param>
    /// <param name="time">The clock. Null: the machine's.</param>
    /// <param name="learned">The folder where pairs to train on, and the decoders that came of them, are kept; null: none is trained.</param>
    public PreviewSession(
        IPreviewSink sink,
        Func<LatentFormat, IReadOnlyList<DecoderEntry>> catalogue,
        Func<int>? threads = null,
        string? calibrations = null,
        IReadOnlyList<IPictureEncoder>? encoders = null,
        IReadOnlyList<AvoidedDecoder>? avoid = null,
        TimeProvider? time = null,
        string? learned = null)
        : this(sink, catalogue, threads, calibrations, encoders, avoid, time, learned, LearningSchedule.Default)
    {
    }

    internal PreviewSession(
        IPreviewSink sink,
        Func<LatentFormat, IReadOnlyList<DecoderEntry>> catalogue,
        Func<int>? threads,
        string? calibrations,
        IReadOnlyList<IPictureEncoder>? encoders,
        IReadOnlyList<AvoidedDecoder>? avoid,
        TimeProvider? time,
        string? learned,
        LearningSchedule schedule)
    {
        _sink = sink;
        _time = time ?? TimeProvider.System;
        _started = _time.GetTimestamp();
        encoders ??= [];
        Encodings = [PreviewEncoding.Png, PreviewEncoding.Rgb24, .. encoders.Select(encoder => encoder.Encoding)];
        _slots = new SlotTable(sink, _time);
        _bench = new Workbench(_slots);
        _streams = new StreamTable(_slots, _bench, sink, _time);
        _singles = new SinglePictures(_slots, _bench, sink);
        var avoidance = new Avoidance(avoid ?? []);
        var notice = new LoadingNotice(_gate, sink, () => _bench.IsStopping);
        Func<LatentFormat, IReadOnlyList<DecoderEntry>> kept = format => avoidance.Kept(catalogue(format));
        _learner = new Learner(learned, kept, () => !_isLearning || IsRunOn(), RefreshCatalogue, Log, schedule);
        _calibrator = new Calibrator(new CalibrationStore(calibrations), kept, notice, RefreshCatalogue, Log, Keep);
        _lessons = new Lessons(_gate, _calibrator, kept, sink, () => _bench.IsStopping);
        _decoders = new DecoderPool(_gate, (format, model) => _calibrator.With(_isLearning ? _learner.With(catalogue(format), format) : catalogue(format), format, model), avoidance, IsInUse, _time);
        _idle = threads is null ? new IdleCores(_time) : null;
        var pictures = new PictureMaker(_gate, _slots, _streams, _singles, _bench, _decoders, notice, sink, encoders, threads ?? _idle!.HalfOfIdle, _time);
        var preparation = new DecoderPreparation(_gate, _streams, _decoders, notice, Log, _time);
        _copies = new PictureCopies(_gate, _slots, _streams, sink, () => _bench.IsStopping);
        _clips = new ClipMaker(_gate, _slots, _streams, _decoders, sink, () => _bench.IsStopping, threads ?? _idle!.HalfOfIdle, _time);
        _worker = new Worker(_gate, () => _bench.IsStopping, [pictures, _copies, preparation, _clips], Log, DisposeWorkers);
        foreach (AvoidedDecoder decoder in avoid ?? [])
        {
            Log($"{decoder.Decoder}{(decoder.File is { } file ? $" ({file})" : "")} is {Avoidance.Reason}.");
        }

        _worker.Start();
    }

    /// <summary>Begins with the decoders of <see cref="LatentDecoders"/>. The library's folders are searched in the background: previews are made by the decoders found so far, and single pictures wait for the search, at most ten seconds.</summary>
    /// <param name="sink">Where results go.</param>
    /// <param name="weights">Where networks' numbers are.</param>
    /// <param name="data">The folder for what is kept from run to run; null: this user's.</param>
    /// <param name="encoders">As the constructor takes them.</param>
    /// <param name="avoid">As the constructor takes them.</param>
    public static PreviewSession Start(
        IPreviewSink sink, WeightLibrary weights, string? data = null, IReadOnlyList<IPictureEncoder>? encoders = null, IReadOnlyList<AvoidedDecoder>? avoid = null)
    {
        var search = new WeightSearch(weights);
        var session = new PreviewSession(sink, search.Catalogue, calibrations: CalibrationStore.FolderIn(data), encoders: encoders, avoid: avoid, learned: LearnedSpace.FolderIn(data));
        session.SetSearching(true);
        search.Start(session.RefreshCatalogue, problems =>
        {
            session.SetSearching(false);
            foreach (FoundWeights folder in problems)
            {
                session.Log($"{folder.Path}: {folder.Problem}");
            }
        });
        return session;
    }

    /// <summary>The catalogue has others now: it is asked again. Decoders that stay keep their weights and times.</summary>
    public void RefreshCatalogue()
    {
        lock (_gate)
        {
            _decoders.Refresh();
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
            _streams.DropAll(DropReason.Cancelled);
            _singles.DropAll(DropReason.Cancelled);
            _clips.Interrupt();
            while (_bench.Current is not null || _copies.IsBusy || _clips.IsBusy)
            {
                Monitor.Wait(_gate);
            }

            _slots.Attach(mapping);
        }
    }

    /// <summary>True once a mapping is attached.</summary>
    public bool IsAttached
    {
        get
        {
            lock (_gate)
            {
                return _slots.IsAttached;
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
                return _streams.Defaults;
            }
        }

        set
        {
            lock (_gate)
            {
                _streams.Defaults = value;
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
        _learner.Disturb();
        bool isOutdated = options.Learn && _learner.HasChanged();
        lock (_gate)
        {
            if (isOutdated || _isLearning != options.Learn)
            {
                _isLearning = options.Learn;
                _decoders.Refresh();
            }

            _streams.Begin(streamId, run, format, space, options, model);
            _clips.Interrupt();
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>The latent slot is the session's. Answered by exactly one <c>Ready</c> or <c>Dropped</c>.</summary>
    public void Submit(int slot, ulong sequence)
    {
        _learner.Disturb();
        lock (_gate)
        {
            if (_slots.Take(slot, sequence, out SubmittedLatent latent) is { } problem)
            {
                _sink.Dropped(problem);
                return;
            }

            _streams.Submit(latent);
            _clips.Interrupt();
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>The image slot is the session's again.</summary>
    public void Release(int slot)
    {
        lock (_gate)
        {
            if (!_slots.HasImageSlot(slot))
            {
                _sink.Log($"Image slot {slot} was given back, but does not exist.");
                return;
            }

            if (slot != _bench.Current?.ImageSlot && slot != _copies.ImageSlot && slot != _clips.ImageSlot)
            {
                _slots.FreeImageSlot(slot);
                Monitor.PulseAll(_gate);
            }
        }
    }

    /// <summary>Stops a run: what waits or is decoded of it is dropped, nothing of it is shown any more.</summary>
    public void Cancel(uint streamId, ulong run)
    {
        lock (_gate)
        {
            _streams.Close(streamId, run, DropReason.Cancelled);
            _clips.Interrupt();
        }
    }

    /// <summary>The run is over: what waits is dropped, what is being decoded is not shown.</summary>
    public void End(uint streamId, ulong run)
    {
        lock (_gate)
        {
            _streams.Close(streamId, run, DropReason.Ended);
            _clips.Interrupt();
        }
    }

    /// <summary>Decodes one latent that somebody waits for, before anything that waits in a stream. Answered by one <c>Decoded</c> or <c>DecodeFailed</c>.</summary>
    public void Decode(DecodeRequest request)
    {
        _learner.Disturb();
        lock (_gate)
        {
            if (_slots.Take(request.Slot, request.Sequence, out SubmittedLatent latent) is { } problem)
            {
                _sink.DecodeFailed(request, problem);
                return;
            }

            _singles.Add(request, latent);
            _clips.Interrupt();
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Encodes a stream's newest picture once more, after what is to be decoded. Answered by one <c>Encoded</c> or <c>EncodeFailed</c>.</summary>
    public void Encode(EncodeRequest request)
    {
        lock (_gate)
        {
            if (!_copies.TryAdd(request))
            {
                _sink.EncodeFailed(request, new(0, 0, request.Stream, 0, DropReason.Failed, "too many copies are asked for at once"));
                return;
            }

            _clips.Interrupt();
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Learns from a latent and its picture. Answered by one <c>Taught</c> or <c>TeachFailed</c>; the slot is given back at once.</summary>
    public void Teach(TeachRequest request)
    {
        byte[] values;
        LatentSlotHeader header;
        lock (_gate)
        {
            if (_slots.Take(request.Slot, request.Sequence, out SubmittedLatent latent) is { } problem)
            {
                _sink.TeachFailed(request, problem.Detail ?? problem.Reason.Name());
                return;
            }

            header = latent.Header;
            values = _slots.Values(latent).ToArray();
            _slots.GiveBack(latent);
        }

        _lessons.Take(request, header, values);
    }

    /// <summary>What goes on at the moment.</summary>
    public SessionStatus Status()
    {
        lock (_gate)
        {
            return new SessionStatus(
                _time.GetElapsedTime(_started).TotalMilliseconds,
                Environment.WorkingSet,
                _slots.Generation,
                [.. _streams.All.Select(stream => stream.Status())],
                [.. _decoders.Status()]);
        }
    }

    /// <summary>Stops the worker and unmaps. Nothing is announced any more; a slot that is still handed over is answered as one without a mapping.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_bench.IsStopping)
            {
                return;
            }

            _bench.StopForGood();
            _clips.Interrupt();
            _calibrator.Dispose();
            _learner.Dispose();
            Monitor.PulseAll(_gate);
        }

        // A decoder that does not stop keeps the mapping: better a leak at the end than a read of unmapped memory.
        if (_worker.Join(WorkerPatience))
        {
            lock (_gate)
            {
                _slots.Detach();
            }

            _bench.Dispose();
            _clips.Dispose();
        }
    }

    bool IsRunOn()
    {
        lock (_gate)
        {
            return _bench.Current is not null || _streams.All.Any(stream => stream.HasRun && stream.Closed is null);
        }
    }

    void Keep(Fitting.CalibrationPair pair, LatentFormat format)
    {
        if (_isLearning)
        {
            _learner.Keep(pair.WithPicture, format);
        }
    }

    bool IsInUse(LatentFormat format, string? model) =>
        _singles.Context.Uses(format, model) || _streams.All.Any(stream => stream.Context.Uses(format, model));

    void SetSearching(bool isSearching)
    {
        lock (_gate)
        {
            _singles.AreHeld = _decoders.IsSearching = isSearching;
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Called by the worker at its end: what it alone uses.</summary>
    void DisposeWorkers()
    {
        _singles.Dispose();
        _streams.Dispose();
        _decoders.Dispose();
        _idle?.Dispose();
    }

    /// <summary>Logs, unless the session stops.</summary>
    void Log(string message)
    {
        lock (_gate)
        {
            if (!_bench.IsStopping)
            {
                _sink.Log(message);
            }
        }
    }
}
