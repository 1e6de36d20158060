using LatentBridge.Decoders;
using LatentBridge.Ipc;
using LatentBridge.Previews;

namespace LatentBridge.Sessions;

/// <summary>Fills the streams' moving pictures, a picture at a time, whenever the worker has nothing more urgent.</summary>
/// <remarks>
/// First the colours of every place that holds nothing, then place after place by the best network that is expected to be done before
/// the next step; a place of an older step stays until then. A new latent of any stream stops the picture in work within 20 ms.
/// Pictures are spaced so that they take no more bytes a second than somebody allowed.
/// </remarks>
sealed class ClipMaker(
    object gate,
    SlotTable slots,
    StreamTable streams,
    DecoderPool pool,
    IPreviewSink sink,
    Func<bool> isStopping,
    Func<int> idleThreads,
    TimeProvider time) : IDuty, IDisposable
{
    /// <summary>A picture must fit into this share of what is left of the step.</summary>
    const double ShareOfStep = 0.9;

    /// <summary>Until the step time is known, a picture may take this.</summary>
    const double FirstMilliseconds = 2000;

    CancellationTokenSource _cancellation = new();
    ITimer? _wake;
    PreviewStream? _stream;
    int _lastServed;

    /// <summary>A picture is being made.</summary>
    public bool IsBusy => _stream is not null;

    /// <summary>Where it is put; -1 when none is made.</summary>
    public int ImageSlot { get; private set; } = -1;

    /// <summary>Something more urgent came, or the picture is not wanted any more. Called under the lock.</summary>
    public void Interrupt()
    {
        if (IsBusy)
        {
            _cancellation.Cancel();
        }
    }

    public bool TryTake()
    {
        if (!slots.HasSpareImageSlot)
        {
            return false;
        }

        long early = long.MaxValue;
        for (int i = 1; i <= streams.All.Count; i++)
        {
            int turn = (_lastServed + i) % streams.All.Count;
            PreviewStream stream = streams.All[turn];
            if (!stream.Clip.IsOpen || stream.Closed is not null || stream.Clip.Header.Run != stream.Run)
            {
                continue;
            }

            long wait = stream.Clip.NotBefore - time.GetTimestamp();
            early = Math.Min(early, wait);
            if (wait <= 0)
            {
                _stream = stream;
                _lastServed = turn;
                ImageSlot = slots.TakeImageSlot();
                if (!_cancellation.TryReset())
                {
                    _cancellation.Dispose();
                    _cancellation = new CancellationTokenSource();
                }

                return true;
            }
        }

        if (early < long.MaxValue)
        {
            WakeIn(early);
        }

        return false;
    }

    public void Do()
    {
        PreviewStream stream = _stream!;
        StreamClip clip = stream.Clip;
        DecoderCandidate? candidate = null;
        int threads = 1;
        (int Place, double Predicted) next = default;
        long began = 0;
        try
        {
            threads = clip.Options.Threads > 0 ? Math.Min(clip.Options.Threads, Environment.ProcessorCount) : idleThreads();
            FormatDecoders decoders = pool.Of(clip.Renderer!.Format, clip.Model);
            (candidate, next.Place, next.Predicted) = Choose(stream, decoders, threads);
            if (candidate is null)
            {
                return;
            }

            began = time.GetTimestamp();
            clip.Renderer.ShowFrame(clip.FrameOf(next.Place));
            PreviewResult picture = clip.Renderer.Render(candidate.Load(), clip.Options with { Threads = threads }, slots.Picture(ImageSlot), _cancellation.Token);
            if (!picture.Fits)
            {
                lock (gate)
                {
                    stream.Warn($"no moving picture: a picture of it takes {picture.ByteLength} bytes, an image slot holds {slots.ImageCapacity}");
                    clip.Close();
                }

                return;
            }

            Record(candidate, clip, next.Place, threads, picture.DecodeMilliseconds + picture.EncodeMilliseconds);
            Show(stream, candidate, next.Place, picture);
        }
        catch (OperationCanceledException) when (_cancellation.IsCancellationRequested)
        {
            // It takes at least as long: else a picture that is believed to fit would be begun in every step and never be done.
            double elapsed = time.GetElapsedTime(began).TotalMilliseconds;
            if (next.Predicted > 0 && elapsed > next.Predicted)
            {
                Record(candidate!, clip, next.Place, threads, elapsed, isAtLeast: true);
            }
        }
#pragma warning disable CA1031 // Whatever fails costs the moving picture, never the host.
        catch (Exception e)
#pragma warning restore CA1031
        {
            lock (gate)
            {
                candidate?.Failed(Problem.Describe(e));
                stream.Warn($"no moving picture: {Problem.Describe(e)}");
                clip.Close();
            }
        }
        finally
        {
            End();
        }
    }

    public void Dispose()
    {
        _wake?.Dispose();
        _cancellation.Dispose();
    }

    /// <summary>What to make next; no decoder when there is nothing to gain until the next latent, or one has to be got ready first.</summary>
    (DecoderCandidate? Decoder, int Place, double Predicted) Choose(PreviewStream stream, FormatDecoders decoders, int threads)
    {
        lock (gate)
        {
            StreamClip clip = stream.Clip;
            long cells = clip.Cells;
            double left = ((stream.StepMilliseconds ?? FirstMilliseconds) - time.GetElapsedTime(clip.Started).TotalMilliseconds) * ShareOfStep;
            bool isPatient = (clip.Header.Flags & FrameMarks.LastStep) != 0;
            if (clip.Empty() is { } empty)
            {
                DecoderCandidate? cheapest = decoders.Candidates.Where(IsFit).MinBy(candidate => candidate.Description.MultiplyAddsPerCell);
                if (cheapest is not null)
                {
                    return (cheapest, empty, 0);
                }
            }

            DecoderCandidate? named = Array.Find(decoders.Candidates, candidate => candidate.IsUsable && candidate.Description.Id == clip.Options.Decoder);
            foreach (DecoderCandidate candidate in decoders.Candidates)
            {
                if (named is not null && candidate != named && !StandsInFor(candidate.Description, named.Description))
                {
                    continue;
                }

                if (candidate is not { IsUsable: true, IsStateful: false } || clip.Worst(candidate.Description.Quality) is not { } place)
                {
                    continue;
                }

                if (!candidate.IsLoaded || !candidate.Times.IsMeasured)
                {
                    candidate.IsWanted = true; // no still asked for it so far; it is got ready before the clip goes on
                    return default;
                }

                double predicted = TimesOf(candidate, clip, place).Predict(cells, threads);
                if (predicted <= left || isPatient)
                {
                    return (candidate, place, predicted);
                }
            }

            clip.Close();
            return default;
        }
    }

    /// <summary>Pictures of a clip are decoded frame by frame: a decoder that carries something from picture to picture is not for them.</summary>
    static bool IsFit(DecoderCandidate candidate) => candidate is { IsUsable: true, IsLoaded: true, IsStateful: false };

    /// <summary>Where somebody named a decoder, a cheaper one stands in for what it does not get done, and no other.</summary>
    static bool StandsInFor(DecoderDescription decoder, DecoderDescription named) => decoder.Quality < named.Quality && decoder.MultiplyAddsPerCell < named.MultiplyAddsPerCell;

    /// <summary>What pictures with as many frames before them took; until one was made, what a still takes.</summary>
    static DecodeTimes TimesOf(DecoderCandidate candidate, StreamClip clip, int place)
    {
        DecodeTimes times = candidate.ClipTimes[clip.FramesBefore(place)];
        return times.IsMeasured ? times : candidate.Times;
    }

    void Record(DecoderCandidate candidate, StreamClip clip, int place, int threads, double milliseconds, bool isAtLeast = false)
    {
        lock (gate)
        {
            candidate.ClipTimes[clip.FramesBefore(place)].Record(clip.Cells, threads, milliseconds, isAtLeast);
        }
    }

    void Show(PreviewStream stream, DecoderCandidate candidate, int place, in PreviewResult picture)
    {
        lock (gate)
        {
            StreamClip clip = stream.Clip;
            if (isStopping() || stream.Closed is not null || clip.Header.Run != stream.Run || _cancellation.IsCancellationRequested)
            {
                return;
            }

            clip.Fill(place, candidate.Description.Quality);
            clip.NotBefore = time.GetTimestamp() + (long)(picture.ByteLength * (double)time.TimestampFrequency / (clip.Options.ClipKilobytes * 1024.0));
            slots.WriteHeader(ImageSlot, clip.Header, picture);
            var ready = new ReadyPreview(
                ImageSlot, clip.Header.Sequence, clip.Header.Run, clip.Header.Stream, clip.Header.Step, clip.Header.TotalSteps, picture, candidate.Description.Id,
                time.GetElapsedTime(clip.Started).TotalMilliseconds);
            ImageSlot = -1;
            sink.ClipReady(ready, new ClipPlace(place, clip.Count, clip.Sharp, clip.Rate));
        }
    }

    void End()
    {
        lock (gate)
        {
            if (ImageSlot >= 0)
            {
                slots.FreeImageSlot(ImageSlot);
                ImageSlot = -1;
            }

            _stream = null;
            Monitor.PulseAll(gate);
        }
    }

    /// <summary>The worker looks again when the next picture may leave.</summary>
    void WakeIn(long ticks)
    {
        _wake ??= time.CreateTimer(_ => Wake(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _wake.Change(TimeSpan.FromSeconds((double)ticks / time.TimestampFrequency), Timeout.InfiniteTimeSpan);
    }

    void Wake()
    {
        lock (gate)
        {
            Monitor.PulseAll(gate);
        }
    }
}
