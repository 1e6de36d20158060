using LatentBridge.Decoders;
using LatentBridge.Fitting.Training;
using LatentBridge.Formats;

namespace LatentBridge.Sessions;

/// <summary>Keeps pairs of latent and picture, trains a decoder of each latent space on them while nothing else happens, and knows those that came of it.</summary>
/// <remarks>One thread, one core, at the lowest priority the system has, and only while no run is on: a run stops it within a layer of its network, some milliseconds. Whatever fails leaves the decoders that are used as they were.</remarks>
/// <param name="folder">Where all is kept; null: nothing is learned.</param>
/// <param name="catalogue">The decoders to be better than.</param>
/// <param name="isHeld">True while it must not train, as a run is on or learning is off; called without a lock.</param>
/// <param name="changed">Called when a space has a new decoder.</param>
/// <param name="log">Takes a line for people.</param>
/// <param name="schedule">When and how long it trains.</param>
sealed class Learner(
    string? folder, Func<LatentFormat, IReadOnlyList<DecoderEntry>> catalogue, Func<bool> isHeld, Action changed, Action<string> log, LearningSchedule schedule) : IDisposable
{
    const int StepsBetweenCheckpoints = 500;

    /// <summary>Decoders of more work a cell are not compared with: they are better, and slow.</summary>
    const long MostMultiplyAddsCompared = 1_000_000;

    readonly object _gate = new();
    readonly List<LatentFormat> _due = [];
    readonly HashSet<string> _said = [];
    readonly Dictionary<string, DateTime> _handedOut = [];
    CancellationTokenSource _pause = new();
    long _lastDisturbed;
    Thread? _thread;
    bool _isDisposed;

    /// <summary>The shipped decoders and, where one was learned, that.</summary>
    public IReadOnlyList<DecoderEntry> With(IReadOnlyList<DecoderEntry> shipped, LatentFormat format)
    {
        if (folder is null)
        {
            return shipped;
        }

        LearnedSpace space = LearnedSpace.In(folder, format);
        lock (_gate)
        {
            _handedOut[space.Files.Decoder] = File.GetLastWriteTimeUtc(space.Files.Decoder);
        }

        try
        {
            return space.Entry() is { } own ? [.. shipped.Append(own).OrderByDescending(entry => entry.Description.Quality)] : shipped;
        }
        catch (Exception e) when (e is LatentBridgeException or IOException or UnauthorizedAccessException)
        {
            SayOnce($"A learned decoder is left out: {e.Message}");
            return shipped;
        }
    }

    /// <summary>Whether a decoder of those that <see cref="With"/> named, or where it named none, is another now: another program learned or forgot one.</summary>
    public bool HasChanged()
    {
        lock (_gate)
        {
            string[] changed = [.. _handedOut.Where(file => File.GetLastWriteTimeUtc(file.Key) != file.Value).Select(file => file.Key)];
            Array.ForEach(changed, file => _handedOut.Remove(file));
            return changed.Length > 0;
        }
    }

    /// <summary>Keeps a pair, and trains when enough are new and nothing else happens.</summary>
    public void Keep(PicturePair pair, LatentFormat format)
    {
        if (folder is null)
        {
            return;
        }

        try
        {
            if (PairCheck.Problem(pair) is { } problem)
            {
                log($"A picture is not kept to learn from: {problem}");
                return;
            }

            LearnedSpace space = LearnedSpace.In(folder, format);
            space.Pairs.Add(pair, format.Id);
            if (space.HasCheckpoint || LearningSchedule.IsDue(space.Pairs.Admitted))
            {
                Begin(format);
            }
        }
        catch (Exception e) when (e is LatentBridgeException or IOException or UnauthorizedAccessException)
        {
            SayOnce($"A picture is not kept to learn from: {e.Message}", "kept"); // the names of files differ
        }
    }

    /// <summary>Something else wants the cores: training stops, and waits until it was quiet for a while. Does not wait itself.</summary>
    public void Disturb()
    {
        lock (_gate)
        {
            _lastDisturbed = Environment.TickCount64;
            _pause.Cancel();
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _isDisposed = true;
            _pause.Cancel();
            Monitor.PulseAll(_gate);
        }
    }

    void Begin(LatentFormat format)
    {
        lock (_gate)
        {
            if (_isDisposed || _due.Contains(format))
            {
                return;
            }

            _due.Add(format);
            if (_thread is null)
            {
                _thread = new Thread(Work) { IsBackground = true, Name = "LatentBridge learn" };
                _thread.Start();
            }
        }
    }

    void Work()
    {
        IdlePriority.Apply();
        while (WaitForQuiet(out CancellationToken cancellation) is { } format)
        {
            try
            {
                Train(LearnedSpace.In(folder!, format), cancellation);
                Done(format);
            }
            catch (OperationCanceledException)
            {
                // It goes on when it is quiet again.
            }
#pragma warning disable CA1031 // The one seam: what cannot be learned leaves everything as it was.
            catch (Exception e)
#pragma warning restore CA1031
            {
                Done(format);
                SayOnce($"No decoder of {format.Id} was learned: {Problem.Describe(e)}");
            }
        }
    }

    /// <returns>What to train now; null at the end.</returns>
    LatentFormat? WaitForQuiet(out CancellationToken cancellation)
    {
        while (true)
        {
            bool isHeldNow = isHeld();
            lock (_gate)
            {
                if (_isDisposed || _due.Count == 0)
                {
                    _thread = null;
                    cancellation = default;
                    return null;
                }

                if (!isHeldNow && Environment.TickCount64 - _lastDisturbed >= schedule.Quiet.TotalMilliseconds)
                {
                    if (_pause.IsCancellationRequested)
                    {
                        _pause.Dispose();
                        _pause = new();
                    }

                    cancellation = _pause.Token;
                    return _due[0];
                }

                Monitor.Wait(_gate, TimeSpan.FromMilliseconds(Math.Clamp(schedule.Quiet.TotalMilliseconds, 10, 1000)));
            }
        }
    }

    void Done(LatentFormat format)
    {
        lock (_gate)
        {
            _due.Remove(format);
        }
    }

    void Train(LearnedSpace space, CancellationToken cancellation)
    {
        using FileStream? mine = space.TryLock();
        if (mine is null)
        {
            lock (_gate)
            {
                _lastDisturbed = Environment.TickCount64;
                Monitor.Wait(_gate, TimeSpan.FromMilliseconds(100));
            }

            throw new OperationCanceledException();
        }

        PairStore.PairFile[] files = [.. space.Pairs.Files()];
        (PairStore.PairFile File, PicturePair Pair)[] read =
            [.. files.Select(file => (file, Pair: PairStore.Read(file, space.Format.PlaneChannels))).Where(read => read.Pair is not null).Select(read => (read.file, read.Pair!))];
        int side = read.Length > 0 ? read[^1].Pair.Side : 0;
        read = [.. read.Where(one => one.Pair.Side == side)];
        PicturePair[] pairs = [.. read.Where(one => !one.File.IsTest).Select(one => one.Pair)];
        PicturePair[] heldOut = [.. read.Where(one => one.File.IsTest).Select(one => one.Pair).Where(pair => !Array.Exists(pairs, other => PairStore.IsSame(pair, other)))];
        if (pairs.Length == 0 || heldOut.Length < HoldOutGate.FewestPairs)
        {
            log($"Nothing was learned from {pairs.Length} pictures of {space.Format.Id} yet: {HoldOutGate.FewestPairs} others are needed to measure with, and there are {heldOut.Length}.");
            return;
        }

        string names = string.Join(' ', read.Select(one => Path.GetFileNameWithoutExtension(one.File.Path)));
        void Remember()
        {
            if (!Array.Exists(files, file => File.Exists(file.Path)))
            {
                throw new LatentBridgeException("its pictures were forgotten meanwhile.");
            }
        }

        TrainedWeights weights = Train(space, pairs, names, Remember, schedule.Steps(pairs.Length), cancellation);
        Judge(space, weights, pairs.Length, heldOut, Remember, cancellation);
        space.DropCheckpoint();
    }

    /// <param name="space">Where.</param>
    /// <param name="pairs">To learn from.</param>
    /// <param name="names">Which.</param>
    /// <param name="remember">Throws once they were forgotten: nothing that came of them is written then.</param>
    /// <param name="steps">How long.</param>
    /// <param name="cancellation">A run began.</param>
    static TrainedWeights Train(LearnedSpace space, PicturePair[] pairs, string names, Action remember, int steps, CancellationToken cancellation)
    {
        TrainedWeights first = FirstWeights.FromLinearFit(pairs, pairs[0].Side, seed: 0, cancellation);
        using TinyTrainer trainer = new(pairs, first, new(steps), threads: 1);
        space.Restore(trainer, names);
        void Save()
        {
            remember();
            space.Save(trainer, names);
        }

        try
        {
            Save(); // so that it is taken up again wherever it is killed
            while (!trainer.IsDone)
            {
                trainer.Step(cancellation);
                if (trainer.StepsDone % StepsBetweenCheckpoints == 0)
                {
                    Save();
                }
            }
        }
        catch (OperationCanceledException)
        {
            Save();
            throw;
        }

        return trainer.Weights();
    }

    /// <summary>Uses what was learned only where it is closer, on the held-out pairs, than each of the quick decoders that are there.</summary>
    void Judge(LearnedSpace space, TrainedWeights weights, int pictures, PicturePair[] heldOut, Action remember, CancellationToken cancellation)
    {
        using ILatentDecoder candidate = weights.ToDecoder();
        IReadOnlyList<DecoderEntry> quick = Quick(space);
        DecoderMeasure[][] all = [Measure(candidate, heldOut, cancellation), .. With(quick, space.Format).Select(entry => Measure(entry, heldOut, cancellation))];
        heldOut = [.. heldOut.Where((pair, i) => HoldOutGate.IsOfItsPicture(pair, all.Select(measures => measures[i])))];
        if (heldOut.Length < HoldOutGate.FewestPairs)
        {
            log($"A decoder of {space.Format.Id} was learned from {pictures} pictures and is not used: only {heldOut.Length} others are seen in their latents by any decoder, and {HoldOutGate.FewestPairs} are needed to measure with.");
            return;
        }

        DropWhereOthersAreBetter(space, heldOut, cancellation);
        DecoderMeasure[] reached = Measure(candidate, heldOut, cancellation);
        foreach (DecoderEntry entry in With(quick, space.Format))
        {
            if (!HoldOutGate.IsBetter(reached, Measure(entry, heldOut, cancellation)))
            {
                log($"A decoder of {space.Format.Id} was learned from {pictures} pictures and is not used: {entry.Description.Id} ({entry.Description.Source}) is as good.");
                return;
            }
        }

        DecoderMeasure mean = DecoderMeasure.Of(candidate, heldOut, 1, cancellation);
        remember();
        space.Write(weights, pictures, mean);
        space.DropCheckpoint(); // before anybody hears of it
        log(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"A decoder of {space.Format.Id} was learned from {pictures} pictures and is used from now on: {mean.Psnr:0.0} dB."));
        changed();
    }

    /// <summary>What was learned before may have been of other pictures than those that are made now.</summary>
    void DropWhereOthersAreBetter(LearnedSpace space, PicturePair[] heldOut, CancellationToken cancellation)
    {
        if (space.SoundEntry() is not { } own)
        {
            return;
        }

        DecoderMeasure[] reached = Measure(own, heldOut, cancellation);
        if (Quick(space).FirstOrDefault(entry => HoldOutGate.IsBetter(Measure(entry, heldOut, cancellation), reached)) is { } better)
        {
            File.Delete(space.Files.Before);
            space.Files.RollBack();
            log($"The learned decoder of {space.Format.Id} is dropped: of newer pictures {better.Description.Id} ({better.Description.Source}) is closer.");
            changed();
        }
    }

    /// <summary>The decoders that a learned one is compared with.</summary>
    IReadOnlyList<DecoderEntry> Quick(LearnedSpace space) =>
        [.. catalogue(space.Format).Where(entry => !entry.Stateful && entry.Description.MultiplyAddsPerCell <= MostMultiplyAddsCompared)];

    static DecoderMeasure[] Measure(DecoderEntry entry, PicturePair[] heldOut, CancellationToken cancellation)
    {
        using ILatentDecoder decoder = entry.Load();
        return Measure(decoder, heldOut, cancellation);
    }

    static DecoderMeasure[] Measure(ILatentDecoder decoder, PicturePair[] heldOut, CancellationToken cancellation) =>
        [.. heldOut.Select(pair => DecoderMeasure.Of(decoder, [pair], 1, cancellation))];

    void SayOnce(string message, string? kind = null)
    {
        lock (_gate)
        {
            if (!_said.Add(kind ?? message))
            {
                return;
            }
        }

        log(message);
    }
}
