using System.Diagnostics;
using LatentBridge.Decoders;
using LatentBridge.Formats;
using LatentBridge.Imaging;
using LatentBridge.Ipc;
using LatentBridge.Latents;
using LatentBridge.Previews;

namespace LatentBridge.Sessions;

/// <content>The worker: one thread that stages, decodes and encodes, and loads decoders when nothing waits.</content>
public sealed partial class PreviewSession
{
    /// <summary>What the worker is doing with the mapping; one instance, reused.</summary>
    sealed class Job
    {
        public PreviewStream Stream = null!;
        public DecodeRequest? Request;
        public SubmittedLatent Latent;
        public int ImageSlot;

        // The stream's as they were when the work began: a newer run may set others meanwhile.
        public LatentFormat? Format;
        public LatentSpace Space;
        public string? Model;
        public PreviewOptions Options = PreviewOptions.Default;

        /// <summary>Set when the picture must not be shown any more.</summary>
        public DropReason? Stopped;
    }

    readonly Job _job = new();
    readonly List<FormatDecoders> _decoders = [];

    /// <summary>Stands in for a stream where somebody waits for a single picture.</summary>
    readonly PreviewStream _single = new(uint.MaxValue);

    CancellationTokenSource _cancellation = new();
    Job? _work;
    int _lastServed;

    void Work()
    {
        if (BackgroundPriority.Apply() is { } refusal)
        {
            lock (_gate)
            {
                _sink.Log(refusal);
            }
        }

        using IdleCores? idle = _threads is null ? new IdleCores() : null;
        while (WaitForWork(out FormatDecoders? toLoad, out (LatentFormat Format, string? Model)? toWarmUp))
        {
            if (_work is { } job)
            {
                MakePicture(job, _threads?.Invoke() ?? idle!.HalfOfIdle());
            }
            else if (toWarmUp is ({ } format, var model))
            {
                WarmUp(format, model);
            }
            else
            {
                LoadWanted(toLoad!);
            }
        }

        _single.Dispose();
        _streams.ForEach(s => s.Dispose());
        _decoders.ForEach(d => d.Dispose());
    }

    /// <summary>Waits until there is something to do, most urgent first: a picture somebody waits for, the streams in turn, decoders to get ready.</summary>
    /// <returns>False when the session stops.</returns>
    bool WaitForWork(out FormatDecoders? toLoad, out (LatentFormat Format, string? Model)? toWarmUp)
    {
        toLoad = null;
        toWarmUp = null;
        lock (_gate)
        {
            while (!_isStopping)
            {
                if (TakeJob())
                {
                    return true;
                }

                foreach (PreviewStream stream in _streams)
                {
                    if (stream.IsWarmUpDue)
                    {
                        stream.IsWarmUpDue = false;
                        toWarmUp = (stream.Format!, stream.Model);
                        return true;
                    }
                }

                foreach (FormatDecoders decoders in _decoders)
                {
                    if (decoders.IsStale)
                    {
                        toWarmUp = (decoders.Format, decoders.Model);
                        return true;
                    }

                    if (decoders.WantsLoading)
                    {
                        toLoad = decoders;
                        return true;
                    }
                }

                Monitor.Wait(_gate);
            }

            return false;
        }
    }

    bool TakeJob()
    {
        if (_freeImageSlots == 0)
        {
            return false;
        }

        if (!_isSearching && _requests.TryDequeue(out (DecodeRequest Request, SubmittedLatent Latent) asked))
        {
            DecodeRequest request = asked.Request;
            _single.Begin(asked.Latent.Header.Run, request.Format, request.Space, request.Options, request.Options.Calibrate ? request.Model : null);
            StartJob(_single, asked.Latent, request);
            return true;
        }

        for (int i = 1; i <= _streams.Count; i++)
        {
            int turn = (_lastServed + i) % _streams.Count;
            PreviewStream stream = _streams[turn];
            if (stream.Waiting is { } latent)
            {
                stream.Waiting = null;
                _lastServed = turn;
                StartJob(stream, latent, null);
                return true;
            }
        }

        return false;
    }

    void StartJob(PreviewStream stream, in SubmittedLatent latent, DecodeRequest? request)
    {
        if (!_cancellation.TryReset())
        {
            _cancellation.Dispose();
            _cancellation = new CancellationTokenSource();
        }

        int slot = System.Numerics.BitOperations.TrailingZeroCount(_freeImageSlots);
        _freeImageSlots &= ~(1UL << slot);
        _job.Stream = stream;
        _job.Request = request;
        _job.Latent = latent;
        _job.ImageSlot = slot;
        _job.Format = stream.Format;
        _job.Space = stream.Space;
        _job.Model = stream.Model;
        _job.Options = stream.Options;
        _job.Stopped = null;
        _work = _job;
    }

