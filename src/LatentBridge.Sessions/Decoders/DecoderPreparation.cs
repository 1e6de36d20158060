using LatentBridge.Decoders;
using LatentBridge.Formats;

namespace LatentBridge.Sessions;

/// <summary>Gets decoders ready when nothing waits: finds those of a run that began, loads those that would be chosen, and tries them.</summary>
/// <param name="gate">The session's lock.</param>
/// <param name="streams">Their runs say what will be wanted.</param>
/// <param name="pool">The decoders.</param>
/// <param name="notice">Names a decoder before it is loaded.</param>
/// <param name="log">Takes a line for people.</param>
/// <param name="time">The clock.</param>
sealed class DecoderPreparation(object gate, StreamTable streams, DecoderPool pool, LoadingNotice notice, Action<string> log, TimeProvider time) : IDuty
{
    const int AssumedCells = 64 * 64;

    (LatentFormat Format, string? Model)? _toFind;
    FormatDecoders? _toLoad;

    public bool TryTake()
    {
        (_toFind, _toLoad) = (null, null);
        for (int i = 0; i < streams.All.Count; i++)
        {
            PreviewStream stream = streams.All[i];
            if (stream.IsWarmUpDue)
            {
                stream.IsWarmUpDue = false;
                _toFind = (stream.Context.Format!, stream.Context.Model);
                return true;
            }
        }

        for (int i = 0; i < pool.All.Count; i++)
        {
            FormatDecoders decoders = pool.All[i];
            if (decoders.IsStale)
            {
                _toFind = (decoders.Format, decoders.Model);
                return true;
            }

            if (decoders.WantsLoading)
            {
                _toLoad = decoders;
                return true;
            }
        }

        return false;
    }

    public void Do()
    {
        if (_toFind is ({ } format, var model))
        {
            Find(format, model);
        }
        else if (_toLoad is { } decoders)
        {
            Load(decoders);
        }
    }

    /// <summary>Finds the decoders of a run and marks those that its first and last picture would take.</summary>
    void Find(LatentFormat format, string? model)
    {
        try
        {
            FormatDecoders decoders = pool.Of(format, model);
            lock (gate)
            {
                decoders.WantCheapest();
                int threads = Math.Clamp(streams.Defaults.Threads, 1, Environment.ProcessorCount);
                foreach (PreviewStream stream in streams.All)
                {
                    RenderContext wanted = stream.Context;
                    if (wanted.Format == format && wanted.Model == model)
                    {
                        var demand = new FrameDemand(AssumedCells, threads, null, IsLast: true, wanted.Options.LastStepMilliseconds, wanted.Options.Decoder);
                        _ = DecoderChooser.Choose(decoders.Candidates, demand, null);
                    }
                }
            }
        }
#pragma warning disable CA1031 // The first picture will say what is wrong; getting ready must not end the worker.
        catch (Exception e)
#pragma warning restore CA1031
        {
            log($"The decoders of {format.Id} cannot be got ready: {Problem.Describe(e)}");
        }
    }

    /// <summary>Loads one wanted decoder and tries it, so that its first picture is quick and its speed known.</summary>
    void Load(FormatDecoders decoders)
    {
        DecoderCandidate candidate = decoders.TakeWanted();
        notice.Begin(candidate.Entry);
        try
        {
            ILatentDecoder decoder = candidate.Load();
            try
            {
                double perCell = DecoderTrial.MillisecondsPerCell(decoder, decoders.Format, time);
                lock (gate)
                {
                    candidate.Times.Calibrate(perCell);
                }
            }
            finally
            {
                if (candidate.IsStateful)
                {
                    decoder.Dispose();
                }
            }
        }
#pragma warning disable CA1031 // A decoder that cannot be loaded is named in status; the next one down is taken.
        catch (Exception e)
#pragma warning restore CA1031
        {
            lock (gate)
            {
                candidate.Failed(Problem.Describe(e));
            }

            log($"{candidate.Description.Id} ({candidate.Description.Source}) cannot be used: {Problem.Describe(e)}");
        }

        notice.End(candidate.Entry);
    }
}
