using System.Diagnostics;
using LatentBridge.Decoders;
using LatentBridge.Formats;
using LatentBridge.Imaging;
using LatentBridge.Latents;
using LatentBridge.Previews;

namespace LatentBridge.Sessions;

/// <content>The worker's decoders: loaded when they would be chosen, tried out when nothing waits, given back when no stream has their format.</content>
public sealed partial class PreviewSession
{
    const int AssumedCells = 64 * 64;
    const double TrialMilliseconds = 10;
    const double TrialsMilliseconds = 100;
    const int MaximumTrials = 6;

    /// <summary>The decoders of a format; unknown formats are the same when their latents look the same.</summary>
    FormatDecoders DecodersOf(LatentFormat format)
    {
        foreach (FormatDecoders known in _decoders)
        {
            if (known.Format == format || (known.Format.Id == format.Id && known.Format.Channels == format.Channels && known.Format.Dimensions == format.Dimensions))
            {
                return known;
            }
        }

        var found = new FormatDecoders(format, _catalogue(format));
        List<FormatDecoders> unused = [];
        lock (_gate)
        {
            for (int i = _decoders.Count - 1; i >= 0; i--)
            {
                FormatDecoders known = _decoders[i];
                if (_single.Format?.Id != known.Format.Id && _streams.TrueForAll(s => s.Format?.Id != known.Format.Id))
                {
                    unused.Add(known);
                    _decoders.RemoveAt(i);
                }
            }

            _decoders.Add(found);
        }

        unused.ForEach(d => d.Dispose());
        return found;
    }

    /// <summary>A run of this format began: finds its decoders and marks those that its first and last picture would take.</summary>
    void WarmUp(LatentFormat format)
    {
        try
        {
            FormatDecoders decoders = DecodersOf(format);
            lock (_gate)
            {
                decoders.WantCheapest();
                int threads = _defaults.Threads > 0 ? _defaults.Threads : 1;
                foreach (PreviewStream stream in _streams)
                {
                    if (stream.Format == format)
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

    void Try(FormatDecoders decoders, DecoderCandidate candidate, ILatentDecoder decoder)
    {
        LatentFormat format = decoders.Format;
        double perCell = DecoderChooser.Predict(decoders.Candidates, candidate, 1, 1);
        int side = (int)Math.Clamp(Math.Sqrt(TrialMilliseconds / perCell), 8, 64) / 4 * 4;
        var shape = format.Dimensions == 1
            ? new LatentShape(1, format.StreamChannels, 1, 1, side)
            : new LatentShape(1, format.StreamChannels, 1, side / format.Unpack, side / format.Unpack);
        using var renderer = new PreviewRenderer(format);
        int pixels = side * decoder.Description.PixelsPerCell;
        byte[] picture = new byte[PngEncoder.MaximumLength(pixels, pixels, 3)];
        var options = new PreviewOptions { Threads = 1 };
        byte[] values = new byte[shape.Length * sizeof(float)];
        double last = double.MaxValue;
        long started = Stopwatch.GetTimestamp();
        for (int i = 0; i < MaximumTrials && Stopwatch.GetElapsedTime(started).TotalMilliseconds < TrialsMilliseconds; i++)
        {
            renderer.Stage(new Latent(values, LatentElementType.F32, shape), options);
            PreviewResult result = renderer.Render(decoder, options, picture, CancellationToken.None);
            double milliseconds = result.DecodeMilliseconds + result.EncodeMilliseconds;
            bool isSettled = milliseconds > last * 0.8;
            last = Math.Min(last, milliseconds);
            if (isSettled)
            {
                break;
            }
        }

        lock (_gate)
        {
            candidate.Times.Record((long)renderer.PlaneHeight * renderer.PlaneWidth, 1, last);
        }
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
