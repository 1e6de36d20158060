using System.Diagnostics.CodeAnalysis;
using LatentBridge.Formats;
using LatentBridge.Latents;
using LatentBridge.Previews;

namespace LatentBridge.Sessions;

/// <summary>The streams and their runs: the newest latent of a stream waits, streams take turns, nothing of an older run goes on.</summary>
/// <remarks>The session's lock guards it.</remarks>
sealed class StreamTable(SlotTable slots, Workbench bench, IPreviewSink sink, TimeProvider time) : IDisposable
{
    const int MaximumStreams = 64;

    readonly List<PreviewStream> _streams = [];
    int _lastServed;

    /// <summary>Each stream that was seen and has its place.</summary>
    public IReadOnlyList<PreviewStream> All => _streams;

    /// <summary>The options that hold where a run does not say otherwise.</summary>
    public PreviewOptions Defaults { get; set; } = PreviewOptions.Default;

    /// <summary>A run starts. What waits or is decoded of an older one is dropped; an older one than the stream's is only logged.</summary>
    public void Begin(uint id, ulong run, LatentFormat? format, LatentSpace space, PreviewOptions options, string? model)
    {
        PreviewStream? stream = Find(id);
        if (stream is null || (stream.HasRun && run < stream.Run))
        {
            sink.Log($"Run {run} of stream {id} is not begun: {(stream is null ? $"{MaximumStreams} streams are busy" : "a newer one came before")}.");
            return;
        }

        if (run != stream.Run)
        {
            DropWaiting(stream, DropReason.Ended);
        }

        bench.Stop(stream, DropReason.Ended, unlessRun: run);
        stream.Begin(run, format, space, options, options.Calibrate ? model : null);
    }

    /// <summary>A latent came: it waits in place of the one before, or is dropped with the reason why.</summary>
    public void Submit(in SubmittedLatent latent)
    {
        ulong run = latent.Header.Run;
        if (Find(latent.Header.Stream) is not { } stream)
        {
            slots.GiveBack(latent);
            sink.Dropped(latent.Drop(DropReason.Failed, $"{MaximumStreams} streams are busy"));
            return;
        }

        if (run > stream.Run || !stream.HasRun)
        {
            DropWaiting(stream, DropReason.Ended);
            bench.Stop(stream, DropReason.Ended);
            stream.Begin(run, null, LatentSpace.Sampler, Defaults, null);
        }

        if ((run < stream.Run ? DropReason.Ended : stream.Closed) is { } closed)
        {
            slots.GiveBack(latent);
            sink.Dropped(latent.Drop(closed));
            return;
        }

        stream.CountSubmit(latent.Header.Step);
        if (DropWaiting(stream, DropReason.Replaced))
        {
            stream.Replaced++;
        }

        if (latent.IsLastStep && bench.Current is { Latent.IsLastStep: false })
        {
            // The sampler waits for this one, and only for so long: what is being decoded must not stand in its way, unless it is a last step itself.
            // Some samplers go on beyond the number of steps that they said: each of those would stop the one before.
            bench.Stop(stream, DropReason.Replaced);
        }

        stream.Waiting = latent;
    }

    /// <summary>A run is over: nothing of it is shown any more.</summary>
    public void Close(uint id, ulong run, DropReason reason)
    {
        if (Find(id) is { } stream && stream.Close(run, reason))
        {
            Drop(stream, reason);
        }
    }

    /// <summary>Drops what waits and what is in work, of all streams.</summary>
    public void DropAll(DropReason reason)
    {
        foreach (PreviewStream stream in _streams)
        {
            Drop(stream, reason);
        }
    }

    /// <summary>Takes the waiting latent of the stream whose turn it is.</summary>
    public bool TryTake([NotNullWhen(true)] out PreviewStream? stream, out SubmittedLatent latent)
    {
        for (int i = 1; i <= _streams.Count; i++)
        {
            int turn = (_lastServed + i) % _streams.Count;
            stream = _streams[turn];
            if (stream.Waiting is { } waiting)
            {
                stream.Waiting = null;
                _lastServed = turn;
                latent = waiting;
                return true;
            }
        }

        (stream, latent) = (null, default);
        return false;
    }

    public void Dispose() => _streams.ForEach(stream => stream.Dispose());

    void Drop(PreviewStream stream, DropReason reason)
    {
        DropWaiting(stream, reason);
        bench.Stop(stream, reason);
    }

    bool DropWaiting(PreviewStream stream, DropReason reason)
    {
        if (stream.Waiting is not { } latent)
        {
            return false;
        }

        stream.Waiting = null;
        slots.GiveBack(latent);
        sink.Dropped(latent.Drop(reason));
        return true;
    }

    /// <summary>The stream, made when it is new; null when there are too many and none is idle.</summary>
    PreviewStream? Find(uint id)
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
            int idle = _streams.FindIndex(s => (s.Closed is not null || !s.HasRun) && s.Waiting is null && s != bench.Current?.Stream);
            if (idle < 0)
            {
                return null;
            }

            _streams[idle].Dispose();
            _streams.RemoveAt(idle);
        }

        var made = new PreviewStream(id, time);
        _streams.Add(made);
        return made;
    }
}
