using System.Runtime.ExceptionServices;

namespace LatentBridge.Networks;

/// <summary>
/// A network at one picture size, all its layers at work at once: each makes a few rows as soon as the rows it needs are there,
/// into a ring that holds no more rows than its readers still want. Memory grows with the picture's width alone.
/// </summary>
/// <remarks>
/// Design notes. The deepest layer that can work goes first, so rows are used while they are in the cache and rings stay
/// short. How many rows a ring needs is not worked out by formula: the constructor plays the whole schedule once, without
/// computing, and notes the most rows that were alive; several threads get a step of slack. Whether bounded buffers block for
/// ever does not depend on the order in which ready work is done (Kahn), so what one thread got through, any number gets
/// through. No result depends on the schedule: tiles lie on one grid from the picture's corner.
/// </remarks>
sealed class RowPipeline : ISharedWork
{
    readonly RowLayer[] _layers;
    readonly int[] _nextPart;
    readonly int[] _openParts;
    readonly int[] _parts;
    readonly object _gate = new();
    int _waiting;
    int _unfinished;
    int _current;
    ExceptionDispatchInfo? _failure;

    public RowPipeline(IReadOnlyList<RowLayer> layers, int busyParts)
    {
        _layers = [.. layers];
        _nextPart = new int[_layers.Length];
        _openParts = new int[_layers.Length];
        _parts = new int[_layers.Length];
        PlanCapacities(busyParts);
        ScratchLength = _layers.Max(layer => layer.ScratchLength);
    }

    /// <summary>Parts of a step that keep so many threads busy: none for one, which never waits.</summary>
    public static int BusyParts(int threads) => threads == 1 ? 0 : Math.Max(8, 2 * threads);

    /// <summary>Floats of scratch memory that each thread needs.</summary>
    public long ScratchLength { get; }

    /// <summary>Makes ready for another run.</summary>
    public void Reset()
    {
        foreach (RowLayer layer in _layers)
        {
            layer.Done = 0;
            if (layer.Output is not null)
            {
                layer.Output.Produced = 0;
            }
        }

        Array.Clear(_parts);
        _unfinished = _layers.Length;
        _failure = null;
    }

    /// <summary>Works until all layers are done or someone stopped; called by every thread that takes part.</summary>
    public void Work(Workspace workspace, CancellationToken cancellation)
    {
        Monitor.Enter(_gate);
        try
        {
            while (_unfinished > 0 && _failure is null && !cancellation.IsCancellationRequested)
            {
                int index = TakeLayer();
                if (index < 0)
                {
                    _waiting++;
                    Monitor.Wait(_gate);
                    _waiting--;
                    continue;
                }

                RowLayer layer = _layers[index];
                int part = _nextPart[index]++;
                Monitor.Exit(_gate);
                try
                {
                    layer.Run(layer.Done, layer.StepEnd, part, workspace);
                }
                finally
                {
                    Monitor.Enter(_gate);
                }

                if (--_openParts[index] == 0)
                {
                    Finish(index);
                }
            }
        }
        catch (Exception failure)
        {
            _failure = ExceptionDispatchInfo.Capture(failure);
        }
        finally
        {
            Monitor.PulseAll(_gate);
            Monitor.Exit(_gate);
        }
    }

    /// <summary>Throws what stopped the run, if anything did.</summary>
    public void ThrowIfStopped(CancellationToken cancellation)
    {
        _failure?.Throw();
        if (_unfinished > 0)
        {
            throw new OperationCanceledException(cancellation);
        }
    }

    // The deepest layer with a part to hand out; starts its next step if need be. A step once begun is handed out first: with a hundred
    // layers, looking through them all for every part costs more than a deeper layer's few rows are worth.
    int TakeLayer()
    {
        if (_nextPart[_current] < _parts[_current])
        {
            return _current;
        }

        for (int i = _layers.Length - 1; i >= 0; i--)
        {
            RowLayer layer = _layers[i];
            if (_parts[i] > 0)
            {
                if (_nextPart[i] < _parts[i])
                {
                    return i;
                }
            }
            else if (layer.IsReady)
            {
                _parts[i] = layer.Parts(layer.Done, layer.StepEnd);
                _openParts[i] = _parts[i];
                _nextPart[i] = 0;
                _current = i;
                if (_waiting > 0 && _parts[i] > 1)
                {
                    Monitor.PulseAll(_gate);
                }

                return i;
            }
        }

        return -1;
    }

    void Finish(int index)
    {
        RowLayer layer = _layers[index];
        layer.Done = layer.StepEnd;
        _parts[index] = 0;
        if (layer.Output is not null)
        {
            layer.Output.Produced = layer.Done;
        }

        if (layer.Done == layer.Height)
        {
            layer.Complete();
            _unfinished--;
        }

        if (_waiting > 0)
        {
            Monitor.PulseAll(_gate);
        }
    }

    // The layer that is ready and furthest behind, the deepest of several: in a chain that is the deepest, and the frames of a video advance together.
    int LeastAdvanced()
    {
        int least = -1;
        for (int i = _layers.Length - 1; i >= 0; i--)
        {
            if (_layers[i].IsReady && (least < 0 || (long)_layers[i].Done * _layers[least].Height < (long)_layers[least].Done * _layers[i].Height))
            {
                least = i;
            }
        }

        return least;
    }

    // A schedule of one thread without the work; rings begin as high as the picture. What suffices for one order of the steps suffices for all.
    void PlanCapacities(int busyParts)
    {
        Reset();
        Dictionary<RowRing, int> alive = [];
        while (_unfinished > 0)
        {
            int index = LeastAdvanced();
            RowLayer layer = _layers[index];
            if (layer.Output is { } ring)
            {
                alive[ring] = Math.Max(alive.GetValueOrDefault(ring), layer.StepEnd - ring.Oldest + layer.SlackRows(busyParts));
            }

            Finish(index);
        }

        foreach ((RowRing ring, int rows) in alive)
        {
            ring.Capacity = Math.Min(rows, ring.Height);
        }
    }
}
