using System.Diagnostics;
using LatentBridge.Decoders;
using LatentBridge.Formats;
using LatentBridge.Imaging.Png;
using LatentBridge.Latents;
using LatentBridge.Previews;

namespace LatentBridge.Sessions;

/// <content>The worker's decoders: loaded when they would be chosen, tried out when nothing waits, given back when no stream has their format.</content>
public sealed partial class PreviewSession
{
    const int AssumedCells = 64 * 64;
    const double TrialMilliseconds = 10;
    const double TrialsMilliseconds = 100;
    const int MaximumTrials = 8;

    /// <summary>The first trial mostly measures the compiler.</summary>
    const int MinimumTrials = 3;
    const int MinimumTrialSide = 8;
    const int MaximumTrialSide = 64;

    /// <summary>A trial that took at least this share of the one before shows that the code is compiled and the caches are warm.</summary>
    const double SettledShare = 0.8;

    static readonly PreviewOptions OnOneThread = new() { Threads = 1 };

    /// <summary>The decoders of a format and model; unknown formats are the same when their latents look the same. Models of one format share what is loaded.</summary>
    FormatDecoders DecodersOf(LatentFormat format, string? model)
    {
        FormatDecoders? stale = null;
        foreach (FormatDecoders known in _decoders)
        {
            if (known.Model == model && IsSame(known.Format, format))
            {
                if (!known.IsStale)
                {
                    return known;
                }

                stale = known;
            }
        }

        if (stale is not null)
        {
            // Before the catalogue is asked: what changes meanwhile makes it stale once more.
            lock (_gate)
            {
                stale.IsStale = false;
            }
        }

        return MakeDecoders(format, model, stale);
    }

    FormatDecoders MakeDecoders(LatentFormat format, string? model, FormatDecoders? stale)
    {
        IEnumerable<DecoderCandidate> before = _decoders.Where(known => IsSame(known.Format, format)).SelectMany(known => known.Candidates);
        var found = new FormatDecoders(format, model, _calibrator.With(_catalogue(format), format, model), before);
        List<FormatDecoders> unused = [];
        lock (_gate)
        {
            if (stale is not null)
            {
                _decoders.Remove(stale);
                unused.Add(stale);
            }

            for (int i = _decoders.Count - 1; i >= 0; i--)
            {
                FormatDecoders known = _decoders[i];
                if (!Uses(_single, known) && _streams.TrueForAll(s => !Uses(s, known)))
                {
                    unused.Add(known);
                    _decoders.RemoveAt(i);
                }
            }

            _decoders.Add(found);
        }

        unused.ForEach(d => d.DisposeExcept(_decoders));
        return found;

        static bool Uses(PreviewStream stream, FormatDecoders decoders) => stream.Format?.Id == decoders.Format.Id && stream.Model == decoders.Model;
    }

    static bool IsSame(LatentFormat known, LatentFormat format) =>
        known == format || (known.Id == format.Id && known.Channels == format.Channels && known.Dimensions == format.Dimensions);

    /// <summary>A run of this format began: finds its decoders and marks those that its first and last picture would take.</summary>
    void WarmUp(LatentFormat format, string? model)
    {
        try
        {
            FormatDecoders decoders = DecodersOf(format, model);
            lock (_gate)
            {
                decoders.WantCheapest();
                int threads = _defaults.Threads > 0 ? _defaults.Threads : 1;
                foreach (PreviewStream stream in _streams)
                {
                    if (stream.Format == format && stream.Model == model)
                    {
                        var demand = new FrameDemand(AssumedCells, threads, null, IsLast: true, stream.Options.LastStepMilliseconds, stream.Options.Decoder);
                        _ = DecoderChooser.Choose(decoders.Candidates, demand, null);
                    }
                }
            }
        }
#pragma warning disable CA1031 // The first picture will say what is wrong; getting ready must not end the worker.
        catch (Exception e)
#pragma warning restore CA1031
        {
            LogUnlessStopping($"The decoders of {format.Id} cannot be got ready: {Describe(e)}");
        }
    }

    /// <summary>Loads one wanted decoder and tries it on a small latent, so that its first picture is quick and its speed known.</summary>
    void LoadWanted(FormatDecoders decoders)
    {
        DecoderCandidate candidate = decoders.TakeWanted();
        try
        {
            ILatentDecoder decoder = candidate.Load();
            try
            {
                Try(decoders, candidate, decoder);
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
            lock (_gate)
            {
                candidate.Failed(Describe(e));
            }

            LogUnlessStopping($"{candidate.Description.Id} ({candidate.Description.Source}) cannot be used: {Describe(e)}");
        }
    }

    /// <summary>Decodes zeros until the time settles: first a few cells, then as many as take some milliseconds.</summary>
    void Try(FormatDecoders decoders, DecoderCandidate candidate, ILatentDecoder decoder)
    {
        using var renderer = new PreviewRenderer(decoders.Format);
        double perCell = double.MaxValue;
        double last = double.MaxValue;
        int side = MinimumTrialSide;
        long started = Stopwatch.GetTimestamp();
        for (int i = 0; i < MaximumTrials && (i < MinimumTrials || Stopwatch.GetElapsedTime(started).TotalMilliseconds < TrialsMilliseconds); i++)
        {
            double milliseconds = DecodeZeros(renderer, decoder, side);
            perCell = Math.Min(perCell, milliseconds / (renderer.PlaneHeight * renderer.PlaneWidth));
            int wanted = (int)Math.Clamp(Math.Sqrt(TrialMilliseconds / perCell), MinimumTrialSide, MaximumTrialSide) / 4 * 4;
            if (wanted <= side && milliseconds > last * SettledShare)
            {
                break;
            }

            last = wanted <= side ? milliseconds : double.MaxValue;
            side = Math.Max(side, wanted);
        }

        lock (_gate)
        {
            candidate.Times.Calibrate(perCell);
        }
    }

    static double DecodeZeros(PreviewRenderer renderer, ILatentDecoder decoder, int side)
    {
        LatentFormat format = renderer.Format;
        LatentShape shape = format.Dimensions == 1
            ? new(1, format.StreamChannels, 1, 1, side * side)
            : new(1, format.StreamChannels, 1, side / format.Unpack, side / format.Unpack);
        renderer.Stage(new Latent(new byte[shape.Length * sizeof(float)], LatentElementType.F32, shape), OnOneThread);
        int pixels = side * decoder.Description.PixelsPerCell;
        PreviewResult result = renderer.Render(decoder, OnOneThread, new byte[PngEncoder.MaximumLength(pixels, pixels, 3)], CancellationToken.None);
        return result.DecodeMilliseconds + result.EncodeMilliseconds;
    }

    void LogUnlessStopping(string message)
    {
        lock (_gate)
        {
            if (!_isStopping)
            {
                _sink.Log(message);
            }
        }
    }
}
