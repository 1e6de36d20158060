using LatentBridge.Decoders;
using LatentBridge.Formats;
using LatentBridge.Imaging;
using LatentBridge.Ipc;
using LatentBridge.Latents;
using LatentBridge.Previews;

namespace LatentBridge.Sessions;

/// <summary>Makes pictures: a single one that somebody waits for first, then the streams' in turn.</summary>
/// <remarks>Whatever fails costs one picture, never the host.</remarks>
sealed class PictureMaker(
    object gate,
    SlotTable slots,
    StreamTable streams,
    SinglePictures singles,
    Workbench bench,
    DecoderPool pool,
    LoadingNotice notice,
    IPreviewSink sink,
    IReadOnlyList<IPictureEncoder> encoders,
    Func<int> idleThreads,
    TimeProvider time) : IDuty
{
    public bool TryTake()
    {
        if (!slots.HasFreeImageSlot)
        {
            return false;
        }

        if (singles.TryTake(out DecodeRequest? request, out SubmittedLatent latent))
        {
            bench.Start(singles.Context, null, request, latent);
            return true;
        }

        if (streams.TryTake(out PreviewStream? stream, out latent))
        {
            bench.Start(stream.Context, stream, null, latent);
            return true;
        }

        return false;
    }

    public void Do()
    {
        Job job = bench.Current!;
        int idle = idleThreads();
        double waited = time.GetElapsedTime(job.Latent.Timestamp).TotalMilliseconds;
        PreviewRenderer? renderer = Stage(job, out DropReason reason, out string? problem);
        PreviewRenderer? frames = renderer is not null && job is { Options.Clip: true, Stream: { } stream } ? StageClip(job, stream) : null;

        lock (gate)
        {
            // The slot was staged or is of no use: either way the shim can have it back before the decode.
            slots.GiveBack(job.Latent);
        }

        if (renderer is null)
        {
            Fail(job, reason, problem);
            return;
        }

        // More threads than cores only wait for one another.
        Render(job, renderer, frames, job.Options.Threads > 0 ? Math.Min(job.Options.Threads, Environment.ProcessorCount) : idle, waited);
    }

    /// <returns>The renderer that holds the staged latent; null when it cannot be staged.</returns>
    PreviewRenderer? Stage(Job job, out DropReason reason, out string? problem)
    {
        reason = DropReason.BadLatent;
        try
        {
            LatentSlotHeader header = job.Latent.Header;
            ReadOnlySpan<long> axes = ((ReadOnlySpan<long>)header.Axes)[..(int)header.AxisCount];
            LatentFormat format = job.Format ??= GuessFormat(job, axes);
            PreviewRenderer renderer = job.Context.RendererOf(format, encoders);
            renderer.StageArray(slots.Values(job.Latent), (LatentElementType)header.ElementType, axes, job.Space, job.Options);
            problem = null;
            return renderer;
        }
        catch (LatentBridgeException e)
        {
            problem = e.Message;
        }
#pragma warning disable CA1031 // Whatever fails costs this picture, never the host.
        catch (Exception e)
#pragma warning restore CA1031
        {
            reason = DropReason.Failed;
            problem = Problem.Describe(e);
        }

        return null;
    }

    /// <summary>Keeps all frames for the moving picture, before the slot is given back.</summary>
    /// <returns>What holds them; null where there are none.</returns>
    PreviewRenderer? StageClip(Job job, PreviewStream stream)
    {
        lock (gate)
        {
            stream.Clip.Close(); // its frames are about to change
        }

        try
        {
            if (stream.Clip.Take(slots.Values(job.Latent), job, encoders))
            {
                lock (gate)
                {
                    if (job.Stopped is null)
                    {
                        stream.Clip.Start(job);
                    }
                }

                return stream.Clip.Renderer;
            }
        }
#pragma warning disable CA1031 // Whatever fails costs the moving picture, never the still.
        catch (Exception e)
#pragma warning restore CA1031
        {
            lock (gate)
            {
                stream.Warn($"no moving picture: {Problem.Describe(e)}");
            }
        }

        return null;
    }

    LatentFormat GuessFormat(Job job, ReadOnlySpan<long> axes)
    {
        FormatGuess guess = LatentFormats.Guess(axes);
        lock (gate)
        {
            if (job.Stopped is null)
            {
                job.Context.Format = guess.Format;
                job.Stream?.Warn(guess.Reason);
            }
        }

        return guess.Format;
    }

    void Render(Job job, PreviewRenderer renderer, PreviewRenderer? frames, int threads, double waited)
    {
        FormatDecoders? decoders = null;
        DecoderCandidate? candidate = null;
        try
        {
            job.Alarm = job.Stream is null ? null : job.Context.Watch.Look(job.Latent.Header, renderer, frames, job.IsFormatNamed);
            decoders = pool.Of(job.Format!, job.Model);
            long cells = (long)renderer.PlaneHeight * renderer.PlaneWidth * renderer.ItemCount;
            DecoderChoice choice = Choose(job, renderer, decoders, cells, threads, out int size);
            candidate = choice.Decoder;
            PreviewResult picture = Decode(job, renderer, candidate, cells, job.Context.Resolve(job.Options, threads, size));
            if (!picture.Fits)
            {
                Fail(job, DropReason.ImageSlotTooSmall, $"the picture takes {picture.ByteLength} bytes, an image slot holds {slots.ImageCapacity}", picture.ByteLength);
                return;
            }

            Count(job, decoders, candidate, cells, threads, picture);
            Show(job, picture, choice, decoders.Warning, waited);
        }
        catch (OperationCanceledException) when (job.Stopped is not null || bench.IsStopping)
        {
            lock (gate)
            {
                // A decoder that never gets done within a run must not keep the others' bad moments alive.
                decoders?.CountFrame(candidate!);
            }

            Fail(job, job.Stopped ?? DropReason.Cancelled, null);
        }
#pragma warning disable CA1031 // Whatever fails costs this picture, never the host.
        catch (Exception e)
#pragma warning restore CA1031
        {
            string what = Problem.Describe(e);
            lock (gate)
            {
                candidate?.Failed(what);
                job.Stream?.Warn($"{candidate?.Description.Id ?? "decoding"} failed: {what}");
            }

            Fail(job, DropReason.Failed, what);
        }
    }

    /// <param name="job">The picture to make.</param>
    /// <param name="renderer">Holds what was staged.</param>
    /// <param name="decoders">The decoders to choose from.</param>
    /// <param name="cells">Cells of all that was staged.</param>
    /// <param name="threads">Threads the decode may use.</param>
    /// <param name="size">Longest side of the picture: the wanted one, or for a run the one that all of its pictures have; 0: the decoder's own.</param>
    DecoderChoice Choose(Job job, PreviewRenderer renderer, FormatDecoders decoders, long cells, int threads, out int size)
    {
        size = job.Options.Size;
        LatentSlotHeader header = job.Latent.Header;
        int? stepsLeft = header.TotalSteps > 0 ? header.TotalSteps - 1 - header.Step : null;
        lock (gate)
        {
            DecoderCandidate? onScreen =
                job.Stream?.OnScreen is { } shown && DecoderChooser.IsNear(shown.Step, header.Step, header.TotalSteps, job.IsAwaited) ? shown.Decoder : null;
            var demand = new FrameDemand(
                cells, threads, job.Stream?.StepMilliseconds, job.IsAwaited, job.Stream?.LastStepMilliseconds(job.Options) ?? job.Options.LastStepMilliseconds,
                job.Options.Decoder, stepsLeft, job.Request is not null, OnScreen: onScreen);
            if (size == 0 && job.Stream is { } run && renderer.Format.CellsPerSecond == 0) // a strip of sound has a size of its own
            {
                size = SizeOf(renderer, run.PixelsPerCell(decoders.Candidates, demand));
            }

            DecoderChoice choice = DecoderChooser.Choose(decoders.Candidates, demand, job.Stream?.Choice?.Decoder) with { IsSearching = pool.IsSearching };
            if (job is { Stopped: null, Stream: { } stream })
            {
                stream.Choice = choice;
            }

            return choice;
        }
    }

    PreviewResult Decode(Job job, PreviewRenderer renderer, DecoderCandidate candidate, long cells, PreviewOptions options)
    {
        bool isProven = cells <= candidate.ProvenCells && !candidate.Entry.IsForeign;
        if (!isProven)
        {
            notice.Begin(candidate.Entry);
        }

        try
        {
            ILatentDecoder decoder = job.Context.InstanceOf(candidate, job.Latent.Header.Run);
            return renderer.Render(decoder, options, slots.Picture(job.ImageSlot), bench.Cancellation);
        }
        finally
        {
            if (!isProven)
            {
                notice.End(candidate.Entry);
            }
        }
    }

    /// <summary>Longest side of what is staged, at so many pixels per cell.</summary>
    static int SizeOf(PreviewRenderer renderer, int pixelsPerCell)
    {
        (int columns, int rows) = ImageGrid.Layout(renderer.ItemCount);
        return (int)Math.Min(PreviewOptions.MaximumSize, Math.Max((long)renderer.PlaneWidth * columns, (long)renderer.PlaneHeight * rows) * pixelsPerCell);
    }

    void Count(Job job, FormatDecoders decoders, DecoderCandidate candidate, long cells, int threads, in PreviewResult picture)
    {
        double milliseconds = picture.DecodeMilliseconds + picture.EncodeMilliseconds;
        lock (gate)
        {
            candidate.Succeeded(cells);
            candidate.Times.Record(cells, threads, milliseconds);
            decoders.CountFrame(candidate);
            if (job is { Stopped: null, Stream: { } stream })
            {
                stream.DecodeMilliseconds = milliseconds;
                stream.Raise(job.Alarm);
            }
        }
    }

    void Show(Job job, in PreviewResult picture, in DecoderChoice choice, string? leftOut, double waited)
    {
        lock (gate)
        {
            if (job.Stopped is { } reason)
            {
                Drop(job, reason, null, 0);
                return;
            }

            LatentSlotHeader header = job.Latent.Header;
            slots.WriteHeader(job.ImageSlot, header, picture);
            var ready = new ReadyPreview(
                job.ImageSlot, header.Sequence, header.Run, header.Stream, header.Step, header.TotalSteps, picture, choice.Decoder.Description.Id, waited,
                choice.Note, leftOut ?? choice.Warning, job.Alarm);
            if (job.Stream is { } stream)
            {
                stream.Shown++;
                stream.OnScreen = (choice.Decoder, header.Step);
                stream.Picture = (header, choice.Decoder.Description.Id);
                if (choice.Warning is { } missing)
                {
                    stream.Warn(missing);
                }
            }

            End();
            if (job.Request is { } request)
            {
                sink.Decoded(request, ready);
            }
            else
            {
                sink.Ready(ready);
            }
        }
    }

    void Fail(Job job, DropReason reason, string? detail, long needed = 0)
    {
        lock (gate)
        {
            if (reason is DropReason.BadLatent or DropReason.Failed or DropReason.ImageSlotTooSmall && job.Stream is { } stream)
            {
                stream.Failed++;
            }

            Drop(job, job.Stopped ?? reason, detail, needed);
        }
    }

    void Drop(Job job, DropReason reason, string? detail, long needed)
    {
        slots.FreeImageSlot(job.ImageSlot);
        if (job.Stream is { } drawnOver)
        {
            drawnOver.Picture = null; // what the renderer holds now is not what was announced
        }

        if (job.Stream is { } stream && reason == DropReason.Replaced)
        {
            stream.Replaced++;
        }

        End();
        if (bench.IsStopping)
        {
            return;
        }

        DroppedLatent dropped = job.Latent.Drop(reason, detail, needed);
        if (job.Request is { } request)
        {
            sink.DecodeFailed(request, dropped);
        }
        else
        {
            sink.Dropped(dropped);
        }
    }

    void End()
    {
        bench.End();
        Monitor.PulseAll(gate);
    }
}
