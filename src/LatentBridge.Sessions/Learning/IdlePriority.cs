using System.Runtime.InteropServices;

namespace LatentBridge.Sessions;

/// <summary>Lets the calling thread run only where nothing else wants to.</summary>
static partial class IdlePriority
{
    const int IdlePolicy = 5; // SCHED_IDLE
    const int ProcessOfThread = 0;
    const int WeakestNice = 19;

    /// <summary>Lowers the calling thread as far as the system lets it; refused, it stays where it is.</summary>
    public static void Apply()
    {
        if (!OperatingSystem.IsLinux())
        {
            Thread.CurrentThread.Priority = ThreadPriority.Lowest;
            return;
        }

        // On Linux "process 0" is the calling thread, and .NET's own priorities do nothing.
        int priority = 0;
        _ = setpriority(ProcessOfThread, 0, WeakestNice);
        _ = sched_setscheduler(0, IdlePolicy, in priority);
    }

    [LibraryImport("libc")]
    private static partial int setpriority(int which, uint who, int value);

    [LibraryImport("libc")]
    private static partial int sched_setscheduler(int process, int policy, in int priority);
}
