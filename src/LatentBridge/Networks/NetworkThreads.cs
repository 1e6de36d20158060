using System.Runtime.InteropServices;

namespace LatentBridge.Networks;

/// <summary>Work that several threads do together.</summary>
interface ISharedWork
{
    /// <summary>Works until nothing is left to hand out or someone stopped; called by every thread that takes part. Never throws.</summary>
    void Work(Workspace workspace, CancellationToken cancellation);

    /// <summary>Throws what stopped the work, if anything did; called when no thread works on it any longer.</summary>
    void ThrowIfStopped(CancellationToken cancellation);
}

/// <summary>
/// A few threads of below-normal priority that help the caller through an <see cref="ISharedWork"/> and sleep in between.
/// </summary>
/// <remarks>
/// One run at a time. The caller works too, at its own priority. .NET's thread priority does nothing on Linux, where a
/// thread's nice value is set instead.
/// </remarks>
sealed partial class NetworkThreads : IDisposable
{
    const int NiceValue = 10;

    readonly object _gate = new();
    readonly List<Thread> _threads = [];
    readonly List<Workspace> _workspaces = [];
    ISharedWork? _work;
    CancellationToken _cancellation;
    int _places;
    int _helping;
    bool _stopped;

    /// <summary>Bytes of memory that its threads' workspaces hold.</summary>
    public long ByteLength => _workspaces.Sum(workspace => workspace.ByteLength);

    /// <summary>Makes ready for this many threads, the caller's included, with this much memory each.</summary>
    public void Prepare(int threads, long scratchLength)
    {
        for (int i = 0; i < threads; i++)
        {
            if (i == _workspaces.Count)
            {
                _workspaces.Add(new Workspace(scratchLength));
            }
            else if (!_workspaces[i].Holds(scratchLength))
            {
                _workspaces[i].Dispose();
                _workspaces[i] = new Workspace(scratchLength);
            }
        }

        while (_threads.Count < threads - 1)
        {
            int index = _threads.Count + 1;
            Thread thread = new(() => Help(index)) { IsBackground = true, Name = $"LatentBridge decode {index}", Priority = ThreadPriority.BelowNormal };
            _threads.Add(thread);
            thread.Start();
        }
    }

    /// <summary>Does a work to its end, on at most this many threads as prepared.</summary>
    /// <exception cref="OperationCanceledException">Stopped on request; no thread works on it any longer.</exception>
    public void Run(ISharedWork work, int threads, CancellationToken cancellation)
    {
        lock (_gate)
        {
            _work = work;
            _cancellation = cancellation;
            _places = threads - 1;
            Monitor.PulseAll(_gate);
        }

        work.Work(_workspaces[0], cancellation);
        lock (_gate)
        {
            _places = 0;
            while (_helping > 0)
            {
                Monitor.Wait(_gate);
            }

            _work = null;
        }

        work.ThrowIfStopped(cancellation);
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _stopped = true;
            Monitor.PulseAll(_gate);
        }

        _threads.ForEach(thread => thread.Join());
        _workspaces.ForEach(workspace => workspace.Dispose());
    }

    void Help(int index)
    {
        LowerPriority();
        lock (_gate)
        {
            while (!_stopped)
            {
                if (_places == 0)
                {
                    Monitor.Wait(_gate);
                    continue;
                }

                _places--;
                _helping++;
                ISharedWork work = _work!;
                CancellationToken cancellation = _cancellation;
                Monitor.Exit(_gate);
                work.Work(_workspaces[index], cancellation);
                Monitor.Enter(_gate);
                if (--_helping == 0)
                {
                    Monitor.PulseAll(_gate);
                }
            }
        }
    }

    // On Linux, process 0 is the calling thread. Refused or missing: the thread runs at normal priority, as it would have.
    static void LowerPriority()
    {
        if (OperatingSystem.IsLinux())
        {
            _ = SetPriority(0, 0, NiceValue);
        }
    }

    [LibraryImport("libc", EntryPoint = "setpriority")]
    private static partial int SetPriority(int which, uint who, int value);
}