    void StopWork(PreviewStream stream, DropReason reason, ulong? unless = null)
    {
        if (_work is { Stopped: null } job && job.Stream == stream && job.Latent.Header.Run != unless)
        {
            job.Stopped = reason;
            _cancellation.Cancel();
        }
    }

    void MakePicture(Job job, int idleThreads)
    {
        double waited = Stopwatch.GetElapsedTime(job.Latent.Timestamp).TotalMilliseconds;
        string? problem = null;
        DropReason reason = DropReason.BadLatent;
        try
        {
            problem = Stage(job);
        }
        catch (LatentBridgeException e)
        {
            problem = e.Message;
        }
#pragma warning disable CA1031 // The one seam: whatever fails costs this picture, never the host.
        catch (Exception e)
#pragma warning restore CA1031
        {
            reason = DropReason.Failed;
            problem = Describe(e);
        }

        lock (_gate)
        {
            // The slot was staged or is of no use: either way the shim can have it back before the decode.
            Release(job.Latent);
        }

        if (problem is not null)
        {
            Finish(job, reason, problem);
            return;
        }

        // More threads than cores only wait for one another.
        Render(job, job.Options.Threads > 0 ? Math.Min(job.Options.Threads, Environment.ProcessorCount) : idleThreads, waited);
    }

    /// <returns>Null when staged; else what does not fit.</returns>
    string? Stage(Job job)
    {
        PreviewStream stream = job.Stream;
        LatentSlotHeader header = job.Latent.Header;
        ReadOnlySpan<long> axes = ((ReadOnlySpan<long>)header.Axes)[..(int)header.AxisCount];
        if (job.Format is null)
        {
            FormatGuess guess = LatentFormats.Guess(axes);
            job.Format = guess.Format;
            lock (_gate)
            {
                if (job.Stopped is null)
                {
                    stream.Format = guess.Format;
                    stream.Warn(guess.Reason);
                }
            }
        }

        LatentFormat format = job.Format;
        if (LatentShape.FromDimensions(axes, format.Dimensions, out LatentShape shape) is { } problem)
        {
            return problem;
        }

        if (stream.Renderer?.Format != format)
        {
            stream.Renderer?.Dispose();
            stream.Renderer = new PreviewRenderer(format, _encoders);
        }

        stream.Renderer.Stage(new Latent(_mapping!.LatentPayload(job.Latent.Slot, header), (LatentElementType)header.ElementType, shape, job.Space), job.Options);
        return null;
    }

    void Render(Job job, int threads, double waited)
    {
        PreviewStream stream = job.Stream;
        PreviewOptions options = job.Options;
        LatentSlotHeader header = job.Latent.Header;
        PreviewRenderer renderer = stream.Renderer!;
        FormatDecoders? decoders = null;
        DecoderCandidate? candidate = null;
        try
        {
            decoders = DecodersOf(job.Format!, job.Model);
            long cells = (long)renderer.PlaneHeight * renderer.PlaneWidth * renderer.ItemCount;
            bool last = job.Request is not null || (header.Flags & FrameMarks.LastStep) != 0;
            DecoderChoice choice;
            int size = options.Size;
            lock (_gate)
            {
                DecoderCandidate? onScreen = stream.OnScreen is { } shown && DecoderChooser.IsNear(shown.Step, header.Step, header.TotalSteps, last) ? shown.Decoder : null;
                var demand = new FrameDemand(
                    cells, threads, stream.StepMilliseconds, last, stream.LastStepMilliseconds(options), options.Decoder,
                    header.TotalSteps > 0 ? header.TotalSteps - 1 - header.Step : null, job.Request is not null, OnScreen: onScreen);
                choice = DecoderChooser.Choose(decoders.Candidates, demand, stream.Choice?.Decoder);
                if (size == 0 && job.Request is null)
                {
                    size = SizeOf(renderer, stream.PixelsPerCell(decoders.Candidates, demand));
                }

                if (job.Stopped is null)
                {
                    stream.Choice = choice;
                }
            }

            candidate = choice.Decoder;
            ILatentDecoder decoder = InstanceOf(stream, candidate, header.Run);
            PreviewResult picture = renderer.Render(decoder, stream.Resolve(options, threads, size), _mapping!.ImagePayload(job.ImageSlot), _cancellation.Token);
            if (!picture.Fits)
            {
                long room = Math.Min(int.MaxValue, _mapping.ImageCapacity);
                Finish(job, DropReason.ImageSlotTooSmall, $"the picture takes {picture.ByteLength} bytes, an image slot holds {room}", picture.ByteLength);
                return;
            }

            double milliseconds = picture.DecodeMilliseconds + picture.EncodeMilliseconds;
            lock (_gate)
            {
                candidate.Succeeded();
                candidate.Times.Record(cells, threads, milliseconds);
                decoders.CountFrame(candidate);
                if (job.Stopped is null)
                {
                    stream.DecodeMilliseconds = milliseconds;
                }

                if (picture.NonFiniteCount > 0)
                {
                    stream.Warn("values of the latent were NaN or infinite");
                }
            }

            Finish(job, picture, choice, waited);
        }
        catch (OperationCanceledException) when (job.Stopped is not null || _isStopping)
        {
            lock (_gate)
            {
                // A decoder that never gets done within a run must not keep the others' bad moments alive.
                decoders?.CountFrame(candidate!);
            }

            Finish(job, job.Stopped ?? DropReason.Cancelled, null);
        }
#pragma warning disable CA1031 // The one seam: whatever fails costs this picture, never the host.
        catch (Exception e)
#pragma warning restore CA1031
        {
            string what = Describe(e);
            lock (_gate)
            {
                candidate?.Failed(what);
                stream.Warn($"{candidate?.Description.Id ?? "decoding"} failed: {what}");
            }

            Finish(job, DropReason.Failed, what);
        }
    }

