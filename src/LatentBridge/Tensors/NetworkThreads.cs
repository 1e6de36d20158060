using System.Runtime.InteropServices;

namespace LatentBridge.Tensors;

/// <summary>Work that several threads do together.</summary>
unsafe interface ISharedWork
{
    /// <summary>Works until nothing is left to hand out or someone stopped; called by every thread that takes part. Never throws.</summary>
    void Work(float* scratch, CancellationToken cancellation);

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
sealed unsafe partial class NetworkThreads : IDisposable
{
    const int NiceValue = 10;

    readonly object _gate = new();
    readonly List<Thread> _threads = [];
    NativeBuffer _scratch = new(0);
    long _scratchLength;
    ISharedWork? _work;
    CancellationToken _cancellation;
    int _places;
    int _helping;
    bool _stopped;

    /// <summary>Bytes of scratch memory held.</summary>
    public long ByteLength => _scratch.ByteLength;

    /// <summary>Makes ready for this many threads, the caller's included, with this much scratch memory each.</summary>
    public void Prepare(int threads, long scratchLength)
    {
        // An odd number of cache lines between them, so that threads' scratch memory does not share cache sets.
        long padded = ((scratchLength + 15) / 16 * 16) + 16;
        if (_scratch.Length < threads * padded || padded > _scratchLength)
        {
            _scratch.Dispose();
            _scratch = new NativeBuffer(threads * padded);
            _scratchLength = padded;
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

        work.Work(_scratch.Pointer, cancellation);
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
        _scratch.Dispose();
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
                work.Work(_scratch.Pointer + (index * _scratchLength), cancellation);
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
