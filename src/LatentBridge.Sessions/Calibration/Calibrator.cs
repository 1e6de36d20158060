using LatentBridge.Decoders;
using LatentBridge.Fitting;
using LatentBridge.Formats;

namespace LatentBridge.Sessions;

/// <summary>Learns each model's colours on a thread of its own, and knows the maps that came of it.</summary>
/// <param name="store">Where they are kept.</param>
/// <param name="catalogue">The decoders to compare with.</param>
/// <param name="notice">Names a decoder before it is loaded.</param>
/// <param name="changed">Called when a model has a new map.</param>
/// <param name="log">Takes a line for people.</param>
/// <param name="learned">Gets each pair after it was learned from, on the calibrator's thread; never throws. Null: nobody.</param>
sealed class Calibrator(
    CalibrationStore store, Func<LatentFormat, IReadOnlyList<DecoderEntry>> catalogue, LoadingNotice notice, Action changed, Action<string> log, Action<CalibrationPair, LatentFormat>? learned = null) : IDisposable
{
    const int MaximumWaiting = 4;

    /// <summary>Maps at hand; beyond, all are read again from the store.</summary>
    const int MaximumModels = 64;

    /// <summary>Decoders from TAESD on are not compared with: they are better, and slow.</summary>
    const int FirstQualityNotCompared = 70;

    readonly object _gate = new();
    readonly Queue<Lesson> _waiting = new();
    readonly Dictionary<(string Format, int Channels, string Model), Learned> _learned = [];
    readonly CancellationTokenSource _cancellation = new();
    Thread? _thread;

    /// <summary>A pair to learn from; <paramref name="Done"/> is called with the outcome, or with why there is none.</summary>
    internal sealed record Lesson(LatentFormat Format, string Model, Func<CalibrationPair> Read, Action<CalibratedMap?, string?> Done);

    sealed record Learned(Fitting.Calibration Calibration, CalibratedMap? Map);

    /// <summary>The shipped decoders and, where one was learned and is better than one of them, the model's own.</summary>
    public IReadOnlyList<DecoderEntry> With(IReadOnlyList<DecoderEntry> shipped, LatentFormat format, string? model)
    {
        if (model is null)
        {
            return shipped;
        }

        DecoderEntry? own;
        lock (_gate)
        {
            own = Find(format, model)?.Map?.Entry(format.PlaneChannels, shipped.Select(entry => entry.Description));
        }

        return own is null ? shipped : [.. shipped.Append(own).OrderByDescending(entry => entry.Description.Quality)];
    }

    /// <summary>Learns as soon as there is time.</summary>
    /// <returns>False when too many wait.</returns>
    public bool Learn(Lesson lesson)
    {
        lock (_gate)
        {
            if (_waiting.Count >= MaximumWaiting || _cancellation.IsCancellationRequested)
            {
                return false;
            }

            _waiting.Enqueue(lesson);
            if (_thread is null)
            {
                _thread = new Thread(Work) { IsBackground = true, Name = "LatentBridge calibrate" };
                _thread.Start();
            }

            return true;
        }
    }

    /// <summary>Nothing is learned any more. Does not wait.</summary>
    public void Dispose() => _cancellation.Cancel();

    void Work()
    {
        BackgroundPriority.Apply();
        while (true)
        {
            Lesson lesson;
            lock (_gate)
            {
                if (_cancellation.IsCancellationRequested || !_waiting.TryDequeue(out lesson!))
                {
                    _thread = null;
                    return;
                }
            }

            CalibratedMap? map = null;
            string? problem = null;
            try
            {
                map = Take(lesson);
            }
#pragma warning disable CA1031 // The one seam: what cannot be learned leaves everything as it was.
            catch (Exception e)
#pragma warning restore CA1031
            {
                problem = e is LatentBridgeException ? e.Message : $"{e.GetType().Name}: {e.Message}";
            }

            if (map is not null)
            {
                changed();
            }

            lesson.Done(map, problem);
        }
    }

    CalibratedMap? Take(Lesson lesson)
    {
        LatentFormat format = lesson.Format;
        CalibrationPair pair = lesson.Read();
        Fitting.Calibration calibration;
        lock (_gate)
        {
            calibration = Find(format, lesson.Model)?.Calibration ?? new(format.PlaneChannels);
        }

        var decoders = new List<ILatentDecoder>();
        try
        {
            foreach (DecoderEntry entry in catalogue(format).Where(entry => !entry.Stateful && entry.Description.Quality < FirstQualityNotCompared))
            {
                notice.Begin(entry);
                try
                {
                    decoders.Add(entry.Load());
                }
                catch (LatentBridgeException e)
                {
                    log($"{entry.Description.Id} ({entry.Description.Source}) is not compared with: {e.Message}");
                }
                finally
                {
                    notice.End(entry);
                }
            }

            calibration.Add(pair, decoders, _cancellation.Token);
        }
        finally
        {
            decoders.ForEach(decoder => decoder.Dispose());
        }

        CalibratedMap? map = calibration.Solve();
        lock (_gate)
        {
            Keep(format, lesson.Model, new(calibration, map));
        }

        try
        {
            store.Write(format, lesson.Model, calibration);
        }
        catch (LatentBridgeException e)
        {
            log(e.Message);
        }

        learned?.Invoke(pair, format);
        return map;
    }

    /// <summary>What is known of a model, at hand or in the store; null when nothing is.</summary>
    Learned? Find(LatentFormat format, string model)
    {
        if (_learned.TryGetValue((format.Id, format.PlaneChannels, model), out Learned? known))
        {
            return known;
        }

        try
        {
            if (store.Read(format, model) is { } stored)
            {
                return Keep(format, model, new(stored, stored.Solve()));
            }
        }
        catch (LatentBridgeException e)
        {
            log($"What was learned of a model is left out: {e.Message}");
            return Keep(format, model, new(new(format.PlaneChannels), null));
        }

        return null;
    }

    Learned Keep(LatentFormat format, string model, Learned learned)
    {
        if (_learned.Count >= MaximumModels)
        {
            _learned.Clear();
        }

        return _learned[(format.Id, format.PlaneChannels, model)] = learned;
    }
}