    /// <summary>Longest side of what is staged, at so many pixels per cell.</summary>
    static int SizeOf(PreviewRenderer renderer, int pixelsPerCell)
    {
        (int columns, int rows) = ImageGrid.Layout(renderer.ItemCount);
        return (int)Math.Min(PreviewOptions.MaximumSize, Math.Max((long)renderer.PlaneWidth * columns, (long)renderer.PlaneHeight * rows) * pixelsPerCell);
    }

    void Finish(Job job, in PreviewResult picture, in DecoderChoice choice, double waited)
    {
        lock (_gate)
        {
            if (job.Stopped is { } reason)
            {
                FinishDropped(job, reason, null, 0);
                return;
            }

            LatentSlotHeader header = job.Latent.Header;
            _mapping!.WriteImageHeader(job.ImageSlot, new ImageSlotHeader
            {
                Magic = ImageSlotHeader.ExpectedMagic,
                Generation = header.Generation,
                Sequence = header.Sequence,
                Run = header.Run,
                Stream = header.Stream,
                Step = header.Step,
                TotalSteps = header.TotalSteps,
                Flags = (header.Flags & (FrameMarks.LastStep | FrameMarks.FirstFrame)) | (picture.NonFiniteCount > 0 ? FrameMarks.NotFinite : FrameMarks.None),
                Encoding = (uint)picture.Encoding,
                Width = (uint)picture.Width,
                Height = (uint)picture.Height,
                PayloadLength = (ulong)picture.ByteLength,
            });
            var ready = new ReadyPreview(job.ImageSlot, header.Sequence, header.Run, header.Stream, header.Step, header.TotalSteps, picture, choice.Decoder.Description.Id, waited, choice.Note, choice.Warning);
            job.Stream.Shown++;
            job.Stream.OnScreen = (choice.Decoder, header.Step);
            if (choice.Warning is { } warning)
            {
                job.Stream.Warn(warning);
            }

            EndJob();
            if (job.Request is { } request)
            {
                _sink.Decoded(request, ready);
            }
            else
            {
                _sink.Ready(ready);
            }
        }
    }

    void Finish(Job job, DropReason reason, string? detail, long needed = 0)
    {
        lock (_gate)
        {
            if (reason is DropReason.BadLatent or DropReason.Failed or DropReason.ImageSlotTooSmall)
            {
                job.Stream.Failed++;
            }

            FinishDropped(job, job.Stopped ?? reason, detail, needed);
        }
    }

    void FinishDropped(Job job, DropReason reason, string? detail, long needed)
    {
        _freeImageSlots |= 1UL << job.ImageSlot;
        job.Stream.Replaced += reason == DropReason.Replaced ? 1 : 0;
        EndJob();
        if (_isStopping)
        {
            return;
        }

        DroppedLatent dropped = Drop(job.Latent.Header, reason, detail, needed);
        if (job.Request is { } request)
        {
            _sink.DecodeFailed(request, dropped);
        }
        else
        {
            _sink.Dropped(dropped);
        }
    }

    void EndJob()
    {
        _work = null;
        Monitor.PulseAll(_gate);
    }

    static ILatentDecoder InstanceOf(PreviewStream stream, DecoderCandidate candidate, ulong run)
    {
        if (!candidate.IsStateful)
        {
            return candidate.Load();
        }

        if (stream.Stateful is not { } kept || kept.Candidate != candidate || kept.Run != run)
        {
            stream.Stateful?.Instance.Dispose();
            stream.Stateful = null;
            stream.Stateful = kept = (candidate, run, candidate.Load());
        }

        return kept.Instance;
    }

    static string Describe(Exception e) => e is LatentBridgeException ? e.Message : $"{e.GetType().Name}: {e.Message}";
}
